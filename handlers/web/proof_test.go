package web_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/ledger"
	"traga.internal/events/sqlitestore"
	"traga.internal/events/vault"
	"traga.internal/handlers/auth"
	"traga.internal/handlers/consult"
	"traga.internal/handlers/deadlines"
	"traga.internal/handlers/evidence"
	"traga.internal/handlers/record"
	"traga.internal/handlers/web"
	"traga.internal/projections"
	"traga.internal/projections/obligations"
	"traga.internal/projections/regional"
	"traga.internal/projections/sharing"
	"traga.internal/projections/status"
)

// sealed is the pages over a store on disk that has a ledger.
type sealed struct {
	t      *testing.T
	mux    *http.ServeMux
	ledger *sqlitestore.Ledger
	key    note.Signer
	policy string
	record func(action string)
	source *evidence.Source
}

var ombudsman = events.Actor{Officer: "o.bud", Role: events.Ombudsman, Institution: "mk-ombudsman"}

func newSealed(t *testing.T, demo string) *sealed {
	ctx, dir := t.Context(), t.TempDir()
	store, err := sqlitestore.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := vault.Open(ctx, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	log, shipped := keys.Wrap(store), protocol.NewBook()
	engine, err := projections.Open(ctx, dir, log, shipped, []projections.Projection{status.Projection(), obligations.Projection(), sharing.Projection(), regional.Projection()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(engine.Close(), store.Close(), keys.Close()); err != nil {
			t.Error(err)
		}
	})
	s := &sealed{t: t, mux: http.NewServeMux()}
	if s.ledger, err = store.Ledger(); err != nil {
		t.Fatal(err)
	}
	secret, public, err := note.GenerateKey(rand.Reader, "traga-test")
	if err != nil {
		t.Fatal(err)
	}
	if s.key, err = note.NewSigner(secret); err != nil {
		t.Fatal(err)
	}
	s.policy = "log " + public + "\nquorum none\n"
	book := deadlines.Published(log, shipped)
	recorder := record.New(log, shipped)
	s.record = func(text string) {
		t.Helper()
		action, err := record.Parse([]byte(text))
		if err == nil {
			_, err = recorder.Record(ctx, action, record.AnyRevision)
		}
		if err == nil {
			err = engine.CatchUp(ctx, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	desk := consult.New(consult.Config{Store: log, Book: book, Recorder: recorder, Engine: engine, Clock: time.Now})
	s.source = &evidence.Source{Ledger: s.ledger, Log: log, Opener: keys}
	web.Register(s.mux, web.Config{Store: log, Book: book, Engine: engine, Desk: desk, Clock: time.Now, Log: slog.New(slog.DiscardHandler), Demo: demo,
		Evidence: &evidence.Exporter{Desk: desk, Source: s.source,
			Believed: func(context.Context) (*ledger.Policy, error) { return ledger.ParsePolicy([]byte(s.policy)) }}})
	return s
}

// seal has what is there signed.
func (s *sealed) seal() *ledger.Note {
	s.t.Helper()
	tree, at, err := s.ledger.AppendHeads(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	n, err := ledger.Sign(tree, s.key)
	if err == nil {
		err = s.ledger.AddCheckpoint(s.t.Context(), n, at)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// ask asks as an officer who has said why.
func (s *sealed) ask(who events.Actor, method, address, contentType string, body []byte) *httptest.ResponseRecorder {
	s.t.Helper()
	send := func(method, address, contentType string, body []byte, cookies []*http.Cookie) *httptest.ResponseRecorder {
		q := httptest.NewRequestWithContext(auth.WithIdentity(s.t.Context(), auth.Identity{Actor: who, Name: who.Officer}), method, address, bytes.NewReader(body))
		q.Header.Set("Content-Type", contentType)
		for _, c := range cookies {
			q.AddCookie(c)
		}
		r := httptest.NewRecorder()
		s.mux.ServeHTTP(r, q)
		return r
	}
	const form = "application/x-www-form-urlencoded"
	why := send(http.MethodPost, "/cases/MK-2026-0001/why", form, []byte(url.Values{"justification": {"a complaint"}, "next": {"/"}}.Encode()), nil)
	return send(method, address, contentType, body, why.Result().Cookies())
}

func (s *sealed) get(who events.Actor, address string) *httptest.ResponseRecorder {
	s.t.Helper()
	return s.ask(who, http.MethodGet, address, "", nil)
}

// upload sends files as a form does.
func (s *sealed) upload(address string, files map[string][]byte) *httptest.ResponseRecorder {
	s.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, content := range files {
		part, err := w.CreateFormFile(name, "a file")
		if err == nil {
			_, err = part.Write(content)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		s.t.Fatal(err)
	}
	return s.ask(ombudsman, http.MethodPost, address, w.FormDataContentType(), b.Bytes())
}

func (s *sealed) expect(r *httptest.ResponseRecorder, status int, holds ...string) {
	s.t.Helper()
	if r.Code != status {
		s.t.Errorf("status %d, want %d: %.400s", r.Code, status, r.Body)
	}
	for _, text := range holds {
		if !strings.Contains(r.Body.String(), text) {
			s.t.Errorf("the page does not say %q:\n%s", text, r.Body)
		}
	}
}

const openCase = `{"case":"MK-2026-0001","type":"CaseOpened","actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},
	"data":{"subject":"s-1","name":"A Fictional Name","dateOfBirth":"1990-01-01","sex":"male","reason":"convicted","institution":"mk-prison-idrizovo","admittedOn":"2026-01-12"}}`

const informed = `{"case":"MK-2026-0001","type":"SubjectInformed","actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},
	"data":{"notice":"n-1","language":"mk","interpreter":false}}`

func TestTheProofPagesFromEmptyToExported(t *testing.T) {
	s := newSealed(t, "")
	s.expect(s.get(ombudsman, "/proof"), http.StatusOK, "Nothing is sealed yet.")
	s.record(openCase)
	s.expect(s.get(ombudsman, "/cases/MK-2026-0001/proof"), http.StatusOK, "Nothing is sealed yet.")
	pinned := s.seal()
	s.record(informed)
	s.expect(s.get(ombudsman, "/proof"), http.StatusOK, "no witness yet", "traga-test", "\n— traga-test ", "The log’s key")
	if key, _, _ := strings.Cut(strings.TrimPrefix(s.policy, "log "), "\n"); !strings.Contains(html.UnescapeString(s.get(ombudsman, "/proof").Body.String()), key) {
		t.Error("the page does not show the log's key")
	}
	s.expect(s.get(ombudsman, "/cases/MK-2026-0001/proof"), http.StatusOK, "1 entries of this case are sealed", "not sealed yet: 1")
	s.seal()
	s.expect(s.get(ombudsman, "/cases/MK-2026-0001"), http.StatusOK, `href="/cases/MK-2026-0001/proof"`)

	// Exporting asks for whom and why, and opens what is chosen.
	form := func(v url.Values) *httptest.ResponseRecorder {
		return s.ask(ombudsman, http.MethodPost, "/cases/MK-2026-0001/export", "application/x-www-form-urlencoded", []byte(v.Encode()))
	}
	s.expect(form(url.Values{"recipient": {""}, "justification": {"x"}}), http.StatusBadRequest, "Say for whom the bundle is, and why.")
	s.expect(form(url.Values{"recipient": {"x"}, "justification": {"x"}, "encrypt": {"age1x"}}), http.StatusBadRequest, "That is no age key")
	r := form(url.Values{"recipient": {"the court"}, "justification": {"a complaint"}, "open": {"identity"}})
	s.expect(r, http.StatusOK, "A Fictional Name")
	if r.Header().Get("Content-Type") != "application/zip" || !strings.Contains(r.Header().Get("Content-Disposition"), "MK-2026-0001.bundle.zip") {
		t.Errorf("headers %v", r.Header())
	}
	bundle := r.Body.Bytes()

	// The page checks it: by itself against its own record, or by what its reader brings.
	s.expect(s.upload("/proof", map[string][]byte{"bundle": bundle}), http.StatusOK, "Verified: complete and unaltered", "this server’s own record", "VERIFIED case=MK-2026-0001 rev 0–1 ")
	brought := map[string][]byte{"bundle": bundle, "pinned": pinned.Bytes(), "policy": []byte(s.policy)}
	s.expect(s.upload("/proof?lang=sq", brought), http.StatusOK, "E vërtetuar: e plotë dhe e pandryshuar")
	s.expect(s.upload("/proof", brought), http.StatusOK, fmt.Sprintf("the checkpoint of %d leaves that you kept", pinned.Size))
	altered := bytes.Replace(bundle, []byte("A Fictional Name"), []byte("A Frictional Nam"), 1)
	s.expect(s.upload("/proof", map[string][]byte{"bundle": altered}), http.StatusOK, "Not verified: something is wrong", "What an entry says is not what was recorded.", "revision 0 (CaseOpened")
	// A bundle from elsewhere.
	other := newSealed(t, "")
	other.record(openCase)
	other.seal()
	made, err := other.source.Make(t.Context(), evidence.Request{Case: "MK-2026-0001"})
	if err != nil {
		t.Fatal(err)
	}
	s.expect(s.upload("/proof", map[string][]byte{"bundle": made.Bundle}), http.StatusOK, "Not verified", "E-SIG")

	// What can't be used is named.
	s.expect(s.upload("/proof", nil), http.StatusBadRequest, "Choose the file of a bundle first.")
	s.expect(s.upload("/proof", map[string][]byte{"bundle": bundle, "policy": []byte("quorum W")}), http.StatusBadRequest, "be used:", "line 1")
	s.expect(s.upload("/proof", map[string][]byte{"bundle": bundle, "pinned": []byte("x")}), http.StatusBadRequest, "be used:")
	s.expect(s.upload("/proof", map[string][]byte{"bundle": make([]byte, 33<<20)}), http.StatusBadRequest, "larger than this page takes")
	s.expect(s.ask(ombudsman, http.MethodPost, "/proof", "text/plain", []byte("x")), http.StatusBadRequest, "Choose the file of a bundle first.")
	hostile := s.upload("/proof", map[string][]byte{"bundle": []byte("<script>alert(1)</script>")})
	s.expect(hostile, http.StatusOK, "E-FORMAT")
	if strings.Contains(hostile.Body.String(), "<script>alert") {
		t.Error("the page runs what was sent")
	}
}

func TestAProofIsForOfficesThatMayKnowOfEveryEntry(t *testing.T) {
	s := newSealed(t, "All of this is invented.")
	s.record(openCase)
	s.seal()
	prison := events.Actor{Officer: "a.petrova", Role: events.PrisonTreatment, Institution: "mk-prison-idrizovo"}
	s.expect(s.get(prison, "/cases/MK-2026-0001/proof"), http.StatusForbidden, "may not know of all that can be in a case")
	form := []byte("recipient=x&justification=x")
	s.expect(s.ask(prison, http.MethodPost, "/cases/MK-2026-0001/export", "application/x-www-form-urlencoded", form), http.StatusForbidden, "may not know")
	s.expect(s.ask(prison, http.MethodPost, "/cases/MK-2026-0001/tamper", "", nil), http.StatusForbidden, "may not know")
	if page := s.get(prison, "/cases/MK-2026-0001"); strings.Contains(page.Body.String(), "/proof\"") && strings.Contains(page.Body.String(), "/cases/MK-2026-0001/proof") {
		t.Error("the case leads to a proof that this office may not see")
	}
	stranger := events.Actor{Officer: "x", Role: events.Employment, Institution: "mk-employment-bitola"}
	s.expect(s.get(stranger, "/cases/MK-2026-0001/proof"), http.StatusForbidden)
}

func TestTheDemoTampersWithACopy(t *testing.T) {
	s := newSealed(t, "All of this is invented.")
	s.record(openCase)
	s.record(informed)
	s.seal()
	s.expect(s.get(ombudsman, "/cases/MK-2026-0001/proof"), http.StatusOK, "Alter one entry in a copy")
	before := s.get(ombudsman, "/proof")
	s.expect(s.ask(ombudsman, http.MethodPost, "/cases/MK-2026-0001/tamper", "", nil), http.StatusOK, "Verified: complete and unaltered",
		"Not verified: something is wrong", "entry 1 now says that it happened a day earlier", "revision 1 (SubjectInformed", "E-PAYLOAD")
	// The log itself is as it was, and the bundle of it still verifies.
	made, err := s.source.Make(t.Context(), evidence.Request{Case: "MK-2026-0001"})
	if err != nil {
		t.Fatal(err)
	}
	if v := ledger.Verify(made.Bundle, ledger.Trust{}); len(v.Problems) > 0 || before.Code != http.StatusOK {
		t.Errorf("afterwards: %s", v.Line())
	}
	// Outside the demonstration there is no such thing.
	real := newSealed(t, "")
	real.record(openCase)
	real.seal()
	if page := real.get(ombudsman, "/cases/MK-2026-0001/proof"); strings.Contains(page.Body.String(), "tamper") {
		t.Error("a real traga offers to tamper")
	}
	real.expect(real.ask(ombudsman, http.MethodPost, "/cases/MK-2026-0001/tamper", "", nil), http.StatusNotFound)
}

func TestPagesOfAStoreWithoutALedgerOfferNoProof(t *testing.T) {
	w := newWorld(t, func(context.Context, *world) {})
	for _, address := range []string{"/proof", "/cases/MK-2026-0001/proof"} {
		if r := w.get(t, address); r.Code != http.StatusNotFound {
			t.Errorf("%s: %d", address, r.Code)
		}
	}
	if page := w.get(t, "/"); strings.Contains(page.Body.String(), `href="/proof"`) {
		t.Error("the menu leads to a page that is not there")
	}
}
