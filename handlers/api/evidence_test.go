package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"traga.internal/events/ledger"
	"traga.internal/events/sqlitestore"
	"traga.internal/handlers/api"
	"traga.internal/handlers/evidence"
)

// sealed serves a store with a ledger; seal signs what is there.
func sealed(t *testing.T) (s *service, seal func() *ledger.Note, policy *ledger.Policy) {
	proofs := &evidence.Source{}
	exports := &evidence.Exporter{Source: proofs, Believed: func(context.Context) (*ledger.Policy, error) { return policy, nil }}
	s = serve(t, embedded, func(c *api.Config, _ *setting) { c.Evidence = exports })
	l, err := s.store.Log.(*sqlitestore.Store).Ledger()
	if err != nil {
		t.Fatal(err)
	}
	proofs.Ledger, proofs.Log = l, s.store
	secret, public, err := note.GenerateKey(rand.Reader, "traga-test")
	if err != nil {
		t.Fatal(err)
	}
	key, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	if policy, err = ledger.ParsePolicy([]byte("log " + public + "\nquorum none\n")); err != nil {
		t.Fatal(err)
	}
	return s, func() *ledger.Note {
		tree, recorded, err := l.AppendHeads(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n, err := ledger.Sign(tree, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.AddCheckpoint(t.Context(), n, recorded); err != nil {
			t.Fatal(err)
		}
		return n
	}, policy
}

func order(fields string) string {
	return `{"case":"MK-2026-0001","recipient":"the ombudsman","justification":"a complaint"` + fields + `}`
}

func TestABundleIsExportedAndVerifies(t *testing.T) {
	s, seal, policy := sealed(t)
	problemIs(t, s.ask(http.MethodPost, "/v1/exports", order(""), "Content-Type", "application/json"), http.StatusNotFound, "not-found", "")
	s.record("MK-2026-0001", opening())
	pinned := seal()
	s.record("MK-2026-0001", notice("n-1"))
	seal()

	a := s.ask(http.MethodPost, "/v1/exports", order(`,"open":["identity"]`), "Content-Type", "application/json")
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/zip" || !strings.Contains(a.header.Get("Content-Disposition"), "MK-2026-0001.bundle.zip") {
		t.Fatalf("%d %v %.300s", a.status, a.header, a.body)
	}
	v := ledger.Verify(a.body, ledger.Trust{Pinned: pinned, Policy: policy})
	if !v.OK || v.Events != 2 {
		t.Error(v.Line())
	}
	// It is on record, with what left.
	digest := sha256.Sum256(a.body)
	if log := s.get("/v1/cases/MK-2026-0001/access"); !bytes.Contains(log.body, []byte(hex.EncodeToString(digest[:]))) {
		t.Errorf("the export is not on record with its digest: %s", log.body)
	}

	// Who says neither for whom nor why exports it for themselves.
	if a := s.ask(http.MethodPost, "/v1/exports", `{"case":"MK-2026-0001"}`, "Content-Type", "application/json", "Traga-Justification", "an inspection"); a.status != http.StatusOK {
		t.Errorf("%d %.300s", a.status, a.body)
	}
	if log := s.get("/v1/cases/MK-2026-0001/access"); !bytes.Contains(log.body, []byte("an inspection")) {
		t.Errorf("the reason is not on record: %s", log.body)
	}
	verdict := decode[ledger.Verdict](t, s.ask(http.MethodPost, "/v1/bundles:check", string(a.body), "Content-Type", "application/zip"), http.StatusOK)
	if !verdict.OK || verdict.Case != "MK-2026-0001" || *verdict.Pinned != verdict.Size {
		t.Errorf("checked: %+v", verdict)
	}
	verdict = decode[ledger.Verdict](t, s.ask(http.MethodPost, "/v1/bundles:check", string(a.body[:500]), "Content-Type", "application/zip"), http.StatusOK)
	if verdict.OK || verdict.Problems[0].Code != ledger.CodeFormat {
		t.Errorf("a bundle that was cut: %+v", verdict)
	}

	a = s.ask(http.MethodPost, "/v1/exports", order(`,"format":"json"`), "Content-Type", "application/json")
	if a.status != http.StatusOK || !bytes.Contains(a.body, []byte(`"timeline"`)) {
		t.Errorf("json: %d %.300s", a.status, a.body)
	}
}

func TestOrdersOfExportsAreReadStrictly(t *testing.T) {
	s, seal, _ := sealed(t)
	s.record("MK-2026-0001", opening())
	seal()
	for body, field := range map[string]string{
		`{"case":"MK-2026-0001","recipient":"` + strings.Repeat("x", 501) + `"}`: "recipient",
		`{"case":"../x","recipient":"x","justification":"x"}`:                    "case",
		order(`,"open":["everything"]`):                                          "open",
		order(`,"since":[0]`):                                                    "since",
		order(`,"encrypt":"age1nonsense"`):                                       "encrypt",
	} {
		p := decode[api.Problem](t, s.ask(http.MethodPost, "/v1/exports", body, "Content-Type", "application/json"), http.StatusBadRequest)
		if !strings.Contains(p.Field+p.Detail, field) {
			t.Errorf("%s: %+v, want %s", body, p, field)
		}
	}
}

func TestTheProofOfACase(t *testing.T) {
	s, seal, _ := sealed(t)
	problemIs(t, s.get("/v1/cases/MK-2026-0009/proof"), http.StatusNotFound, "not-found", "")
	s.record("MK-2026-0001", opening())
	n := seal()
	s.record("MK-2026-0001", notice("n-1"))
	p := read[evidence.Proof](s, "/v1/cases/MK-2026-0001/proof")
	if p.Size != n.Size || len(p.Entries) != 1 || p.Later != 1 || p.Checkpoint != string(n.Bytes()) {
		t.Errorf("proof %+v", p)
	}
	if bytes.Contains(s.get("/v1/cases/MK-2026-0001/proof").body, []byte("Goran")) {
		t.Error("the proof names the person")
	}
}
