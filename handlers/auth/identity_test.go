package auth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"traga.internal/handlers/auth"
)

func TestOnlyASignedInRequestHasAnIdentity(t *testing.T) {
	if who, ok := auth.IdentityOf(t.Context()); ok {
		t.Errorf("without a sign-in it is %v", who)
	}
	asked := false
	auth.AsOwner(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		who, ok := auth.IdentityOf(r.Context())
		asked = ok && who == auth.Owner() && !who.Machine
	})).ServeHTTP(nil, httptest.NewRequest(http.MethodGet, "/", nil))
	if !asked {
		t.Error("the owner's request has no identity")
	}
}
