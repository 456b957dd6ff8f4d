package main

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"

	"traga.internal/handlers/api"
	"traga.internal/handlers/auth"
)

// guard sets the headers that every answer carries, and lets only those in who ask for traga by its own name and, to
// write, from its own pages. Whether it runs, anyone may ask it by any name, as those do who look after many services.
func guard(next http.Handler, e *entrance) http.Handler {
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
		if e.secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if !e.hosts.own(r.Host) && r.URL.Path != "/livez" && r.URL.Path != "/readyz" {
			deny(w, api.Problem{Type: "urn:traga:problem:foreign-host", Title: "This address is not traga's", Status: http.StatusMisdirectedRequest,
				Detail: "traga answers only to the names that the setting hosts lists and, where it listens on its own machine only, to 127.0.0.1, [::1] and localhost."})
			return
		}
		inside.ServeHTTP(w, r)
	})
}

// own says whether the Host of a request is traga's own. A foreign site can make its name point to traga's address
// (DNS rebinding) and then read as if from its own pages; it can't make a browser send another Host.
func (n hostNames) own(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	} else if inner, ok := strings.CutPrefix(host, "["); ok {
		name = strings.TrimSuffix(inner, "]")
	}
	return n.named[strings.ToLower(name)] || n.here && auth.LoopbackHost(name)
}

func deny(w http.ResponseWriter, p api.Problem) {
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the caller has gone; there is no one left to tell
}
