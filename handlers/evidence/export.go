package evidence

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"traga.internal/events"
	"traga.internal/events/ledger"
	"traga.internal/handlers/auth"
	"traga.internal/handlers/consult"
	"traga.internal/projections/timeline"
)

// The formats of an export.
const (
	FormatBundle = "bundle" // an evidence bundle
	FormatJSON   = "json"   // where the case stands, its timeline, shares and duties
)

// Order is an export that someone asks for. Its JSON is the body of POST /v1/exports.
type Order struct {
	Case          string            `json:"case" doc:"the case number" example:"MK-2026-0001"`
	Format        string            `json:"format,omitempty" enum:"bundle,json" default:"bundle" doc:"an evidence bundle, or the case as JSON"`
	Open          []events.Category `json:"open,omitempty" nullable:"false" doc:"of a bundle: the categories whose protected fields are opened, as far as the one who asks may see them; the others stay sealed"`
	Since         []int64           `json:"since,omitempty" nullable:"false" doc:"of a bundle: sizes of older checkpoints that its reader has; recent ones are always provided for"`
	Recipient     string            `json:"recipient,omitempty" doc:"for whom the export is, for the access log; the one who asks when left out"`
	Justification string            `json:"justification,omitempty" doc:"why, for the access log (HR02); what Traga-Justification says when left out"`
	Encrypt       string            `json:"encrypt,omitempty" doc:"an age recipient (age1…): the file is encrypted to it"`
	Lang          string            `json:"lang,omitempty" doc:"of JSON: the language of the sentences"`
}

const (
	maxSince = 100
	maxWords = 500 // characters of recipient and justification
)

func (o *Order) check() error {
	if _, err := events.ParseCase(o.Case); err != nil {
		return err
	}
	if o.Format == "" {
		o.Format = FormatBundle
	}
	if o.Format != FormatBundle && o.Format != FormatJSON {
		return &events.FieldError{Field: "format", Expected: "bundle or json", Got: "another text"}
	}
	for name, text := range map[string]string{"recipient": o.Recipient, "justification": o.Justification} {
		if len([]rune(text)) > maxWords {
			return &events.FieldError{Field: name, Expected: fmt.Sprintf("at most %d characters: an export is put on record with it", maxWords)}
		}
	}
	for _, c := range o.Open {
		if !slices.Contains(events.Categories(), c) {
			return &events.FieldError{Field: "open", Expected: "categories such as risk", Got: "another text"}
		}
	}
	if len(o.Since) > maxSince {
		return &events.FieldError{Field: "since", Expected: fmt.Sprintf("at most %d sizes", maxSince)}
	}
	for _, size := range o.Since {
		if size < 1 || size > ledger.MaxSize {
			return &events.FieldError{Field: "since", Expected: "sizes of older checkpoints, such as 18000"}
		}
	}
	return nil
}

// File is a finished export.
type File struct {
	Name      string // fit for a download; it holds the case number, which its reader knows
	MediaType string
	Content   []byte
}

// Exporter makes exports for those who ask a running traga: masked for the one who asks, and on record before a byte leaves.
type Exporter struct {
	Desk   *consult.Desk
	Source *Source // nil where the store has no ledger; then there are no bundles
	// Believed is the policy of this log, by which a bundle is checked whose reader brings none; nil where there is none.
	Believed func(context.Context) (*ledger.Policy, error)
}

// Proves reports whether there are proofs and bundles.
func (x *Exporter) Proves() bool { return x != nil && x.Source != nil }

// Checked is the verdict on a bundle that was sent to be checked.
type Checked struct {
	*ledger.Verdict
	Own bool // it was held against this log's own record
}

// Check checks a bundle. What its reader does not bring along is this log's own: its policy, and its checkpoint of the
// bundle's size. Nothing of the bundle is kept.
func (x *Exporter) Check(ctx context.Context, bundle []byte, trust ledger.Trust) (*Checked, error) {
	const doing = "check a bundle"
	if trust.Policy == nil && x.Believed != nil {
		var err error
		if trust.Policy, err = x.Believed(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", doing, err)
		}
	}
	checked := &Checked{}
	if trust.Pinned == nil && x.Source != nil {
		size := ledger.Verify(bundle, ledger.Trust{}).Size
		n, err := x.Source.CheckpointOf(ctx, size)
		if err != nil && !errors.Is(err, ledger.ErrNoCheckpoint) {
			return nil, fmt.Errorf("%s: %w", doing, err)
		}
		trust.Pinned, checked.Own = n, n != nil
	}
	checked.Verdict = ledger.Verify(bundle, trust)
	return checked, nil
}

// Export makes the file. stated is why the one who asks looks, as they said it; the order's own justification counts before
// it. It fails with a *events.FieldError for an order that is not as it should be, as Desk.Case and Make
// do, and with ledger.ErrNoCheckpoint where there is no ledger.
func (x *Exporter) Export(ctx context.Context, o Order, stated consult.Reason) (*File, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	who, _ := auth.IdentityOf(ctx) // without one the desk refuses
	o.Recipient = cmp.Or(strings.TrimSpace(o.Recipient), who.Actor.Officer+", "+string(who.Actor.Institution))
	reason := consult.Reason{Justification: cmp.Or(strings.TrimSpace(o.Justification), stated.Justification), Purpose: stated.Purpose}
	c, err := x.Desk.Case(ctx, consult.Look{Case: o.Case, View: "export", Reason: reason})
	if err != nil {
		return nil, err
	}
	f, err := x.file(ctx, o, c)
	if err != nil {
		return nil, err
	}
	if o.Encrypt != "" {
		if f.Content, err = Encrypt(f.Content, o.Encrypt); err != nil {
			return nil, &events.FieldError{Field: "encrypt", Expected: "an age recipient, which begins with age1"}
		}
		f.Name, f.MediaType = f.Name+".age", "application/octet-stream"
	}
	digest := sha256.Sum256(f.Content)
	export := events.ExportProduced{Format: o.Format, Recipient: o.Recipient, Justification: cmp.Or(reason.Justification, "none stated"), Digest: hex.EncodeToString(digest[:])}
	return f, x.Desk.Exported(ctx, o.Case, export, reason)
}

func (x *Exporter) file(ctx context.Context, o Order, c *timeline.Case) (*File, error) {
	if o.Format == FormatJSON {
		content, err := CaseJSON(c, o.Lang)
		return &File{Name: o.Case + ".json", MediaType: "application/json", Content: content}, err
	}
	if x.Source == nil {
		return nil, ledger.ErrNoCheckpoint
	}
	made, err := x.Source.Make(ctx, Request{Case: o.Case, Since: o.Since, Open: o.Open, Sight: c.Sight()})
	if err != nil {
		return nil, err
	}
	return &File{Name: o.Case + ".bundle.zip", MediaType: "application/zip", Content: made.Bundle}, nil
}

// kosovo is the footnote wherever Kosovo* is named.
const kosovo = "Kosovo*: This designation is without prejudice to positions on status, and is in line with UNSCR 1244 and the ICJ Opinion on the Kosovo Declaration of Independence."

// CaseJSON is a case as one JSON document, from the answers that the API gives about it, as its reader may see them.
func CaseJSON(c *timeline.Case, lang string) ([]byte, error) {
	note := ""
	if c.Jurisdiction() == "XK" {
		note = kosovo
	}
	b, err := json.MarshalIndent(struct {
		Case        string                `json:"case"`
		Note        string                `json:"note,omitempty"`
		Show        timeline.Summary      `json:"show"`
		Timeline    []timeline.Entry      `json:"timeline"`
		Shares      []timeline.Share      `json:"shares"`
		Obligations []timeline.Obligation `json:"obligations"`
	}{c.Number(), note, c.Show(), c.Timeline(lang, timeline.Recorded), c.Shares(), c.Obligations()}, "", "  ")
	return append(b, '\n'), err
}
