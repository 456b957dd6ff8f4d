package web

import (
	"context"
	"net/http"

	"traga.internal/events"
	"traga.internal/handlers/auth"
)

// SignIns says how people can sign in: an *auth.Gate.
type SignIns interface{ Ways() auth.Ways }

// signedIn is who looks at the page, for its frame.
type signedIn struct {
	auth.Identity
	Institution string // its name
}

// NoSignIn reports whether whoever comes is the owner.
func (s *signedIn) NoSignIn() bool { return s.Actor.Role == events.System && !s.Machine }

// readWho finds who looks at the page.
func (p *page) readWho(ctx context.Context) error {
	who, ok := auth.IdentityOf(ctx)
	if !ok {
		return nil
	}
	p.Who = &signedIn{Identity: who}
	if p.Who.NoSignIn() {
		return nil
	}
	known, err := p.site.names(ctx, events.AsOf{})
	if err != nil {
		return err
	}
	p.Who.Institution = known.of(who.Actor.Institution, p.Language())
	return nil
}

// Inside reports whether the reader may go to the other pages.
func (p *page) Inside() bool { return p.Who != nil || p.site.signIns == nil }

// signInView is the sign-in page.
type signInView struct {
	auth.Ways
	Next      string // where to go on to
	Reason    string // a message: why the sign-in before failed, or that one has signed out
	SignedOut bool
	Officers  []signedIn
}

// reasons are the messages that handlers/auth may ask for.
var reasons = map[string]bool{"invalid": true, "expired": true, "revoked": true, "not-appointed": true, "unavailable": true, "too-many": true, "provider": true, "signed-out": true}

// signIn shows the ways to sign in.
func (s *site) signIn(ctx context.Context, p *page) error {
	if s.signIns == nil {
		return &failure{status: http.StatusNotFound, message: "error.not-found"}
	}
	v := signInView{Ways: s.signIns.Ways(), Next: auth.Inside(p.query("next"))}
	if reason := p.query("reason"); reasons[reason] {
		v.Reason, v.SignedOut = p.Word("sign-in-reason", reason), reason == "signed-out"
	}
	if len(v.Demo) > 0 {
		known, err := s.names(ctx, events.AsOf{})
		if err != nil {
			return err
		}
		for _, who := range v.Demo {
			v.Officers = append(v.Officers, signedIn{who, known.of(who.Actor.Institution, p.Language())})
		}
	}
	p.show("sign-in", p.T("sign-in.title"), "", v)
	return nil
}
