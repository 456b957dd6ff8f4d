package accesslog_test

import (
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/projections"
	"traga.internal/projections/accesslog"
)

// world is a log to which looks are recorded.
type world struct {
	store *memstore.Store
	now   time.Time
}

func newWorld(t interface{ Cleanup(func()) }) *world {
	w := &world{now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	w.store = memstore.New(func() time.Time { return w.now })
	t.Cleanup(func() { w.store.Close() })
	return w
}

var (
	ombudsman = events.Actor{Officer: "o.ombud", Role: events.Ombudsman, Institution: "mk-ombudsman"}
	owner     = events.Actor{Officer: "owner", Role: events.System, Institution: "traga"}
)

// look records one a minute later.
func (w *world) look(t rapid.TB, who events.Actor, number string, data any) {
	w.now = w.now.Add(time.Minute)
	name := fmt.Sprintf("%T", data)
	p, err := events.Encode(&events.Event{ID: events.DeriveID(w.now.String()), Case: number, Type: name[strings.LastIndex(name, ".")+1:], OccurredAt: w.now,
		Actor: who, Purpose: "oversight", Data: data})
	if err == nil {
		_, err = w.store.Append(context.Background(), events.AccessStream(number), events.Any, p)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) engine(t rapid.TB, dir string) *projections.Engine {
	e, err := projections.Latest(context.Background(), dir, w.store, protocol.NewBook(), []projections.Projection{accesslog.Projection()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWhoLookedIsToldByCaseByOfficerAndByTime(t *testing.T) {
	w := newWorld(t)
	consulted := &events.CaseConsulted{View: "timeline", Justification: "yearly review", Policy: []string{"ombudsman-identity"}}
	w.look(t, ombudsman, "MK-2026-0001", consulted)
	w.look(t, events.Actor{Officer: "p.police", Role: events.Police, Institution: "mk-police"}, "MK-2026-0001", &events.AccessDenied{View: "shares", Policy: []string{"not-involved"}})
	between := w.now.Add(time.Second)
	w.look(t, ombudsman, "RS-2026-0001", &events.ExportProduced{Format: "bundle", Recipient: "court", Justification: "court order", Digest: "abc"})
	w.look(t, owner, "", &events.CaseConsulted{View: "alerts state=overdue"}) // a list, by the machine's owner
	e := w.engine(t, t.TempDir())
	defer e.Close()
	told := func(q accesslog.Query) string {
		list, _, err := accesslog.List(t.Context(), e, q)
		if err != nil {
			t.Fatal(err)
		}
		var words []string
		for _, n := range list {
			words = append(words, string(n.Kind)+" "+n.Case+" "+n.Actor.Officer)
		}
		return strings.Join(words, ", ")
	}
	const first, second, third, fourth = "consulted MK-2026-0001 o.ombud", "denied MK-2026-0001 p.police", "exported RS-2026-0001 o.ombud", "consulted  owner"
	for _, c := range []struct {
		q    accesslog.Query
		then []string
	}{
		{accesslog.Query{}, []string{fourth, third, second, first}},
		{accesslog.Query{Case: "MK-2026-0001"}, []string{second, first}},
		{accesslog.Query{Officer: " O.Ombud"}, []string{third, first}},
		{accesslog.Query{Institution: "mk-police"}, []string{second}},
		{accesslog.Query{Jurisdiction: "RS"}, []string{third}},
		{accesslog.Query{Kind: accesslog.Denied}, []string{second}},
		{accesslog.Query{From: between}, []string{fourth, third}},
		{accesslog.Query{Until: between}, []string{second, first}},
		{accesslog.Query{AsOf: events.AsOf{Instant: between}}, []string{second, first}},
		{accesslog.Query{Officer: "o.ombud", AsOf: events.AsOf{Position: events.At(3)}}, []string{third, first}},
		{accesslog.Query{Officer: "nobody"}, nil},
	} {
		if got, want := told(c.q), strings.Join(c.then, ", "); got != want {
			t.Errorf("%+v: %s, expected %s", c.q, got, want)
		}
	}
	of, err := accesslog.OfCase(t.Context(), w.store, "MK-2026-0001", events.AsOf{Position: events.At(1)})
	want := accesslog.Entry{Position: events.At(1), RecordedAt: time.Date(2026, 3, 2, 9, 1, 0, 0, time.UTC), Kind: accesslog.Consulted, Case: "MK-2026-0001", Jurisdiction: "MK",
		Actor: ombudsman, View: "timeline", Purpose: "oversight", Justification: "yearly review", Policies: []string{"ombudsman-identity"}}
	if len(of) == 1 {
		want.ID = of[0].ID
	}
	if err != nil || len(of) != 1 || !reflect.DeepEqual(of[0], want) {
		t.Errorf("%+v, %v", of, err)
	}
	if lists, err := accesslog.OfCase(t.Context(), w.store, "", events.AsOf{}); err != nil || len(lists) != 1 || lists[0].View != "alerts state=overdue" || lists[0].Policies == nil {
		t.Errorf("looks at lists: %+v, %v", lists, err)
	}
	for _, cursor := range []string{"x", "!", "LTE"} {
		if _, _, err := accesslog.List(t.Context(), e, accesslog.Query{Cursor: cursor}); !errors.Is(err, accesslog.ErrCursor) {
			t.Errorf("cursor %s: %v", cursor, err)
		}
	}
}

// Whatever was recorded, in whatever pages it was read, at every position the table says what the streams say.
func TestTheTableSaysWhatTheStreamsSay(t *testing.T) {
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		numbers := []string{"", "MK-2026-0001", "AL-2026-0001"}
		for range rapid.IntRange(1, 25).Draw(t, "looks") {
			who := ombudsman
			who.Officer = rapid.SampledFrom([]string{"a", "A ", "b"}).Draw(t, "officer")
			w.look(t, who, rapid.SampledFrom(numbers).Draw(t, "case"), rapid.SampledFrom([]any{&events.CaseConsulted{View: "v", Policy: []string{"p", "q"}},
				&events.AccessDenied{View: "v"}, &events.ExportProduced{Format: "f"}}).Draw(t, "data"))
		}
		run++
		e := w.engine(t, fmt.Sprintf("%s/%d", dir, run))
		defer e.Close()
		head, _ := w.store.Head(context.Background())
		asOf := events.AsOf{Position: events.At(rapid.Uint64Range(1, head.Commit).Draw(t, "position"))}
		var want []accesslog.Entry
		for _, number := range numbers {
			of, err := accesslog.OfCase(context.Background(), w.store, number, asOf)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, of...)
		}
		slices.SortFunc(want, func(a, b accesslog.Entry) int { return b.Position.Compare(a.Position) })
		var got []accesslog.Entry
		q := accesslog.Query{AsOf: asOf, Limit: rapid.IntRange(0, 4).Draw(t, "limit")}
		for {
			page, next, err := accesslog.List(context.Background(), e, q)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page...)
			if q.Cursor = next; next == "" {
				break
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("by pages\n%+v\nby streams\n%+v", got, want)
		}
	})
}

// Every type of event of the access log has its entry: one that is added must be told to this package.
func TestEveryTypeOfTheAccessLogHasItsEntry(t *testing.T) {
	w := newWorld(t)
	n := 0
	for _, k := range events.Standard().Kinds() {
		if k.Family == events.AccessFamily {
			w.look(t, ombudsman, "MK-2026-0001", reflect.New(k.DataType()).Interface())
			n++
			if list, err := accesslog.OfCase(t.Context(), w.store, "MK-2026-0001", events.AsOf{}); err != nil || len(list) != n || list[0].Kind == "" {
				t.Errorf("%s is not told (%v)", k.Type, err)
			}
		}
	}
}

// Who looked is never a performance statistic (design.md): only what shows it to a reader may read it.
func TestNoStatisticReadsTheAccessLog(t *testing.T) {
	may := []string{"cmd/traga", "handlers/api", "handlers/web", "handlers/auth", "handlers/consult", "projections/accesslog"}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../../")
		for _, i := range f.Imports {
			if i.Path.Value == `"traga.internal/projections/accesslog"` && !slices.Contains(may, dir) {
				t.Errorf("%s reads who looked", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
