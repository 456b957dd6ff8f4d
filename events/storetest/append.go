package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
)

func testAppended(t *testing.T, l *log) {
	s := l.stream("a")
	first := l.append(t, s, events.NoStream, proposed(1)...)
	second := l.append(t, s, events.Revision(0), proposed(3)...)
	if first.Revision != 0 || second.Revision != 3 {
		t.Errorf("revisions %d and %d, want those of the last events: 0 and 3", first.Revision, second.Revision)
	}
	if !first.Position.After(l.start) || !second.Position.After(first.Position) {
		t.Errorf("positions %v and %v after %v do not grow", first.Position, second.Position, l.start)
	}
	if l.features.GapFree && (first.Position != events.At(l.start.Commit+1) || second.Position != events.At(l.start.Commit+4)) {
		t.Errorf("positions %v and %v after %v leave gaps", first.Position, second.Position, l.start)
	}
	if first.Repeated || second.Repeated {
		t.Error("a first call is called repeated")
	}
	stored := l.read(t, s, 0)
	for _, c := range []struct {
		a events.Appended
		r events.Recorded
	}{{first, stored[0]}, {second, stored[3]}} {
		if c.a.Position != c.r.Position || c.a.Revision != c.r.Revision || !c.a.RecordedAt.Equal(c.r.RecordedAt) {
			t.Errorf("the answer %+v differs from what is read: %+v", c.a, c.r)
		}
	}
}

func testRoundTrip(t *testing.T, l *log) {
	s := l.stream("Затвор-žćčđš-ç")
	want := []events.Proposed{
		{ID: uuid.New(), Type: "CaseOpened", Metadata: []byte(`{"a":1}`), Data: []byte(`{"name":"Ђорђе \u0000 \\ \" ćë"}`)},
		{ID: uuid.New(), Type: "Ж", Metadata: []byte(`{ "spaces" : [ 1.50 ] }`), Data: bytes.Repeat([]byte("x"), 100_000)},
	}
	at := l.append(t, s, events.Any, want...)
	for _, list := range [][]events.Recorded{l.read(t, s, 0), l.readAll(t, 100)} {
		if len(list) != len(want) {
			t.Fatalf("read %d events, want %d", len(list), len(want))
		}
		for i, r := range list {
			w := want[i]
			if r.ID != w.ID || r.Stream != s || r.Type != w.Type || r.Revision != uint64(i) {
				t.Errorf("event %d reads as %v, %s, %s, revision %d", i, r.ID, r.Stream, r.Type, r.Revision)
			}
			if !bytes.Equal(r.Metadata, w.Metadata) || !bytes.Equal(r.Data, w.Data) {
				t.Errorf("event %d has other bytes than were stored", i)
			}
			if r.RecordedAt.Location() != time.UTC || !r.RecordedAt.Equal(r.RecordedAt.Truncate(time.Microsecond)) {
				t.Errorf("recordedAt %v is not in UTC microseconds", r.RecordedAt)
			}
			if !r.RecordedAt.Equal(l.clock().Truncate(time.Microsecond)) || !at.RecordedAt.Equal(r.RecordedAt) {
				t.Errorf("recordedAt is %v, answered as %v, on the clock %v", r.RecordedAt, at.RecordedAt, l.clock())
			}
		}
	}
}

func testExpected(t *testing.T, l *log) {
	for _, c := range []struct {
		expected events.Expected
		length   int
		holds    bool
	}{
		{events.Any, 0, true}, {events.Any, 3, true},
		{events.NoStream, 0, true}, {events.NoStream, 1, false}, {events.NoStream, 3, false},
		{events.StreamExists, 0, false}, {events.StreamExists, 1, true}, {events.StreamExists, 3, true},
		{events.Revision(0), 0, false}, {events.Revision(0), 1, true}, {events.Revision(0), 3, false},
		{events.Revision(2), 0, false}, {events.Revision(2), 2, false}, {events.Revision(2), 3, true}, {events.Revision(2), 4, false},
	} {
		s := l.stream(fmt.Sprint(c.expected, " of ", c.length))
		if c.length > 0 {
			l.append(t, s, events.NoStream, proposed(c.length)...)
		}
		head := l.head(t)
		a, err := l.Append(t.Context(), s, c.expected, proposed(1)...)
		if c.holds {
			if err != nil || a.Revision != uint64(c.length) {
				t.Errorf("%v on a stream of %d: %+v, %v", c.expected, c.length, a, err)
			}
			continue
		}
		got := *conflict(t, a, err)
		want := events.ConflictError{Stream: s, Expected: c.expected, Length: uint64(c.length)}
		if got != want {
			t.Errorf("%v on a stream of %d: the conflict is %+v", c.expected, c.length, got)
		}
		if n := len(l.read(t, s, 0)); n != c.length || l.head(t) != head {
			t.Errorf("%v on a stream of %d: refused, but something was stored", c.expected, c.length)
		}
	}
}

func testAtomic(t *testing.T, l *log) {
	s := l.stream("a")
	used := proposed(1)
	l.append(t, s, events.NoStream, used...)
	head := l.head(t)
	for at := range 4 {
		list := slices.Insert(proposed(3), at, used[0])
		for _, expected := range []events.Expected{events.Any, events.StreamExists, events.Revision(0)} {
			a, err := l.Append(t.Context(), s, expected, list...)
			if c := conflict(t, a, err); c.DuplicateID != used[0].ID {
				t.Errorf("an old id at place %d: the conflict is %+v", at, c)
			}
		}
	}
	if got := l.read(t, s, 0); len(got) != 1 || l.head(t) != head {
		t.Errorf("refused calls left %d events", len(got)-1)
	}
	// What was refused with the old id can still be stored without it.
	list := proposed(2)
	_, err := l.Append(t.Context(), s, events.Any, list[0], used[0], list[1])
	conflict(t, events.Appended{}, err)
	l.append(t, s, events.Revision(0), list...)
}

func testInvalid(t *testing.T, l *log) {
	good := proposed(1)[0]
	noID, noType, badType := good, good, good
	noID.ID, noType.Type, badType.Type = uuid.Nil, "", "a\x00b"
	for name, c := range map[string]struct {
		stream string
		list   []events.Proposed
	}{
		"no events":                  {l.stream("a"), nil},
		"no stream":                  {"", []events.Proposed{good}},
		"a stream name not UTF-8":    {l.stream("\xff"), []events.Proposed{good}},
		"a stream name with NUL":     {l.stream("\x00"), []events.Proposed{good}},
		"no id":                      {l.stream("a"), []events.Proposed{good, noID}},
		"no type":                    {l.stream("a"), []events.Proposed{good, noType}},
		"a type with a control code": {l.stream("a"), []events.Proposed{badType}},
	} {
		if a, err := l.Append(t.Context(), c.stream, events.Any, c.list...); !errors.Is(err, events.ErrInvalidAppend) {
			t.Errorf("%s: %+v, %v; want ErrInvalidAppend", name, a, err)
		}
	}
	if l.head(t) != l.start {
		t.Error("a wrong call stored something")
	}
}

func testTooLarge(t *testing.T, l *log) {
	s := l.stream("a")
	list := proposed(2)
	list[0].Data = bytes.Repeat([]byte("x"), events.MaxAppend/2)
	list[1].Data = list[0].Data
	a, err := l.Append(t.Context(), s, events.Any, list...)
	var large *events.TooLargeError
	if !errors.As(err, &large) || !errors.Is(err, events.ErrTooLarge) || large.Limit != events.MaxAppend || large.Size <= large.Limit {
		t.Fatalf("%+v, %v; want a TooLargeError", a, err)
	}
	if l.head(t) != l.start {
		t.Error("something was stored")
	}
	l.append(t, s, events.NoStream, list[0])
	l.append(t, s, events.Revision(0), list[1])
}

// testRepeat repeats a call at once, for every kind of Expected.
func testRepeat(t *testing.T, l *log) {
	for _, expected := range []events.Expected{events.Any, events.NoStream, events.StreamExists, events.Revision(1)} {
		for _, n := range []int{1, 3} {
			s := l.stream(fmt.Sprint(expected, n))
			before := 0
			if !expected.Holds(0) {
				l.append(t, s, events.NoStream, proposed(2)...)
				before = 2
			}
			list := proposed(n)
			first := l.append(t, s, expected, list...)
			l.turn(time.Hour)
			for range 2 {
				again := l.append(t, s, expected, list...)
				want := first
				want.Repeated = true
				if again.RecordedAt.Equal(want.RecordedAt) {
					again.RecordedAt = want.RecordedAt
				}
				if again != want {
					t.Errorf("%d events, expecting %v: repeated as %+v, first %+v", n, expected, again, first)
				}
			}
			if got := len(l.read(t, s, 0)); got != before+n {
				t.Errorf("%d events, expecting %v: the stream has %d events after the repeats", n, expected, got)
			}
		}
	}
}

func testLateRepeat(t *testing.T, l *log) {
	for _, expected := range []events.Expected{events.Any, events.NoStream, events.StreamExists, events.Revision(0)} {
		s := l.stream(expected.String())
		if !expected.Holds(0) {
			l.append(t, s, events.NoStream, proposed(1)...)
		}
		list := proposed(2)
		first := l.append(t, s, expected, list...)
		l.append(t, s, events.Any, proposed(5)...)
		l.append(t, l.stream("another"), events.Any, proposed(5)...)
		again := l.append(t, s, expected, list...)
		if !again.Repeated || again.Revision != first.Revision || again.Position != first.Position || !again.RecordedAt.Equal(first.RecordedAt) {
			t.Errorf("expecting %v: repeated as %+v, first %+v", expected, again, first)
		}
	}
}

func testConcurrentRepeats(t *testing.T, l *log) {
	s := l.stream("a")
	l.append(t, s, events.NoStream, proposed(1)...)
	for _, expected := range []events.Expected{events.Revision(0), events.Any} {
		list := proposed(2)
		answers := make([]events.Appended, 16)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() {
				var err error
				if answers[i], err = l.Append(t.Context(), s, expected, list...); err != nil {
					t.Errorf("expecting %v: %v", expected, err)
				}
			})
		}
		wg.Wait()
		first := 0
		for _, a := range answers {
			if !a.Repeated {
				first++
			}
			if a.Position != answers[0].Position || a.Revision != answers[0].Revision {
				t.Errorf("answers differ: %+v and %+v", a, answers[0])
			}
		}
		if first != 1 {
			t.Errorf("expecting %v: %d of the calls were the first", expected, first)
		}
	}
	if n := len(l.read(t, s, 0)); n != 5 {
		t.Errorf("the stream has %d events, want 5", n)
	}
}

func testReusedID(t *testing.T, l *log) {
	s := l.stream("a")
	list := proposed(3)
	l.append(t, s, events.NoStream, list[:2]...)
	l.append(t, s, events.Revision(1), list[2])
	head := l.head(t)
	twice := proposed(2)
	type call struct {
		stream   string
		expected events.Expected
		list     []events.Proposed
		id       uuid.UUID
	}
	calls := map[string]call{
		"the same id twice in one call":          {s, events.Any, []events.Proposed{twice[0], twice[1], twice[0]}, twice[0].ID},
		"another order":                          {s, events.Any, []events.Proposed{list[1], list[0]}, list[1].ID},
		"not next to each other":                 {s, events.Any, []events.Proposed{list[0], list[2]}, list[0].ID},
		"another revision expected":              {s, events.Revision(2), list[2:], list[2].ID},
		"no stream expected, but there was one":  {s, events.NoStream, list[2:], list[2].ID},
		"a stream expected, but there was none":  {s, events.StreamExists, list[:2], list[0].ID},
		"an old id and a new one":                {s, events.Any, []events.Proposed{list[2], twice[0]}, list[2].ID},
		"a new id and an old one":                {s, events.Any, []events.Proposed{twice[0], list[2]}, list[2].ID},
		"a new id and an old one, as it expects": {s, events.Revision(2), []events.Proposed{twice[0], list[2]}, list[2].ID},
	}
	if l.features.UniqueIDs {
		other := l.stream("b")
		l.append(t, other, events.NoStream, proposed(1)...)
		head = l.head(t)
		calls["another stream"] = call{other, events.Any, list[:1], list[0].ID}
		calls["another stream, as it expects"] = call{other, events.Revision(0), list[:2], list[0].ID}
		calls["another stream that is new"] = call{l.stream("c"), events.NoStream, list[:1], list[0].ID}
		calls["another stream, some of them"] = call{l.stream("c"), events.Any, []events.Proposed{twice[0], list[1]}, list[1].ID}
	}
	for name, c := range calls {
		a, err := l.Append(t.Context(), c.stream, c.expected, c.list...)
		if got := conflict(t, a, err); got.DuplicateID != c.id {
			t.Errorf("%s: the conflict is %+v, want the id %v", name, got, c.id)
		}
	}
	if n := len(l.read(t, s, 0)); n != 3 || l.head(t) != head || len(l.read(t, l.stream("c"), 0)) > 0 {
		t.Error("a refused call stored something")
	}
}

// testOneWinner lets 20 writers race for each revision of one stream.
func testOneWinner(t *testing.T, l *log) {
	const writers, rounds = 20, 15
	s := l.stream("a")
	expected := events.NoStream
	for round := range rounds {
		var (
			wg      sync.WaitGroup
			mu      sync.Mutex
			winners []uuid.UUID
		)
		for range writers {
			wg.Go(func() {
				mine := proposed(1)[0]
				a, err := l.Append(t.Context(), s, expected, mine)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					winners = append(winners, mine.ID)
					if a.Revision != uint64(round) {
						t.Errorf("round %d was won at revision %d", round, a.Revision)
					}
					return
				}
				if c := conflict(t, a, err); c.Length != uint64(round+1) || c.DuplicateID != uuid.Nil {
					t.Errorf("a loser of round %d was told %+v", round, c)
				}
			})
		}
		wg.Wait()
		if len(winners) != 1 {
			t.Fatalf("revision %d has %d winners", round, len(winners))
		}
		if got := ids(l.read(t, s, uint64(round))); !slices.Equal(got, winners) {
			t.Fatalf("revision %d holds %v, but %v was told that it won", round, got, winners)
		}
		expected = events.Revision(uint64(round))
	}
}

// testCancelUnderLoad cancels appends at all moments of their life. Repeated, each is stored exactly once.
func testCancelUnderLoad(t *testing.T, l *log) {
	const writers, calls = 8, 25
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			s := l.stream(fmt.Sprint("writer ", w))
			expected := events.NoStream
			for call := range calls {
				list := proposed(2)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(call*w)*10*time.Microsecond)
				_, err := l.Append(ctx, s, expected, list...)
				cancel()
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("a cancelled append: %v", err)
					return
				}
				a, err := l.Append(t.Context(), s, expected, list...)
				if err != nil {
					t.Errorf("repeating a cancelled append: %v", err)
					return
				}
				if a.Revision != uint64(call*2+1) {
					t.Errorf("call %d ended at revision %d", call, a.Revision)
				}
				expected = events.Revision(a.Revision)
			}
		})
	}
	wg.Wait()
	if n := len(l.readAll(t, 100)); n != writers*calls*2 {
		t.Errorf("the log holds %d events, want %d", n, writers*calls*2)
	}
}
