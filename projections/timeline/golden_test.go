package timeline

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The JSON of every answer about one small, rich case: a corrected date, a notice acknowledged and one annulled, a
// consent, onward sharing recorded late, a conference with the sender and its health service, and clinical data
// given away, recalled and destroyed.
func TestGolden(t *testing.T) {
	const number = "MK-2026-0100"
	s := play(t, "rich")
	before, c := s.read(t, number, "2026-03-05T12:00:00+01:00"), s.read(t, number, "2026-04-08T12:00:00+02:00")
	verdicts, err := c.Safeguards(context.Background())
	must(t, err)
	explained, ok := c.Explain("acknowledge/n-1")
	if !ok {
		t.Fatal("no such obligation")
	}
	if _, ok := c.Explain("acknowledge/n-none"); ok {
		t.Error("an obligation that is not there was explained")
	}
	for _, text := range []*string{&explained.Period, &explained.Source, &explained.Explanation, &explained.Steps[0].Text} {
		if *text == "" {
			t.Error("a text of the explanation is missing")
		}
		*text = "in words" // which ones is the protocol's own matter
	}
	explained.Title = map[string]string{"en": "in words"}
	obligations := slices.DeleteFunc(c.Obligations(), func(o Obligation) bool {
		return o.Rule != "acknowledge" && o.Rule != "assessment" && o.Rule != "notify-csw"
	})
	for name, got := range map[string]any{
		"show": c.Show(), "show-before": before.Show(), "timeline": c.Timeline("en", Occurred), "timeline-recorded-mk": c.Timeline("mk", Recorded)[:6],
		"shares": c.Shares(), "shares-before": before.Shares(), "knows-csw": c.Knows("mk-csw-skopje"), "knows-ngo": c.Knows("mk-ngo-nov-pat"),
		"knows-nobody": c.Knows("mk-court-skopje"), "obligations": obligations, "explain": explained, "diff": c.Diff(before, "en"), "lanes": c.Lanes(verdicts),
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, got) })
	}
	var sentences []string
	for _, l := range Languages() {
		for _, e := range c.Timeline(l.Tag, Occurred) {
			sentences = append(sentences, l.Tag+"\t"+e.Summary)
		}
	}
	golden(t, "sentences", sentences)
}

func golden(t *testing.T, name string, got any) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".json")
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	must(t, enc.Encode(got))
	if *update {
		must(t, os.WriteFile(file, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if b.String() != string(want) {
		t.Errorf("%s is not what it was; go test -update writes it anew. Now:\n%s", file, b.String())
	}
}

// Every key of interfaces.md is in the JSON of every row, whatever the row has to say.
func TestEveryKeyIsThere(t *testing.T) {
	c := play(t, "rich").read(t, "MK-2026-0100", "")
	for _, want := range []struct {
		keys string
		rows any
	}{
		{"case jurisdiction status phase releaseDate releasedOn riskLevel group revision position asOf counts nextDue simulated", []Summary{c.Show()}},
		{"pending dueSoon overdue met metLate waived cancelled missed", []Counts{{}}},
		{"obligation due toward", []NextDue{{}}},
		{"obligation rule duty dutyHolder toward due state activatedBy fulfilledBy metOn compressed recordedLate breaches escalation waivedBy severity", c.Obligations()},
		{"revision position id type occurredAt recordedAt late actor from to categories purpose legalBasis consent override correctedBy annulledBy summary hash", c.Timeline("en", Occurred)},
		{"event type at recordedAt from to categories purpose legalBasis consent override acknowledgedAt recalledAt destroyedAt", c.Shares()},
		{"institution role officer", []Recipient{{}}},
		{"category since through", c.Knows("mk-csw-skopje")},
	} {
		b, err := json.Marshal(want.rows)
		must(t, err)
		var rows []map[string]json.RawMessage
		must(t, json.Unmarshal(b, &rows))
		if len(rows) == 0 {
			t.Errorf("no row with %s", want.keys)
		}
		for _, row := range rows {
			for key := range strings.FieldsSeq(want.keys) {
				if _, ok := row[key]; !ok {
					t.Errorf("%s is missing in %v", key, row)
				}
				if list := slices.Contains([]string{"group", "breaches", "to", "categories", "through"}, key); list && string(row[key]) == "null" {
					t.Errorf("%s is null, expected []", key)
				}
			}
		}
	}
}
