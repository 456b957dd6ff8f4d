// Package auth says who is asking: it finds out for every request, and lets nothing through for which it can't.
//
// Who someone is, an identity provider says (Provider: OpenID Connect, by authorization code with PKCE for pages, by
// bearer token for programs), or a token that traga itself signed (Tokens). For which institution and in which role
// she acts, the directory says (Officers); a token names both itself, and the directory, where it knows better, must
// agree. All of that is looked up for each request, and every two seconds for a live stream: revoked means revoked at
// once. What can't be looked up lets nobody in.
//
// A Gate puts the Identity into the context of the request (IdentityOf). What she may see is for others to decide;
// whose entry she may record, MayRecord says.
package auth

import (
	"context"
	"net/http"

	"traga.internal/events"
)

// Identity is who asks: an officer in the role and for the institution that the directory says, or a system that acts
// for an institution.
type Identity struct {
	// Actor is the officer as entries name her. A system has its own name there.
	Actor events.Actor
	// Name is how she is addressed on the pages. It never goes into a log.
	Name string
	// Machine says that a system asks and no person.
	Machine bool
}

// Owner is who asks where there is no sign-in: whoever can reach this machine, which is its owner. She sees all, and
// is logged as such.
func Owner() Identity {
	return Identity{Actor: events.Actor{Officer: "owner", Role: events.System, Institution: "traga"}, Name: "owner"}
}

type contextKey struct{}

// WithIdentity is the context of a request by that identity.
func WithIdentity(ctx context.Context, who Identity) context.Context {
	return context.WithValue(ctx, contextKey{}, who)
}

// IdentityOf is who makes the request of this context; false where nobody has signed in. Then nothing about a case may
// be answered.
func IdentityOf(ctx context.Context) (Identity, bool) {
	who, ok := ctx.Value(contextKey{}).(Identity)
	return who, ok
}

// AsOwner answers every request as the Owner's: for --insecure-no-auth, on loopback only.
func AsOwner(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serveAs(r.Context(), Owner(), next, w, r)
	})
}

// serveAs answers the request as that identity's. The route that answered is told to whoever measures r.
func serveAs(ctx context.Context, who Identity, next http.Handler, w http.ResponseWriter, r *http.Request) {
	inner := r.WithContext(WithIdentity(ctx, who))
	defer func() { r.Pattern = inner.Pattern }()
	next.ServeHTTP(w, inner)
}
