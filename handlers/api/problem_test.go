package api_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"traga.internal/events"
)

func TestAnUnknownAddressIsAProblem(t *testing.T) {
	s := serve(t)
	for _, path := range []string{"/v1/", "/v1/nothing", "/v1/cases/", "/v1/cases/MK-2026-0001/secrets", "/v1/cases/MK-2026-0001/timeline/", "/v1/events",
		"/v1/cases/MK-2026-0001/events:cheque", "/v1/%2e%2e/docs", "/v1/cases/a%2Fb/c", "/v1/CASES"} {
		for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS"} {
			problemIs(t, s.ask(method, path, ""), http.StatusNotFound, "not-found", "")
		}
	}
}

func TestAWrongMethodIsAProblem(t *testing.T) {
	s := serve(t)
	for path, item := range s.doc.paths() {
		takes := item.(map[string]any)
		address := strings.NewReplacer("{n}", number, "{id}", "5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02", "{t}", "CaseOpened", "{obligation}", "acknowledge/n-1").Replace(path)
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			if takes[strings.ToLower(method)] != nil || path == "/metrics" && method == "GET" { // the metrics are registered elsewhere
				continue
			}
			a := s.ask(method, address, "")
			problemIs(t, a, http.StatusMethodNotAllowed, "method-not-allowed", "")
			for allowed := range takes {
				if !strings.Contains(a.header.Get("Allow"), strings.ToUpper(allowed)) {
					t.Errorf("%s %s allows %s", method, path, a.header.Get("Allow"))
				}
			}
		}
	}
}

// Every route over a store in trouble: a problem that says whether to try again, and nothing else.
func TestAStoreInTroubleIsAProblemThatRevealsNothing(t *testing.T) {
	for trouble, want := range map[error]string{
		errors.New("disk /dev/sdb1 of " + nobody + ": sector 7"): "500 internal",
		fmt.Errorf("read page 9: %w", events.ErrDamaged):         "500 internal",
		fmt.Errorf("at /var/lib: %w", events.ErrUnavailable):     "503 unavailable",
		events.ErrClosed: "503 unavailable",
	} {
		s := serve(t, still)
		first := s.record(number, opening())
		s.store.fail(trouble)
		requests := []answer{s.post("MK-2026-0002", opening()), s.ask(http.MethodPost, "/v1/cases/"+number+"/events:check", notice("n"))}
		for _, path := range []string{"/v1/cases/" + number, "/v1/cases/" + number + "/timeline", "/v1/cases/" + number + "/shares", "/v1/cases/" + number + "/obligations",
			"/v1/cases/" + number + "/obligations/screening", "/v1/cases/" + number + "/knows?who=mk-csw-skopje", "/v1/cases/" + number + "/diff?from=1",
			"/v1/safeguards?case=" + number, "/v1/events/" + first.ID.String(), "/v1/events/" + first.ID.String() + "/causes", "/v1/feed", "/v1/stream"} {
			requests = append(requests, s.get(path))
		}
		for _, a := range requests {
			if a.header.Get("Content-Type") != "application/problem+json" || !strings.Contains(string(a.body), want[4:]) || fmt.Sprint(a.status) != want[:3] {
				t.Errorf("%v: %d %s", trouble, a.status, a.body)
			}
			for _, inner := range []string{"sector", "/dev", "Goran", "/var/lib", "page 9", "goroutine"} {
				if strings.Contains(string(a.body), inner) {
					t.Errorf("it reveals %s: %s", inner, a.body)
				}
			}
		}
		logged := s.logged.String()
		if internal := strings.HasPrefix(want, "500"); internal != strings.Contains(logged, `"operation":"case-timeline"`) || strings.Contains(logged, number) {
			t.Errorf("logged: %s", logged)
		}
		s.store.trouble.Store(nil)
	}
	s := serve(t)
	s.store.fail(events.ErrFull)
	problemIs(t, s.post(number, opening()), http.StatusInsufficientStorage, "full", "")
	s.store.trouble.Store(nil)
}

func TestAPanicIsAnInternalProblem(t *testing.T) {
	s := serve(t, still)
	s.record(number, opening())
	s.store.fail(panicking{})
	a := s.get("/v1/cases/" + number)
	problemIs(t, a, http.StatusInternalServerError, "internal", "")
	if logged := s.logged.String(); strings.Contains(string(a.body), "Goran") || strings.Contains(logged, "Goran") || !strings.Contains(logged, `"operation":"case"`) {
		t.Errorf("%s\n%s", a.body, logged)
	}
	s.store.trouble.Store(nil)
}

// panicking is an error that panics when it is looked at.
type panicking struct{}

func (panicking) Error() string { return "never read" }
func (panicking) Is(error) bool { panic("of " + nobody) }

// A body whose transfer is broken is the caller's fault, not ours.
func TestABodyThatCantBeReadIsTheCallersMistake(t *testing.T) {
	s := serve(t)
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /v1/cases/%s/events HTTP/1.1\r\nHost: traga\r\nIf-Match: *\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n\r\n", number)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusBadRequest || res.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %s", res.Status, res.Header)
	}
}

func TestTheServiceSaysHowItIs(t *testing.T) {
	s := serve(t)
	for path, want := range map[string]string{"/livez": "alive\n", "/readyz": "ready\n", "/version": "{\"version\":\"1.2.3\"}\n"} {
		if a := s.get(path); a.status != http.StatusOK || string(a.body) != want {
			t.Errorf("%s: %d %q", path, a.status, a.body)
		}
	}
	s.store.fail(events.ErrUnavailable)
	problemIs(t, s.get("/readyz"), http.StatusServiceUnavailable, "unavailable", "")
	if a := s.get("/livez"); a.status != http.StatusOK {
		t.Errorf("%d: a store that is away is no reason to be restarted", a.status)
	}
	s.store.trouble.Store(nil)
}

// Whatever is sent: never a 500, never a broken connection, an error is always a problem, and what is answered is
// as documented (the client of these tests sees to that).
func FuzzRequests(f *testing.F) {
	for _, seed := range [][4]string{
		{"POST", "/v1/cases/MK-2026-0001/events", "*", opening()},
		{"POST", "/v1/cases/MK-2026-0001/events", `"0"`, notice("n-1")},
		{"POST", "/v1/cases/MK-2026-0001/events:check", "", unlawful()},
		{"POST", "/v1/cases/MK-2026-0001/events", "*", `{"type":"EntryCorrected",` + prison + `,"data":{"target":"5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02","replacement":{},"reason":"r"}}`},
		{"POST", "/v1/cases/MK-2026-0001/events", "*", "{\"case\":\"\xff\"}"},
		{"POST", "/v1/cases/%00/events", "\t", "{}"},
		{"GET", "/v1/cases/MK-2026-0001", "", ""},
		{"GET", "/v1/cases/MK-2026-0001?at=18446744073709551615", "", ""},
		{"GET", "/v1/cases?at=9223372036854775807&limit=1&q=%00%27", "", ""},
		{"GET", "/v1/cases?at=9999-12-31T23:59:59Z", "", ""},
		{"GET", "/v1/cases?at=0000-01-01T00:00:00Z", "", ""},
		{"GET", "/v1/alerts?at=0001-01-01T00:00:00Z&cursor=eyJhdCI6IjIwMjYtMDYtMDFUMDg6MDA6MDBaIn0", "", ""},
		{"GET", "/v1/alerts?at=9999-12-31T23:59:59.999999999Z", "", ""},
		{"GET", "/v1/alerts?at=5&jurisdiction=XK", "", ""},
		{"GET", "/v1/sharing-matrix?at=1/0", "", ""},
		{"GET", "/v1/cases/MK-2026-0001/obligations/%2e%2e/%2f", "", ""},
		{"GET", "/v1/cases/MK-2026-0001/knows?who=%ff", "", ""},
		{"GET", "/v1/cases/MK-2026-0001/diff?from=2&to=1", "", ""},
		{"GET", "/v1/cases/MK-2026-0001/timeline?lang=%ff-%00&order=recorded", "", ""},
		{"GET", "/v1/events/00000000-0000-0000-0000-000000000000/causes", "", ""},
		{"GET", "/v1/feed?after=9223372036854775807", "", ""},
		{"GET", "/v1/feed?after=9223372036854775807/1&limit=1000", "", ""},
		{"GET", "/v1/event-types/%3Cscript%3E/schema", "", ""},
		{"GET", "/v1//cases;a=b?;&=&%zz", "", ""},
		{"GET", "/v1/cases/MK-1/%2e%2e/22f", "", ""},
		{"PROPFIND", "/v1/cases", "", "x"},
		{"GET", "/v1/safeguards?verdict=fail&limit=1&cursor=e30", "", ""},
		{"GET", "/v1/safeguards?case=MK-2026-0001&at=9999-12-31T23:59:59Z", "", ""},
		{"GET", "/v1/matrix?at=9999-12-31T23:59:59Z&period=quarter&lang=%ff", "", ""},
		{"GET", "/v1/matrix?at=0000-01-01T00:00:00Z", "", ""},
		{"GET", "/v1/tools?at=1/0", "", ""},
		{"DELETE", "/docs", "", ""},
		{"GeT", "/v1/cases", "", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	s := serve(f)
	s.record(number, opening())
	s.record(number, notice("n-1"))
	s.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	f.Fuzz(func(t *testing.T, method, path, ifMatch, body string) {
		req, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
		if err != nil || !strings.HasPrefix(path, "/") || strings.HasPrefix(req.URL.Path, "/v1/stream") || method == http.MethodConnect || !sendable(ifMatch) ||
			!sendable(path) || strings.Contains(path, " ") {
			t.Skip("no request, or one without end")
		}
		here := *s
		here.t = t
		header := []string{}
		if ifMatch != "" {
			header = []string{"If-Match", ifMatch}
		}
		before := here.stored()
		a := here.ask(method, path, body, header...)
		if here.stored() != before && a.status != http.StatusCreated {
			t.Errorf("%s %s: %d, and something was stored: %s", method, path, a.status, a.body)
		}
		api := strings.HasPrefix(req.URL.Path, "/v1/")
		switch {
		case a.status >= 500:
			t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
		case a.status >= 400 && api && method != http.MethodHead && a.header.Get("Content-Type") != "application/problem+json":
			t.Errorf("%s %s: %d as %s", method, path, a.status, a.header.Get("Content-Type"))
		}
		if logged := here.logged.String(); strings.Contains(logged, "panicked") {
			t.Error(logged)
		}
	})
}

// sendable reports whether a text can be a header's value; with anything else the server ends the talk before it
// comes to us.
func sendable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}
