package record

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"traga.internal/aggregates/casefile"
	"traga.internal/events"
)

// ImportOptions say how a file of past actions is imported.
type ImportOptions struct {
	// DryRun looks at the whole file and records nothing.
	DryRun bool
	// Source is the name by which errors call the file.
	Source string
	// Progress, if set, is called now and then from one goroutine at a time.
	Progress func(ImportProgress)
}

// ImportProgress says how far an import has come.
type ImportProgress struct {
	// Recording is false while the file is looked at, and true while its actions are recorded.
	Recording bool
	// Done counts lines. Total is the number of lines with an action; 0 while it is not known.
	Done, Total int64
}

// ImportResult counts what an import did.
type ImportResult struct {
	Lines    int64 `json:"lines"`    // lines with an action
	Recorded int64 `json:"recorded"` // stored by this import; in a dry run those that would be
	Repeated int64 `json:"repeated"` // recorded before, by an earlier import of the same line
	Cases    int64 `json:"cases"`    // cases, and registers of a jurisdiction, that the file is about
}

// LineProblem says what is wrong with a line, counted from 1.
type LineProblem struct {
	Line    int               `json:"line"`
	Refusal *casefile.Refusal `json:"refusal"`
}

// ImportError lists the bad lines of a file. Nothing of the file was recorded. A line that refers to a bad one may
// be listed because of it.
type ImportError struct {
	Source   string
	Problems []LineProblem // the first ones, in order
	Total    int           // how many there are
}

// maxProblems is how many bad lines an ImportError names.
const maxProblems = 100

func (e *ImportError) Error() string {
	var b strings.Builder
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "%s:%d: %s\n", e.Source, p.Line, strings.TrimPrefix(p.Refusal.Error(), "refused "))
	}
	if n := e.Total - len(e.Problems); n > 0 {
		fmt.Fprintf(&b, "and %d more\n", n)
	}
	return b.String() + "nothing of the file was recorded"
}

// Is makes errors.Is(err, casefile.ErrRefused) true.
func (e *ImportError) Is(target error) bool { return target == casefile.ErrRefused }

// Import records a file of past actions: one action record a line, each a late entry, so that none is refused for
// being unlawful. The id of a line that names none is derived from its content and case: importing a file twice
// records nothing twice. The whole file is looked at first; if any line is bad, the error is an *ImportError and
// nothing is recorded. Empty lines are skipped; a line may be MaxAction bytes long. What a line refers to must stand
// above it or have been recorded before.
//
// Cases are recorded side by side, the lines of one case in their order. After a store's error or a cancelled
// context a part of the file is recorded; importing it again records the rest.
func (r *Recorder) Import(ctx context.Context, in io.Reader, o ImportOptions) (ImportResult, error) {
	if o.Source == "" {
		o.Source = "input"
	}
	if o.Progress == nil {
		o.Progress = func(ImportProgress) {}
	}
	m := &importer{Recorder: r, options: o, now: r.clock(), byStream: map[string]*batch{}, ids: map[uuid.UUID]string{}}
	if err := m.look(ctx, in); err != nil {
		return ImportResult{}, fmt.Errorf("import %s: %w", o.Source, err)
	}
	if m.bad.Total > 0 {
		m.bad.Source = o.Source
		return ImportResult{}, &m.bad
	}
	if !o.DryRun {
		if err := m.record(ctx); err != nil {
			return m.result, fmt.Errorf("import %s: a part of it was recorded, import it again for the rest: %w", o.Source, err)
		}
	}
	return m.result, nil
}

// importer is one run of an import.
type importer struct {
	*Recorder
	options ImportOptions
	now     time.Time

	result   ImportResult
	bad      ImportError
	byStream map[string]*batch
	order    []*batch
	ids      map[uuid.UUID]string // the stream that each id of the file belongs to
	given    map[uuid.UUID]int    // the line of each id that the file itself names
}

// batch is what the file holds for one stream.
type batch struct {
	*fold        // the stream as it will be
	base  uint64 // how long it was before the import
	lines []line
}

// line is a good line that is to be recorded.
type line struct {
	number   int
	action   *Action
	proposed events.Proposed
}

// look reads the whole file and decides on every line, against each case as the lines above it leave it.
func (m *importer) look(ctx context.Context, in io.Reader) error {
	lines := bufio.NewReaderSize(in, 64<<10)
	for number := 1; ; number++ {
		text, tooLong, err := readLine(lines)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("line %d: %w", number, err)
		}
		if number == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff"))
		}
		if tooLong {
			m.problem(number, casefile.Malformed(&events.FieldError{Expected: fmt.Sprintf("a line of at most %d bytes", MaxAction), Got: "a longer one"}))
		} else if len(bytes.TrimSpace(text)) > 0 {
			if err := m.lookAt(ctx, number, text); err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
		}
		if err != nil {
			break
		}
		if number%256 == 0 {
			m.options.Progress(ImportProgress{Done: int64(number)})
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	m.result.Cases = int64(len(m.order))
	err := m.lookForStrangers(ctx)
	slices.SortStableFunc(m.bad.Problems, func(a, b LineProblem) int { return a.Line - b.Line })
	return err
}

// readLine reads up to the next line feed. Of a line that is too long it reads everything and keeps nothing. The
// error is io.EOF with the last line.
func readLine(in *bufio.Reader) (text []byte, tooLong bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if !tooLong {
			text = append(text, part...)
			if len(bytes.TrimRight(text, "\r\n")) > MaxAction {
				text, tooLong = nil, true
			}
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text, tooLong, err
		}
	}
}

func (m *importer) problem(number int, r *casefile.Refusal) {
	m.bad.Total++
	if len(m.bad.Problems) < maxProblems {
		m.bad.Problems = append(m.bad.Problems, LineProblem{Line: number, Refusal: r})
	}
}

// lookAt decides on one line. Its error is the store's; what is wrong with the line is noted as a problem.
func (m *importer) lookAt(ctx context.Context, number int, text []byte) error {
	m.result.Lines++
	err := m.decideOn(ctx, number, text)
	var refusal *casefile.Refusal
	if errors.As(err, &refusal) {
		m.problem(number, refusal)
		return nil
	}
	return err
}

func (m *importer) decideOn(ctx context.Context, number int, text []byte) error {
	a, err := Parse(text)
	if err != nil {
		return err
	}
	if a.OccurredAt == nil {
		return casefile.Malformed(&events.FieldError{Field: "occurredAt", Expected: "when it happened, such as 2026-03-02T10:15:00+01:00: an import holds past actions", Got: "nothing"})
	}
	a.AfterTheFact = true
	a, k, err := m.admit(a, false)
	if err != nil {
		return err
	}
	named := a.ID != uuid.Nil
	if !named {
		if a.ID, err = contentID(a, text); err != nil {
			return err
		}
	}
	b, err := m.batch(ctx, a.stream(k), k.Family)
	if err != nil {
		return err
	}
	if prior := b.state.Find(a.ID); prior != nil {
		if !a.matches(prior.Event) {
			return reusedID()
		}
		m.result.Repeated++
		return nil
	}
	if stream, used := m.ids[a.ID]; used && stream != b.stream {
		return reusedID()
	}
	decided, _, err := m.decide(ctx, b.fold, a, k, a.ID, m.now)
	if err != nil {
		return err
	}
	for _, e := range decided {
		p, err := m.encode(e)
		if err != nil {
			return err
		}
		e.RecordedAt, e.Revision = m.now, b.next
		b.evolve(e)
		b.lines = append(b.lines, line{number, a, p})
	}
	m.ids[a.ID] = b.stream
	if named {
		if m.given == nil {
			m.given = map[uuid.UUID]int{}
		}
		m.given[a.ID] = number
	}
	m.result.Recorded++
	return nil
}

// contentID is the id of a line that names none: the same content is the same event, however it is laid out.
func contentID(a *Action, text []byte) (uuid.UUID, error) {
	v := jsontext.Value(text).Clone()
	if err := v.Canonicalize(); err != nil {
		return uuid.Nil, casefile.Malformed(&events.FieldError{Expected: "valid JSON", Got: "something else"})
	}
	return events.DeriveID("import", a.Case, string(a.Jurisdiction), string(v)), nil
}

func (m *importer) batch(ctx context.Context, stream string, family events.StreamFamily) (*batch, error) {
	if b := m.byStream[stream]; b != nil {
		return b, nil
	}
	f := newFold(stream, family, nil) // not the shared one: it runs ahead of the store
	if err := f.refresh(ctx, m.store); err != nil {
		return nil, err
	}
	b := &batch{fold: f, base: f.next}
	m.byStream[stream] = b
	m.order = append(m.order, b)
	return b, nil
}

// finder is a store that can find an event by its id.
type finder interface {
	Lookup(ctx context.Context, id uuid.UUID) (events.Recorded, bool, error)
}

// lookForStrangers finds ids, named by the file, that the log already has in another stream: a line that was
// copied from another case. Of a store that can't look an id up it reads the whole log.
func (m *importer) lookForStrangers(ctx context.Context) error {
	if len(m.given) == 0 {
		return nil
	}
	if store, ok := m.store.(finder); ok {
		for id, number := range m.given {
			_, found, err := store.Lookup(ctx, id)
			if err != nil {
				return err
			}
			if found {
				m.problem(number, reusedID())
			}
		}
		return nil
	}
	for after := events.Start; ; {
		page, err := m.store.ReadAll(ctx, after, 1000, events.Filter{})
		if err != nil {
			return err
		}
		for i := range page.Events {
			if number, ok := m.given[page.Events[i].ID]; ok {
				m.problem(number, reusedID())
			}
		}
		if !page.More {
			return nil
		}
		after = page.Scanned
	}
}

// side is how many cases are recorded side by side, and most how many lines of one case are stored at once.
const side, most = 16, 128

// record stores what look found good.
func (m *importer) record(ctx context.Context) error {
	m.result.Recorded = 0
	done := make(chan int, side)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(side)
	failed := make(chan error, 1)
	go func() {
		for _, b := range m.order {
			if len(b.lines) > 0 {
				group.Go(func() error { return m.store1(ctx, b, done) })
			}
		}
		failed <- group.Wait()
		close(done)
	}()
	var total int64
	for _, b := range m.order {
		total += int64(len(b.lines))
	}
	for n := range done {
		m.result.Recorded += int64(n)
		m.options.Progress(ImportProgress{Recording: true, Done: m.result.Recorded, Total: total})
	}
	return <-failed
}

// store1 stores the lines of one stream, many at once as long as nobody else writes to it. When someone does, the
// lines that are left go the ordinary way and are decided on anew.
func (m *importer) store1(ctx context.Context, b *batch, done chan<- int) error {
	defer m.folds.forget(b.stream)
	left := b.lines
	for len(left) > 0 {
		chunk := left[:m.fitting(left)]
		expected := events.NoStream
		if b.base > 0 {
			expected = events.Revision(b.base - 1)
		}
		proposed := make([]events.Proposed, len(chunk))
		for i, l := range chunk {
			proposed[i] = l.proposed
		}
		began := time.Now()
		at, err := m.store.Append(ctx, b.stream, expected, proposed...)
		if errors.Is(err, events.ErrConflict) {
			m.observer.Conflict()
			return m.oneByOne(ctx, left, done)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", chunk[0].number, err)
		}
		if !at.Repeated {
			took := time.Since(began)
			for _, l := range chunk {
				m.observer.Appended(l.action.Type, took)
			}
		}
		b.base += uint64(len(chunk))
		left = left[len(chunk):]
		done <- len(chunk)
	}
	return nil
}

// fitting is how many of the lines go into one append.
func (m *importer) fitting(lines []line) int {
	size := 0
	for i, l := range lines {
		size += m.size(l.proposed)
		if i > 0 && (i == most || size > events.MaxAppend) {
			return i
		}
	}
	return len(lines)
}

func (m *importer) oneByOne(ctx context.Context, left []line, done chan<- int) error {
	for _, l := range left {
		receipt, err := m.Record(ctx, l.action, AnyRevision)
		if err != nil {
			return fmt.Errorf("line %d: %w", l.number, err)
		}
		if !receipt.Repeated {
			done <- 1
		}
	}
	return nil
}
