package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"

	"traga.internal/events"
	"traga.internal/events/ledger"
	"traga.internal/handlers/evidence"
)

// The pages of what can be proved: the latest checkpoint, a case's proof and its export, a bundle that is checked, and in
// the demonstration a copy that is tampered with.

const (
	maxUpload     = 32 << 20 // of a bundle
	maxSmallFile  = 1 << 20  // of a checkpoint or a policy
	maxExportForm = 64 << 10
)

// proofView is the page of the log's proof.
type proofView struct {
	Note      *ledger.Note // the latest checkpoint; nil before the first
	Text      string
	SignedAt  time.Time
	Witnesses []string
	Key       string // the log's; empty while its signer does not answer
	Checked   *checkedBundle
	Wrong     string // why a file can't be used
	Detail    string // in the words of what read it, in English
}

// checkedBundle is a verdict in words.
type checkedBundle struct{ *evidence.Checked }

// State is verified, unanchored or broken.
func (c *checkedBundle) State() string {
	switch c.ExitCode() {
	case 0:
		return "verified"
	case 3:
		return "unanchored"
	}
	return "broken"
}

func (s *site) proof(ctx context.Context, p *page) error {
	return s.showProof(ctx, p, &proofView{})
}

func (s *site) showProof(ctx context.Context, p *page, v *proofView) error {
	if !s.exports.Proves() {
		return &failure{status: http.StatusNotFound, message: "error.not-found"}
	}
	n, at, err := s.exports.Source.Checkpoint(ctx)
	if err != nil && !errors.Is(err, ledger.ErrNoCheckpoint) {
		return err
	}
	if n != nil {
		v.Note, v.Text, v.SignedAt = n, string(n.Bytes()), at
		for _, sig := range n.Signatures {
			if sig.Name != n.Origin {
				v.Witnesses = append(v.Witnesses, sig.Name)
			}
		}
	}
	if s.exports.Believed != nil {
		if policy, err := s.exports.Believed(ctx); err == nil && len(policy.Logs()) > 0 {
			v.Key = policy.Logs()[0].String()
		}
	}
	p.show("proof", p.T("proof.title"), "proof", v)
	return nil
}

// checkBundle checks the bundle that was sent. Nothing of it is kept, not even for a moment on disk.
func (s *site) checkBundle(ctx context.Context, p *page) error {
	v := &proofView{}
	refuse := func(wrong, detail string) error {
		v.Wrong, v.Detail = wrong, detail
		err := s.showProof(ctx, p, v)
		p.status = http.StatusBadRequest
		return err
	}
	files, err := readUpload(p.request)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large), errors.Is(err, errLargeFile):
		return refuse(p.T("proof.too-large"), "")
	case err != nil:
		return refuse(p.T("proof.no-file"), "")
	case len(files["bundle"]) == 0:
		return refuse(p.T("proof.no-file"), "")
	}
	var trust ledger.Trust
	if b := files["pinned"]; len(b) > 0 {
		if trust.Pinned, err = ledger.ParseNote(b); err != nil {
			return refuse(p.T("proof.unreadable"), err.Error())
		}
	}
	if b := files["policy"]; len(b) > 0 {
		if trust.Policy, err = ledger.ParsePolicy(b); err != nil {
			return refuse(p.T("proof.unreadable"), err.Error())
		}
	}
	if v.Checked, err = s.verify(ctx, files["bundle"], trust); err != nil {
		return err
	}
	return s.showProof(ctx, p, v)
}

// verify checks a bundle against what its reader brings, or else this log's own record.
func (s *site) verify(ctx context.Context, bundle []byte, trust ledger.Trust) (*checkedBundle, error) {
	checked, err := s.exports.Check(ctx, bundle, trust)
	if err != nil {
		return nil, err
	}
	return &checkedBundle{checked}, nil
}

// errLargeFile: a file of the form is larger than is taken.
var errLargeFile = errors.New("a file is too large")

// readUpload reads the files of a form into memory.
func readUpload(r *http.Request) (map[string][]byte, error) {
	r.Body = http.MaxBytesReader(nil, r.Body, maxUpload+2*maxSmallFile)
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		limit := int64(maxSmallFile)
		if part.FormName() == "bundle" {
			limit = maxUpload
		}
		b, err := readPart(part, limit)
		if err != nil {
			return nil, err
		}
		files[part.FormName()] = b
	}
}

func readPart(part *multipart.Part, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(part, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = errLargeFile
	}
	if err != nil {
		return nil, fmt.Errorf("read a file of the form: %w", err)
	}
	return b, nil
}

// caseProofView is the page of a case's proof.
type caseProofView struct {
	*evidence.Proof
	None       bool // nothing of the case is sealed yet
	Categories []events.Category
	Wrong      string
	Tampered   *tampered
	Recipient  string
	Why        string
}

// tampered is a copy of a bundle that was altered, with what the verifier says of both.
type tampered struct {
	evidence.Alteration
	Honest, Altered *checkedBundle
}

func (s *site) caseProof(ctx context.Context, p *page) error {
	return s.showCaseProof(ctx, p, &caseProofView{})
}

func (s *site) showCaseProof(ctx context.Context, p *page, v *caseProofView) error {
	if !s.exports.Proves() {
		return &failure{status: http.StatusNotFound, message: "error.not-found"}
	}
	look, err := p.look(ctx, "proof")
	if err != nil {
		return err
	}
	c, err := s.desk.Case(ctx, look)
	if err != nil {
		return err
	}
	p.sight = c.Sight()
	v.Proof, err = s.exports.Source.Prove(ctx, look.Case, c.Sight())
	switch {
	case errors.Is(err, evidence.ErrNotWhole):
		return notWhole()
	case errors.Is(err, evidence.ErrNoSuchCase), errors.Is(err, ledger.ErrNoCheckpoint):
		v.None, v.Proof = true, &evidence.Proof{Case: look.Case}
	case err != nil:
		return err
	}
	v.Categories = events.Categories()
	if v.Why == "" {
		v.Why = p.reason.Justification
	}
	p.show("caseproof", p.T("proof.case", look.Case), "cases", v)
	return nil
}

func notWhole() error { return &failure{status: http.StatusForbidden, message: "error.not-whole"} }

// export sends a bundle of the case.
func (s *site) export(ctx context.Context, p *page) error {
	if !s.exports.Proves() {
		return &failure{status: http.StatusNotFound, message: "error.not-found"}
	}
	p.request.Body = http.MaxBytesReader(nil, p.request.Body, maxExportForm)
	if err := p.request.ParseForm(); err != nil {
		return &failure{status: http.StatusBadRequest, message: "proof.export.fields"}
	}
	form := p.request.PostForm
	p.readReason(ctx)
	order := evidence.Order{Case: p.request.PathValue("n"), Format: evidence.FormatBundle, Recipient: form.Get("recipient"), Justification: form.Get("justification"),
		Encrypt: form.Get("encrypt"), Lang: p.Language()}
	for _, c := range form["open"] {
		order.Open = append(order.Open, events.Category(c))
	}
	var (
		f     *evidence.File
		err   error = &events.FieldError{Field: "recipient"} // on a page both are asked for
		field *events.FieldError
	)
	if strings.TrimSpace(order.Recipient) != "" && strings.TrimSpace(order.Justification) != "" {
		f, err = s.exports.Export(ctx, order, p.reason)
	}
	switch {
	case errors.Is(err, evidence.ErrNotWhole):
		return notWhole()
	case errors.As(err, &field) && field.Field != "case":
		v := &caseProofView{Wrong: p.T("proof.export.fields"), Recipient: order.Recipient, Why: order.Justification}
		if field.Field == "encrypt" {
			v.Wrong = p.T("proof.age.wrong")
		}
		err := s.showCaseProof(ctx, p, v)
		p.status = http.StatusBadRequest
		return err
	case err != nil:
		return err
	}
	p.file = f
	return nil
}

// tamper alters a copy of the case's bundle, and shows what the verifier says of it. It is for the demonstration.
func (s *site) tamper(ctx context.Context, p *page) error {
	if s.demo == "" || !s.exports.Proves() {
		return &failure{status: http.StatusNotFound, message: "error.not-found"}
	}
	look, err := p.look(ctx, "proof")
	if err != nil {
		return err
	}
	c, err := s.desk.Case(ctx, look)
	if p.mustSayWhy(err) {
		p.leadTo = p.Case(look.Case) // where they are asked; they come back by its links
		return nil
	}
	if err != nil {
		return err
	}
	made, err := s.exports.Source.Make(ctx, evidence.Request{Case: look.Case, Sight: c.Sight()})
	switch {
	case errors.Is(err, evidence.ErrNotWhole):
		return notWhole()
	case errors.Is(err, evidence.ErrNoSuchCase), errors.Is(err, ledger.ErrNoCheckpoint):
		return s.showCaseProof(ctx, p, &caseProofView{})
	case err != nil:
		return err
	}
	altered, what, err := evidence.Tamper(made.Bundle)
	if err != nil {
		return err
	}
	t := &tampered{Alteration: what}
	if t.Honest, err = s.verify(ctx, made.Bundle, ledger.Trust{}); err != nil {
		return err
	}
	if t.Altered, err = s.verify(ctx, altered, ledger.Trust{}); err != nil {
		return err
	}
	return s.showCaseProof(ctx, p, &caseProofView{Tampered: t})
}

// ProofPath is the path of the page of the case's proof; empty where there is none.
func (p *page) ProofPath() string {
	if !p.site.exports.Proves() || p.Confidential() {
		return ""
	}
	return "/cases/" + url.PathEscape(p.request.PathValue("n")) + "/proof"
}

// Stamp is an instant in the local time of the case, as plain text.
func (p *page) Stamp(t time.Time) string { return t.In(p.zone).Format("2006-01-02 15:04") }

// Proves reports whether there is a page of the log's proof.
func (p *page) Proves() bool { return p.site.exports.Proves() }
