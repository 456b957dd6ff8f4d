package safeguards

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
	"traga.internal/projections"
)

// Query says which verdicts are wanted. Empty fields do not narrow.
type Query struct {
	Jurisdiction events.Jurisdiction
	Safeguard    string // HR01 to HR29
	Verdict      string // safeguards.Fail and the like
	Case         string
	Only         *projections.Selection // these cases; nil for all
	// Hidden are the safeguards whose verdicts the reader may not know: they are listed as safeguards.Hidden.
	Hidden []string
	// Known, if not nil, leaves out of a case's events those of which the reader may not know, before it is judged. What
	// was judged so is not remembered.
	Known func(stream []*events.Event) []*events.Event
	// AsOf is as known when; Now is the clock when AsOf is now.
	AsOf events.AsOf
	Now  time.Time
	// Limit is how many verdicts at most; 0 means all. Cursor continues after an earlier answer, as of the same
	// instant.
	Limit  int
	Cursor string
	// Progress, if not nil, is told how many cases were looked at; by one goroutine at a time.
	Progress func(cases int)
}

// Wants reports whether the query asks for a verdict, as far as the verdict itself says.
func (q *Query) Wants(v *safeguards.Verdict) bool {
	return q.wants(v.Safeguard, v.Verdict) && (q.Case == "" || q.Case == v.Case) &&
		(q.Jurisdiction == "" || strings.HasPrefix(v.Case, string(q.Jurisdiction)+"-"))
}

func (q *Query) wants(id, verdict string) bool {
	if slices.Contains(q.Hidden, id) {
		verdict = safeguards.Hidden
	}
	return (q.Safeguard == "" || q.Safeguard == id) && (q.Verdict == "" || q.Verdict == verdict)
}

// ErrCursor says that a cursor is none that List gave.
var ErrCursor = errors.New("the cursor is not one of this list")

// Reader answers from the read model and remembers what it has judged. Keep one for each engine. It is safe for
// concurrent use.
type Reader struct {
	engine *projections.Engine

	counting chan struct{} // holds the one that counts: the next finds its work done

	mu    sync.Mutex
	known map[string]ruling // by case number
}

// New makes a reader that remembers nothing yet.
func New(e *projections.Engine) *Reader {
	return &Reader{engine: e, counting: make(chan struct{}, 1), known: make(map[string]ruling)}
}

// Forget drops what is remembered of cases, which are then judged anew.
func (r *Reader) Forget(numbers ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range numbers {
		delete(r.known, n)
	}
}

// words are the bare verdicts of a case, in the order of the safeguards.
type words []word

type word byte

const (
	notApplicable word = iota
	pass
	open
	fail
)

var meaning = [...]string{notApplicable: safeguards.NotApplicable, pass: safeguards.Pass, open: safeguards.Open, fail: safeguards.Fail}

func wordsOf(verdicts []safeguards.Verdict) words {
	w := make(words, len(verdicts))
	for i := range verdicts {
		w[i] = word(max(0, slices.Index(meaning[:], verdicts[i].Verdict)))
	}
	return w
}

// ruling is the words of a case while its last mark is at commit.
type ruling struct {
	words  words
	commit uint64
	good   span
}

// row is a case in the tables, with the last mark of all that concerns it.
type row struct {
	number       string
	jurisdiction events.Jurisdiction
	last         mark
}

// remembered is the words of a case, nil if they have to be worked out.
func (r *Reader) remembered(c *court, of *row) words {
	if c.asOf.Position != events.Start || of.last.commit > c.upTo.Commit {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if k, ok := r.known[of.number]; ok && k.commit == of.last.commit && k.good.holds(c.clock) {
		return k.words
	}
	return nil
}

// convene prepares to judge as of then.
func (r *Reader) convene(ctx context.Context, asOf events.AsOf, now time.Time) (*court, error) {
	at, err := r.engine.Clock(ctx, asOf, now)
	if err != nil {
		return nil, err
	}
	upTo, latest, err := r.reach(ctx)
	if err != nil {
		return nil, err
	}
	if asOf.IsNow() {
		if latest.After(at) { // a store's time never goes back: nothing is judged by an instant before its last event
			at = latest
		}
		asOf = events.AsOf{Instant: at}
	}
	book, err := r.engine.BookAt(ctx, events.AsOf{Position: upTo})
	if err != nil {
		return nil, err
	}
	return &court{store: r.engine.Store(), book: book.AsKnown(asOf), asOf: asOf, clock: at.UTC(), upTo: upTo}, nil
}

// reach is how far the tables go, and when the last event that they know was recorded.
func (r *Reader) reach(ctx context.Context) (upTo events.Position, at time.Time, err error) {
	err = r.engine.View(ctx, Name, func(v *projections.View) error {
		upTo = v.Position
		rows, err := v.Query(ctx, `SELECT max(coalesce((SELECT max(last_at) FROM {judged}), 0), coalesce((SELECT max(last_at) FROM {looked}), 0),
			coalesce((SELECT max(last_at) FROM {ground}), 0))`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var micros int64
			if err := rows.Scan(&micros); err != nil {
				return err
			}
			at = time.UnixMicro(micros).UTC()
		}
		return rows.Err()
	})
	return upTo, at, err
}

// judge judges a case, and remembers the words where it is known how long they are good.
func (r *Reader) judge(ctx context.Context, c *court, of *row) ([]safeguards.Verdict, error) {
	verdicts, good, err := c.judge(ctx, of, nil)
	if err != nil || good.since.IsZero() {
		return verdicts, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.known[of.number]; k.commit != of.last.commit || !k.good.since.After(good.since) { // the present is asked most
		r.known[of.number] = ruling{wordsOf(verdicts), of.last.commit, good}
	}
	return verdicts, nil
}

// batch is how many cases are looked at together.
const batch = 256

// rows reads the next cases by number that were open or closed by then, at most batch.
func (r *Reader) rows(ctx context.Context, c *court, q *Query, from string, inclusive bool) (list []row, err error) {
	opened := "opened_at <= :at"
	if p := c.asOf.Position; p != events.Start {
		opened = fmt.Sprintf("(opened_commit < %d OR opened_commit = %[1]d AND opened_behind >= %d)", p.Commit, p.Commit-p.Prepare)
	}
	only, selected := q.Only.SQL("j.number", "j.jurisdiction", false)
	after := ">"
	if inclusive {
		after = ">="
	}
	statement := `SELECT j.number, j.jurisdiction, max(j.last_at, coalesce(l.last_at, 0), coalesce(g.last_at, 0), coalesce(a.last_at, 0)),
		max(j.last_commit, coalesce(l.last_commit, 0), coalesce(g.last_commit, 0), coalesce(a.last_commit, 0))
		FROM {judged} j LEFT JOIN {looked} l ON l.number = j.number
		LEFT JOIN {ground} g ON g.jurisdiction = j.jurisdiction LEFT JOIN {ground} a ON a.jurisdiction = ''
		WHERE j.number ` + after + ` :from AND ` + opened + `
		AND (:jurisdiction = '' OR j.jurisdiction = :jurisdiction) AND (:case = '' OR j.number = :case) AND ` + only + `
		ORDER BY j.number LIMIT ` + fmt.Sprint(batch)
	err = r.engine.View(ctx, Name, func(v *projections.View) error {
		rows, err := v.Query(ctx, statement, sql.Named("from", from), sql.Named("at", c.clock.UnixMicro()),
			sql.Named("jurisdiction", string(q.Jurisdiction)), sql.Named("case", q.Case), sql.Named("selected", selected))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var of row
			var at int64
			if err := rows.Scan(&of.number, &of.jurisdiction, &at, &of.last.commit); err != nil {
				return err
			}
			of.last.at = time.UnixMicro(at).UTC()
			list = append(list, of)
		}
		return rows.Err()
	})
	return list, err
}

// place is where a page ended, and the point of view of the first.
type place struct {
	At        time.Time       `json:"at"`
	Position  events.Position `json:"p,omitzero"`
	Case      string          `json:"n"`
	Safeguard string          `json:"s"`
}

// List lists verdicts by case number, then by safeguard. Those of one case are exactly those of its timeline. next
// continues the list, empty at its end.
func (r *Reader) List(ctx context.Context, q Query) (list []safeguards.Verdict, next string, err error) {
	var from place
	if q.Cursor != "" {
		if from, err = parsePlace(q.Cursor); err != nil {
			return nil, "", err
		}
		if q.AsOf = (events.AsOf{Instant: from.At}); from.Position != events.Start {
			q.AsOf = events.AsOf{Position: from.Position}
		}
	}
	c, err := r.convene(ctx, q.AsOf, q.Now)
	if err != nil {
		return nil, "", err
	}
	all := safeguards.All()
	list = []safeguards.Verdict{}
	after, inclusive, done := from.Case, true, 0
	// What may still be wanted of a few cases is worked out at a time, so that a short page costs little.
	step := 2 * workers()
	for {
		rows, err := r.rows(ctx, c, &q, after, inclusive)
		if err != nil {
			return nil, "", err
		}
		for chunk := range slices.Chunk(rows, step) {
			found := make([][]safeguards.Verdict, len(chunk))
			err := inParallel(ctx, workers(), len(chunk), func(ctx context.Context, i int) error {
				some := func(w words) bool {
					for n := range w {
						if q.wants(all[n].ID, meaning[w[n]]) {
							return true
						}
					}
					return false
				}
				var err error
				if q.Known != nil {
					found[i], _, err = c.judge(ctx, &chunk[i], q.Known)
					return err
				}
				if w := r.remembered(c, &chunk[i]); w != nil && !some(w) {
					return nil
				}
				found[i], err = r.judge(ctx, c, &chunk[i])
				return err
			})
			if err != nil {
				return nil, "", err
			}
			for _, verdicts := range found {
				for _, v := range verdicts {
					if !q.Wants(&v) || v.Case == from.Case && v.Safeguard <= from.Safeguard {
						continue
					}
					if q.Limit > 0 && len(list) == q.Limit {
						last := list[len(list)-1]
						p := place{At: c.clock, Position: c.asOf.Position, Case: last.Case, Safeguard: last.Safeguard}
						return list, p.String(), nil
					}
					list = append(list, v)
				}
			}
			if done += len(chunk); q.Progress != nil {
				q.Progress(done)
			}
		}
		if len(rows) < batch {
			return list, "", nil
		}
		after, inclusive = rows[len(rows)-1].number, false
	}
}

func workers() int { return max(1, runtime.GOMAXPROCS(0)) }

// inParallel calls fn for 0 to n-1, some at a time, until one fails.
func inParallel(ctx context.Context, width, n int, fn func(ctx context.Context, i int) error) error {
	run, ctx := errgroup.WithContext(ctx)
	run.SetLimit(width)
	for i := range n {
		run.Go(func() error {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			return fn(ctx, i)
		})
	}
	return run.Wait()
}

// Count is in how many cases a safeguard fails, for the metric traga_safeguard_failures.
type Count struct {
	Jurisdiction events.Jurisdiction
	Safeguard    string
	Failures     int
}

// Counts counts the cases in which each safeguard fails, as known now and at the clock's now, by jurisdiction and
// safeguard; 0 is told too, for every jurisdiction that has a case. The first count judges every case; should its
// context end before, what was judged is remembered, and the next count goes on from there.
func (r *Reader) Counts(ctx context.Context, now time.Time) ([]Count, error) {
	select {
	case r.counting <- struct{}{}:
		defer func() { <-r.counting }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	c, err := r.convene(ctx, events.AsOf{}, now)
	if err != nil {
		return nil, err
	}
	all := safeguards.All()
	failures := make(map[events.Jurisdiction][]int)
	for after := ""; ; {
		rows, err := r.rows(ctx, c, &Query{}, after, false)
		if err != nil {
			return nil, err
		}
		found := make([]words, len(rows))
		// One case at a time: whoever waits for an answer comes first.
		for i := range rows {
			if found[i] = r.remembered(c, &rows[i]); found[i] == nil {
				verdicts, err := r.judge(ctx, c, &rows[i])
				if err != nil {
					return nil, err
				}
				found[i] = wordsOf(verdicts)
			}
			j := rows[i].jurisdiction
			if failures[j] == nil {
				failures[j] = make([]int, len(all))
			}
			for n, w := range found[i] {
				if w == fail {
					failures[j][n]++
				}
			}
		}
		if len(rows) < batch {
			break
		}
		after = rows[len(rows)-1].number
	}
	var list []Count
	for _, j := range events.Jurisdictions() {
		for n, failed := range failures[j] {
			list = append(list, Count{j, all[n].ID, failed})
		}
	}
	return list, nil
}

func (p place) String() string {
	b, err := json.Marshal(p)
	if err != nil { // no field of it can fail
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func parsePlace(s string) (p place, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil || p.At.IsZero() || p.Case == "" {
		return p, ErrCursor
	}
	return p, nil
}
