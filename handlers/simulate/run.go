package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"traga.internal/aggregates/casefile"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/handlers/record"
)

// Setup is what a run needs: how to open the store and the write path to it, both on the simulated clock.
type Setup struct {
	Store    func(ctx context.Context, clock func() time.Time) (events.Store, error)
	Recorder func(store events.Store, clock func() time.Time) *record.Recorder
	Book     *protocol.Book // the shipped rules
	// Progress, if not nil, is called after each line with how many of all lines are done.
	Progress func(done, all int)
}

// Result is what came of a run.
type Result struct {
	Lines    int
	Recorded int // lines that were recorded
	Refused  int // lines that were refused
	Watched  int // events that the deadline watcher recorded
	From, To time.Time
	// Unmet are the expectations that did not hold, in the order of the lines.
	Unmet []Unmet
}

// OK reports whether every expectation held.
func (r *Result) OK() bool { return len(r.Unmet) == 0 }

// Unmet is an expectation that did not hold. Its words hold nothing personal.
type Unmet struct {
	File          string
	Line          int
	Expected, Got string
}

func (u Unmet) String() string {
	return u.File + ":" + strconv.Itoa(u.Line) + ": expected " + u.Expected + ", got " + u.Got
}

// Run runs scenarios as one in a new store, and closes it. That an expectation did not hold is in the Result, no
// error; an error is an *InputError of scenarios that do not go together, ErrNotEmpty, or trouble with the store.
func Run(ctx context.Context, setup Setup, scenarios ...*Scenario) (_ *Result, err error) {
	lines, err := merge(scenarios)
	if err != nil {
		return nil, err
	}
	clock := &Clock{}
	clock.set(lines[0].recordedAt)
	store, err := setup.Store(ctx, clock.Now)
	if err != nil {
		return nil, fmt.Errorf("open the store of the simulation: %w", err)
	}
	defer func() {
		err = errors.Join(err, store.Close())
	}()
	w, err := Begin(ctx, store, clock, setup.Recorder(store, clock.Now), setup.Book, lines[0].recordedAt, note(scenarios))
	if err != nil {
		return nil, err
	}
	result := &Result{Lines: len(lines), From: lines[0].recordedAt, To: lines[len(lines)-1].recordedAt}
	for i, l := range lines {
		if err := w.line(ctx, l, result); err != nil {
			return result, err
		}
		if setup.Progress != nil {
			setup.Progress(i+1, len(lines))
		}
	}
	err = w.EndOfDay(ctx)
	result.Watched = w.Watched()
	return result, err
}

// merge brings the lines of all files into the order of recording.
func merge(scenarios []*Scenario) ([]line, error) {
	var (
		lines []line
		names []string
	)
	for _, s := range scenarios {
		if slices.Contains(names, s.Name) {
			return nil, &InputError{[]Problem{{s.Name, 1, "expected files of different names, got this name twice: the event ids come from it"}}}
		}
		names = append(names, s.Name)
		lines = append(lines, s.lines...)
	}
	if len(lines) == 0 {
		return nil, &InputError{[]Problem{{"", 0, "expected a scenario file at least"}}}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.recordedAt.Compare(b.recordedAt) })
	return lines, nil
}

func note(scenarios []*Scenario) string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.Name)
	}
	return "simulated from " + strings.Join(names, ", ")
}

// line records one line and compares what came with what was expected.
func (w *World) line(ctx context.Context, l line, result *Result) error {
	var refusal *casefile.Refusal
	err := l.unreadable
	if err != nil {
		if err := w.Advance(ctx, l.recordedAt); err != nil {
			return err
		}
	} else {
		_, err = w.Record(ctx, l.recordedAt, l.action)
	}
	if err != nil && !errors.As(err, &refusal) {
		return fmt.Errorf("%s:%d: %w", l.file, l.number, err)
	}
	unmet := func(expected, got string) {
		result.Unmet = append(result.Unmet, Unmet{File: l.file, Line: l.number, Expected: expected, Got: got})
	}
	if refusal == nil {
		result.Recorded++
		if l.refused {
			unmet(l.refusal(), "that it was recorded")
		}
		return nil
	}
	result.Refused++
	switch {
	case !l.refused:
		unmet("that it is recorded", described(refusal))
	case l.because != nil && !slices.Equal(l.because, refusal.Because):
		unmet(l.refusal(), described(refusal))
	}
	return nil
}

// refusal is what the line expects, in words.
func (l *line) refusal() string {
	if l.because == nil {
		return "a refusal"
	}
	return "a refusal because of " + strings.Join(l.because, ", ")
}

func described(r *casefile.Refusal) string {
	message := r.Message
	if r.Field != "" {
		message = r.Field + ": " + message
	}
	return "a refusal because of " + strings.Join(r.Because, ", ") + " (" + message + ")"
}
