package reactions

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections/timeline"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A letter says, most urgent first, what is to be done, by whom and by when; in each of the six languages.
func TestLettersReadAsInTheirGoldenFiles(t *testing.T) {
	at := time.Date(2026, 3, 10, 9, 15, 0, 0, time.UTC)
	id := func(n byte) uuid.UUID { return uuid.UUID{15: n} }
	list := notice{Changes: []change{
		{Alert: Alert{ID: id(1), State: DueSoon, Jurisdiction: "XK", Rule: "release-report", Duty: events.PrisonTreatment, DutyHolder: "xk-prison-dubrave", Severity: protocol.Medium, Due: "2026-03-16"}},
		{Alert: Alert{ID: id(2), State: Overdue, Jurisdiction: "MK", Rule: "report-breach", Duty: events.CSW, Severity: protocol.Critical, Escalation: 2, Due: "2026-03-09T22:30:00Z"}},
		{Alert: Alert{ID: id(3), State: Resolved, Jurisdiction: "MK", Rule: "a-rule-of-its-own", Duty: events.Probation, DutyHolder: "mk-probation-skopje", Severity: protocol.High, Due: "2026-03-02"}},
	}}
	list.sort()
	for _, l := range timeline.Languages() {
		subject, body := letter(&Settings{Page: "https://traga.example.org"}, protocol.NewBook(), l.Tag, list.Changes, at)
		got := subject + "\n\n" + body
		golden := filepath.Join("testdata", "letters", l.Tag+".txt")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || string(want) != got {
			t.Errorf("%s: %v; the letter reads\n%s", l.Tag, err, got)
		}
		if strings.ContainsAny(got, "{}") || strings.Contains(got, "[en]") {
			t.Errorf("%s: something is missing:\n%s", l.Tag, got)
		}
	}
}

// Every language has every text, with the same places to fill.
func TestEveryLanguageHasEveryText(t *testing.T) {
	places := func(s string) string {
		all := regexp.MustCompile(`\{\w+\}`).FindAllString(s, -1)
		slices.Sort(all)
		return strings.Join(all, "")
	}
	english := letterTexts()["en"]
	if len(english) < 25 {
		t.Fatalf("there are %d English texts", len(english))
	}
	for tag, texts := range letterTexts() {
		for key, text := range english {
			if texts[key] == "" || places(texts[key]) != places(text) {
				t.Errorf("%s: %s is %q, in English %q", tag, key, texts[key], text)
			}
		}
		if len(texts) != len(english) {
			t.Errorf("%s has %d texts, English %d", tag, len(texts), len(english))
		}
	}
}

// Whatever stands from one look to the next, who applies the notices one after the other knows what stands; and a look
// at what was told already tells nothing.
func TestTheNoticesTellWhatStands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		told := map[uuid.UUID]Alert{}
		for range rapid.IntRange(1, 6).Draw(t, "looks") {
			var now []Alert
			for i := range 5 {
				if a := rapid.IntRange(-1, 3).Draw(t, "alert"); a >= 0 {
					now = append(now, Alert{ID: uuid.UUID{byte(i)}, State: []State{DueSoon, Overdue}[a%2], Escalation: a / 2, Since: time.Unix(int64(rapid.IntRange(1, 3).Draw(t, "since")), 0)})
				}
			}
			n, err := changes(told, now, time.Unix(9, 0))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range n.Changes {
				if was, known := told[c.Alert.ID]; known != (c.Was != nil) || known && was != *c.Was {
					t.Fatalf("it was %v, and is told to have been %v", was, c.Was)
				}
				if c.Alert.State == Resolved {
					delete(told, c.Alert.ID)
				} else {
					told[c.Alert.ID] = c.Alert
				}
			}
			for _, a := range now {
				is := told[a.ID]
				if a.Since = is.Since; is != a {
					t.Fatalf("%v stands, and %v was told", a, is)
				}
			}
			if len(told) != len(now) {
				t.Fatalf("%d stand, %d were told", len(now), len(told))
			}
			if again, err := changes(told, now, time.Unix(10, 0)); err != nil || len(again.Changes) > 0 {
				t.Fatalf("told twice: %v", again)
			}
		}
	})
}

// What is wrong in the section is named, with what was expected.
func TestWrongSettingsAreNamed(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	const page = "page: https://traga.example.org\n"
	for section, want := range map[string]string{
		"colour: red": "can't be used: there is no setting colour",
		page + "webhooks: [{name: a, url: 'ftp://x', secret-file: " + secret + "}]":                                       "webhooks a: url: expected an address with http",
		page + "webhooks: [{name: a, url: 'https://u:p@x', secret-file: " + secret + "}]":                                 "without a password in it",
		page + "webhooks: [{name: a, url: 'https://x'}]":                                                                  "webhooks a: secret-file: expected",
		page + "webhooks: [{name: A B, url: 'https://x', secret-file: " + secret + "}]":                                   "webhook: name: expected small letters",
		page + "webhooks: [{name: a, url: 'https://x', secret-file: /nowhere}]":                                           "a file that is there",
		"webhooks: [{name: a, url: 'https://x', secret-file: " + secret + "}]":                                            "page: expected",
		page + "alertmanager: [{name: a, url: 'http://x'}, {name: a, url: 'http://y'}]":                                   "alertmanager a: name: expected a name that no other",
		page + "alertmanager: [{name: a, url: 'http://x', jurisdictions: [DE]}]":                                          "alertmanager a: jurisdictions: expected some of AL",
		page + "alertmanager: [{name: a, url: 'http://x', severities: [mild]}]":                                           "severities: expected some of critical",
		page + "alertmanager: [{name: a, url: 'http://x', states: [resolved]}]":                                           "states: expected due-soon or overdue",
		page + "mail: {server: smtp, from: a@b, recipients: []}":                                                          "mail: server: expected HOST:PORT",
		page + "mail: {server: 'smtp.example.org:25', tls: none, from: a@b, recipients: []}":                              "none is for a server on this machine only",
		page + "mail: {server: 'smtp.example.org:25', user: u, from: a@b, recipients: []}":                                "both user and password-file",
		page + "mail: {server: 'smtp.example.org:25', from: a@b, recipients: [{name: a, address: nobody, language: en}]}": "mail: recipient a: address",
		page + "mail: {server: 'smtp.example.org:25', from: a@b, recipients: [{name: a, address: a@b, language: fr}]}":    "mail: recipient a: language: expected one of en, mk",
		"feeds: [{name: f, url: 'nats://x', stream: 'a b', subject: s}]":                                                  "feeds f: stream",
		"feeds: [{name: f, url: 'nats://x', stream: A, subject: 's.>'}]":                                                  "feeds f: subject",
		"inbox: [{name: i, url: 'http://x', stream: A, subject: s, replies: r, institutions: [x]}]":                       "inbox i: url",
		"inbox: [{name: i, url: 'nats://x', stream: A, subject: s, replies: s, institutions: [x]}]":                       "inbox i: replies",
		"inbox: [{name: i, url: 'nats://x', stream: A, subject: s, replies: r}]":                                          "inbox i: institutions",
		"retry: {first: soon}": "`soon` is not the kind of value that is expected there",
		"retry: {first: -1s}":  "retry: expected durations",
	} {
		var node yaml.Node
		if err := yaml.Unmarshal([]byte(section), &node); err != nil {
			t.Fatal(err)
		}
		if _, err := ParseSettings(&node); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v, want %q", section, err, want)
		}
	}
}

// A file that is no journal of this version is refused, and left as it is.
func TestAFileThatIsNoJournalIsRefused(t *testing.T) {
	for _, content := range []string{"no database at all, but long enough to look at", strings.Repeat("x", 8192)} {
		dir := t.TempDir()
		path := filepath.Join(dir, JournalFile)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenJournal(t.Context(), dir, time.Now); err == nil {
			t.Error("it was opened")
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != content {
			t.Errorf("%v: it was changed", err)
		}
	}
	dir := t.TempDir()
	j, err := OpenJournal(t.Context(), dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(t.Context(), dir, time.Now); err == nil || !strings.Contains(err.Error(), "its format is 99") {
		t.Error(err)
	}
}
