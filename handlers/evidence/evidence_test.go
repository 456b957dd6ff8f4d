package evidence_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"

	"traga.internal/aggregates/access"
	"traga.internal/aggregates/history"
	"traga.internal/events"
	"traga.internal/events/ledger"
	"traga.internal/events/sqlitestore"
	"traga.internal/events/vault"
	"traga.internal/handlers/evidence"
	"traga.internal/handlers/sealing"
)

// place is a store on disk with its keys, as serve has them, on a clock that a test moves.
type place struct {
	t         testing.TB
	dir, keys string
	store     *sqlitestore.Store
	vault     *vault.Vault
	log       *vault.Store
	signer    *sealing.LocalSigner
	sealer    *sealing.Sealer
	witness   *ledger.Cosigner
	now       time.Time
}

const (
	first  = "MK-2026-0001"
	second = "MK-2026-0002" // of the same person
)

func newPlace(t testing.TB) *place {
	p := &place{t: t, dir: filepath.Join(t.TempDir(), "store"), now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	p.keys = p.dir + ".keys"
	var err error
	if p.witness, _, err = ledger.GenerateCosigner(rand.Reader, "ombudsman.example.org"); err != nil {
		t.Fatal(err)
	}
	p.open()
	t.Cleanup(p.close)
	return p
}

func (p *place) clock() time.Time { return p.now }

func (p *place) open() {
	p.t.Helper()
	var err error
	if p.store, err = sqlitestore.Open(p.t.Context(), p.dir, sqlitestore.WithClock(p.clock)); err != nil {
		p.t.Fatal(err)
	}
	if p.vault, err = vault.Open(p.t.Context(), p.keys, nil, vault.WithClock(p.clock)); err != nil {
		p.t.Fatal(err)
	}
	p.log = p.vault.Wrap(p.store)
	if p.signer, err = sealing.MakeSigner(p.keys); err != nil {
		p.t.Fatal(err)
	}
	p.sealer = sealing.New(p.ledger(), p.signer, sealing.WithClock(p.clock))
}

func (p *place) close() {
	if err := errors.Join(p.log.Close(), p.vault.Close()); err != nil {
		p.t.Error(err)
	}
}

func (p *place) ledger() *sqlitestore.Ledger {
	l, err := p.store.Ledger()
	if err != nil {
		p.t.Fatal(err)
	}
	return l
}

func (p *place) source() *evidence.Source {
	return &evidence.Source{Ledger: p.ledger(), Log: p.log, Opener: p.vault}
}

// records appends an event of a case a minute later, and seals if asked to.
func (p *place) records(number string, data any) uuid.UUID {
	p.t.Helper()
	p.now = p.now.Add(time.Minute)
	e := &events.Event{ID: uuid.New(), Type: reflect.TypeOf(data).Elem().Name(), Case: number, OccurredAt: p.now.Add(-time.Hour),
		Actor: events.Actor{Officer: "a.petrova", Role: events.PrisonTreatment, Institution: "mk-prison-idrizovo"}, Data: data}
	proposed, err := events.Encode(e)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.log.Append(p.t.Context(), events.CaseStream(number), events.Any, proposed); err != nil {
		p.t.Fatal(err)
	}
	return e.ID
}

// seals has a checkpoint signed, and cosigned if asked to.
func (p *place) seals(cosigned bool) *ledger.Note {
	p.t.Helper()
	p.now = p.now.Add(time.Second)
	if _, err := p.sealer.Seal(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	c, _, err := p.ledger().CheckpointUpTo(p.t.Context(), ledger.MaxSize, false)
	if err != nil {
		p.t.Fatal(err)
	}
	n, err := ledger.ParseNote(c.Note)
	if err != nil {
		p.t.Fatal(err)
	}
	if cosigned {
		s := p.witness.Cosign(n.Checkpoint, p.now)
		if err := p.ledger().AddCosignature(p.t.Context(), n.Checkpoint, s, p.now); err != nil {
			p.t.Fatal(err)
		}
		n = n.With(s)
	}
	return n
}

// policy believes the log, with a quorum of the one witness if asked to.
func (p *place) policy(quorum bool) *ledger.Policy {
	p.t.Helper()
	key, err := p.signer.Key(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	name := "none"
	if quorum {
		name = "W"
	}
	policy, err := ledger.ParsePolicy(fmt.Appendf(nil, "log %s\nwitness W %s\nquorum %s\n", key, p.witness.Key(), name))
	if err != nil {
		p.t.Fatal(err)
	}
	return policy
}

func opened(subject string) *events.CaseOpened {
	return &events.CaseOpened{Subject: subject, Name: "MARKER name", DateOfBirth: events.DateOf(1990, 1, 1), Sex: "male", Reason: "convicted",
		Institution: "mk-prison-idrizovo", AdmittedOn: events.DateOf(2026, 1, 12)}
}

func level(to string) *events.RiskLevelChanged {
	return &events.RiskLevelChanged{From: "low", To: to, Reasons: []string{"MARKER reason"}, Indicators: []string{}, Decider: "d", ReviewBy: events.DateOf(2026, 6, 1)}
}

// told has two cases of a person under three checkpoints; the first two are cosigned.
func told(t testing.TB) (p *place, pinned *ledger.Note) {
	p = newPlace(t)
	p.records(first, opened("s-1"))
	p.records(second, opened("s-1"))
	pinned = p.seals(true)
	p.records(first, level("high"))
	p.records("MK-2026-0003", opened("s-2"))
	p.seals(true)
	p.records(first, level("medium"))
	p.seals(false)
	return p, pinned
}

func (p *place) makes(r evidence.Request) *evidence.Made {
	p.t.Helper()
	made, err := p.source().Make(p.t.Context(), r)
	if err != nil {
		p.t.Fatal(err)
	}
	return made
}

func all() []events.Category { return events.Categories() }

func TestABundleOfARealStoreVerifies(t *testing.T) {
	p, pinned := told(t)
	made := p.makes(evidence.Request{Case: first, Open: all()})
	trust := ledger.Trust{Pinned: pinned, Policy: p.policy(false)}
	v := ledger.Verify(made.Bundle, trust)
	if !v.OK || !strings.HasPrefix(v.Line(), "VERIFIED case=MK-2026-0001 rev 0–2 at size 8; pinned 3; witnesses 0/1; 0 fields erased") {
		t.Fatal(v.Line())
	}
	if made.Events != 3 || made.Later != 0 || made.Opened == 0 || made.Closed != 0 || v.Withheld != 0 {
		t.Errorf("made %+v, withheld %d", *made, v.Withheld)
	}
	if !bytes.Contains(v.Entries[0].Data, []byte(`"name":"MARKER name"`)) || !bytes.Contains(v.Entries[1].Data, []byte(`"to":"high"`)) {
		t.Errorf("the opened fields are not there: %s %s", v.Entries[0].Data, v.Entries[1].Data)
	}
	// Any earlier checkpoint can be the pinned one, and another with its own proof.
	for _, size := range []int64{1, 2, 5} {
		old, err := p.ledger().TreeAt(t.Context(), size)
		if err != nil {
			t.Fatal(err)
		}
		pinned := &ledger.Note{Checkpoint: ledger.Checkpoint{Origin: pinned.Origin, Tree: old}}
		made := p.makes(evidence.Request{Case: first, Since: []int64{size}})
		if v := ledger.Verify(made.Bundle, ledger.Trust{Pinned: pinned}); v.ExitCode() != 3 {
			t.Errorf("pinned %d: %s", size, v.Line())
		}
	}
}

func TestNothingProtectedIsInABundleThatOpensNothing(t *testing.T) {
	p, pinned := told(t)
	made := p.makes(evidence.Request{Case: first, Open: []events.Category{events.Risk}})
	if bytes.Contains(made.Bundle, []byte("MARKER name")) {
		t.Error("the name is in the bundle")
	}
	if !bytes.Contains(made.Bundle, []byte(`"high"`)) {
		t.Error("the level, which was asked for, is not")
	}
	v := ledger.Verify(made.Bundle, ledger.Trust{Pinned: pinned, Policy: p.policy(false)})
	if !v.OK || v.Withheld == 0 || v.Withheld != made.Closed {
		t.Errorf("%s, %d closed", v.Line(), made.Closed)
	}
	// Without the keys nothing can be opened, and all is proved.
	s := p.source()
	s.Opener = nil
	made, err := s.Make(t.Context(), evidence.Request{Case: first, Open: all()})
	if err != nil {
		t.Fatal(err)
	}
	if v := ledger.Verify(made.Bundle, ledger.Trust{Pinned: pinned, Policy: p.policy(false)}); !v.OK || bytes.Contains(made.Bundle, []byte("MARKER")) {
		t.Errorf("without keys: %s", v.Line())
	}
}

// sight is what an office may see of a case, by the shipped policies.
func (p *place) sight(number string, a events.Actor) *access.Decision {
	p.t.Helper()
	h := &history.History{}
	for r, err := range p.log.ReadStream(p.t.Context(), events.CaseStream(number), 0) {
		if err != nil {
			p.t.Fatal(err)
		}
		e, err := events.Decode(&r)
		if err != nil {
			p.t.Fatal(err)
		}
		h.Evolve(e)
	}
	d := access.Shipped().Decide(access.Viewer{Actor: a}, access.CaseOf(h), p.now)
	return &d
}

func TestABundleOpensOnlyWhatItsReaderMaySee(t *testing.T) {
	p, pinned := told(t)
	trust := ledger.Trust{Pinned: pinned, Policy: p.policy(false)}
	for _, c := range []struct {
		role        events.Role
		institution events.Institution
		holds       []string
		lacks       []string
		err         error
	}{
		{events.Ombudsman, "mk-ombudsman", []string{"MARKER name", `"high"`, "MARKER reason"}, nil, nil},
		{events.DataProtection, "mk-azlp", nil, []string{"MARKER", `"high"`, "1990-01-01"}, nil}, // envelopes
		{events.PrisonSecurity, "mk-prison-idrizovo", nil, nil, evidence.ErrNotWhole},            // may not know of the monitor
	} {
		sight := p.sight(first, events.Actor{Officer: "x", Role: c.role, Institution: c.institution})
		made, err := p.source().Make(t.Context(), evidence.Request{Case: first, Open: all(), Sight: sight})
		if c.err != nil || err != nil {
			if !errors.Is(err, c.err) {
				t.Errorf("%s: %v, want %v", c.role, err, c.err)
			}
			continue
		}
		v := ledger.Verify(made.Bundle, trust)
		if !v.OK {
			t.Errorf("%s: %s", c.role, v.Line())
		}
		for _, text := range c.holds {
			if !bytes.Contains(made.Bundle, []byte(text)) {
				t.Errorf("%s does not see %s", c.role, text)
			}
		}
		for _, text := range c.lacks {
			if bytes.Contains(made.Bundle, []byte(text)) {
				t.Errorf("%s sees %s", c.role, text)
			}
		}
	}
}

func TestErasedFieldsAreProvedByTheirReceiptElsewhere(t *testing.T) {
	p, pinned := told(t)
	trust := ledger.Trust{Pinned: pinned, Policy: p.policy(false)}
	request := uuid.New()
	receipt := vault.ReceiptOf(request)
	keys, err := p.log.Erase(t.Context(), events.CaseStream(second), vault.ThePerson, receipt)
	if err != nil {
		t.Fatal(err)
	}
	// The keys are gone and nobody has said so yet: the fields are neither shown nor said to be erased.
	before := p.makes(evidence.Request{Case: first, Open: all()})
	if v := ledger.Verify(before.Bundle, trust); !v.OK || v.Erased != 0 || v.Withheld == 0 {
		t.Errorf("before the receipt: %s", v.Line())
	}
	p.now = p.now.Add(time.Minute)
	e := &events.Event{ID: receipt, Type: "PersonalDataErased", Case: second, OccurredAt: p.now, Actor: events.Actor{Officer: "traga", Role: events.System},
		Data: &events.PersonalDataErased{Erasure: "e-1", Keys: len(keys), KeyIDs: keys}}
	proposed, err := events.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.log.Append(t.Context(), events.CaseStream(second), events.Any, proposed); err != nil {
		t.Fatal(err)
	}
	p.seals(false)
	for _, number := range []string{first, second} {
		made := p.makes(evidence.Request{Case: number, Open: all()})
		v := ledger.Verify(made.Bundle, trust)
		if !v.OK || v.Erased == 0 || v.Withheld != 0 || bytes.Contains(made.Bundle, []byte("MARKER name")) {
			t.Errorf("%s: %s", number, v.Line())
		}
		// Which other case the person has stands nowhere.
		if other := first + second; bytes.Contains(made.Bundle, []byte(strings.Replace(other, number, "", 1))) {
			t.Errorf("the bundle of %s names the other case", number)
		}
	}
}

// TestOneSourceServesAGrowingLog: the map of heads that it keeps follows the log, and is made anew for an older size.
func TestOneSourceServesAGrowingLog(t *testing.T) {
	p, pinned := told(t)
	trust := ledger.Trust{Pinned: pinned, Policy: p.policy(false)}
	s := p.source()
	for i := range 5 {
		p.records(fmt.Sprintf("MK-2026-1%03d", i), opened("s-9"))
		p.records(first, level("high"))
		p.seals(false)
		for _, number := range []string{first, second} {
			made, err := s.Make(t.Context(), evidence.Request{Case: number})
			if err != nil {
				t.Fatal(err)
			}
			if v := ledger.Verify(made.Bundle, trust); !v.OK {
				t.Errorf("round %d: %s", i, v.Line())
			}
		}
	}
}

func TestWhatIsNotSealedYetIsSaid(t *testing.T) {
	p := newPlace(t)
	_, err := p.source().Make(t.Context(), evidence.Request{Case: first})
	if !errors.Is(err, ledger.ErrNoCheckpoint) {
		t.Errorf("an empty store: %v", err)
	}
	p.records(first, opened("s-1"))
	p.seals(false)
	p.records(first, level("high"))
	p.records(second, opened("s-1"))
	if made := p.makes(evidence.Request{Case: first}); made.Events != 1 || made.Later != 1 {
		t.Errorf("made %+v", *made)
	}
	if _, err := p.source().Make(t.Context(), evidence.Request{Case: second}); !errors.Is(err, evidence.ErrNoSuchCase) {
		t.Errorf("not sealed yet: %v", err)
	}
	var field *events.FieldError
	if _, err := p.source().Make(t.Context(), evidence.Request{Case: "../etc"}); !errors.As(err, &field) {
		t.Errorf("no case number: %v", err)
	}
}

func TestTheProofOfACaseTellsNothingOfIt(t *testing.T) {
	p, _ := told(t)
	proof, err := p.source().Prove(t.Context(), first, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(proof.Entries) != 3 || proof.Revision != 2 || proof.Size != 8 || proof.Entries[1].Index != 3 || proof.Head.Streams != 3 {
		t.Errorf("proof %+v", proof)
	}
	if text := fmt.Sprintf("%+v", *proof); strings.Contains(text, "MARKER") || strings.Contains(text, "high") {
		t.Errorf("it tells: %s", text)
	}
}

func TestABundleIsEncryptedToItsReader(t *testing.T) {
	reader, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	plain := []byte("a bundle")
	secret, err := evidence.Encrypt(plain, reader.Recipient().String())
	if err != nil || bytes.Contains(secret, plain) || !evidence.IsEncrypted(secret) || evidence.IsEncrypted(plain) {
		t.Fatalf("%q, %v", secret, err)
	}
	got, err := evidence.Decrypt(secret, strings.NewReader("# mine\n"+reader.String()+"\n"))
	if err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := evidence.Decrypt(secret, strings.NewReader(stranger.String())); !errors.Is(err, ledger.ErrFormat) {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := evidence.Decrypt(secret, strings.NewReader("AGE-SECRET-KEY-NONSENSE")); !errors.Is(err, evidence.ErrKey) || strings.Contains(err.Error(), "NONSENSE") {
		t.Errorf("no key: %v", err)
	}
	secret[len(secret)-1] ^= 1
	if _, err := evidence.Decrypt(secret, strings.NewReader(reader.String())); !errors.Is(err, ledger.ErrFormat) {
		t.Errorf("altered: %v", err)
	}
	if _, err := evidence.Encrypt(plain, "age1nobody"); !errors.Is(err, evidence.ErrKey) {
		t.Errorf("nobody: %v", err)
	}
}

// TestTheForgersCopyIsNamed: what the demonstration shows.
func TestTheForgersCopyIsNamed(t *testing.T) {
	p, pinned := told(t)
	made := p.makes(evidence.Request{Case: first})
	altered, what, err := evidence.Tamper(made.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	if what.Revision != 2 || what.Before.Sub(what.After) != 24*time.Hour {
		t.Errorf("altered %+v", what)
	}
	v := ledger.Verify(altered, ledger.Trust{Pinned: pinned, Policy: p.policy(false)})
	if v.OK || v.Problems[0].Code != ledger.CodePayload || !strings.HasPrefix(v.Problems[0].Place, "revision 2 (RiskLevelChanged") {
		t.Errorf("the verifier says %s", v.Line())
	}
}
