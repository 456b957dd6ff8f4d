package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"traga.internal/handlers/api"
)

func guarded() http.Handler {
	return guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("inside")) }), &entrance{hosts: hostNames{here: true}})
}

// A site whose name was made to point to this machine gets nothing, not even reading.
func TestOnlyThisMachinesOwnNamesAreAnswered(t *testing.T) {
	for host, want := range map[string]int{
		"localhost": http.StatusOK, "LocalHost:8080": http.StatusOK, "127.0.0.1": http.StatusOK, "127.0.0.1:8080": http.StatusOK,
		"[::1]": http.StatusOK, "[::1]:8080": http.StatusOK,
		"evil.example": http.StatusMisdirectedRequest, "evil.example:8080": http.StatusMisdirectedRequest,
		"127.0.0.1.evil.example": http.StatusMisdirectedRequest, "localhost.evil.example:8080": http.StatusMisdirectedRequest,
		"127.0.0.1:8080:evil": http.StatusMisdirectedRequest, "192.0.2.1:8080": http.StatusMisdirectedRequest,
		"0.0.0.0:8080": http.StatusMisdirectedRequest, "": http.StatusMisdirectedRequest,
	} {
		r := httptest.NewRequest(http.MethodGet, "/v1/cases", nil)
		r.Host = host
		w := httptest.NewRecorder()
		guarded().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Host %q: %d, want %d", host, w.Code, want)
		}
		if want != http.StatusOK && strings.Contains(w.Body.String(), "inside") {
			t.Errorf("Host %q: the request went through", host)
		}
	}
}

// Another site's page can't write, and is told so as a problem.
func TestAnotherSitesPageCannotWrite(t *testing.T) {
	for name, header := range map[string][2]string{
		"origin": {"Origin", "http://evil.example"}, "no origin": {"Origin", "null"},
		"other port": {"Origin", "http://127.0.0.1:9999"}, "fetch": {"Sec-Fetch-Site", "cross-site"}, "same site": {"Sec-Fetch-Site", "same-site"},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080/v1/cases/MK-2026-0001/events", strings.NewReader("{}"))
		r.Header.Set(header[0], header[1])
		w := httptest.NewRecorder()
		guarded().ServeHTTP(w, r)
		var p api.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusForbidden || p.Status != w.Code ||
			w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s %s %v", name, w.Code, w.Header().Get("Content-Type"), w.Body, err)
		}
	}
}
