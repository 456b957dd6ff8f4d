package main

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"

	"traga.internal/handlers/api"
)

// guard sets the headers that every answer carries, and lets only those in who ask this machine by its own name
// and from its own pages. Without a sign-in nothing else stands between a page that the reader has open elsewhere
// and the cases.
func guard(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		deny(w, api.Problem{Type: "urn:traga:problem:cross-origin", Title: "This came from another site's page", Status: http.StatusForbidden,
			Detail: "Only traga's own pages, and programs that are no browser, may write."})
	}))
	inside := origin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		if !ownHost(r.Host) {
			deny(w, api.Problem{Type: "urn:traga:problem:foreign-host", Title: "This address is not traga's", Status: http.StatusMisdirectedRequest,
				Detail: "There is no sign-in yet, so traga answers on this machine only: ask 127.0.0.1, [::1] or localhost."})
			return
		}
		inside.ServeHTTP(w, r)
	})
}

// ownHost says whether the Host of a request is this machine's own. A foreign site can make its name point to
// 127.0.0.1 (DNS rebinding) and then read as if from its own pages; it can't make a browser send another Host.
func ownHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	} else if inner, ok := strings.CutPrefix(host, "["); ok {
		name = strings.TrimSuffix(inner, "]")
	}
	ip := net.ParseIP(name)
	return strings.EqualFold(name, "localhost") || ip != nil && ip.IsLoopback()
}

func deny(w http.ResponseWriter, p api.Problem) {
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the caller has gone; there is no one left to tell
}
