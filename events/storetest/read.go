package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
)

func testReadStream(t *testing.T, l *log) {
	const n = 2500 // more than a page of any store
	s := l.stream("a")
	list := proposed(n)
	for i := 0; i < n; i += 500 {
		l.append(t, s, events.Any, list[i:i+500]...)
		l.append(t, l.stream("b"), events.Any, proposed(1)...)
	}
	for _, from := range []uint64{0, 1, 499, 500, 1024, n - 1, n, n + 1, 1 << 40, 1<<64 - 1} {
		got := l.read(t, s, from)
		want := list[min(from, n):]
		if len(got) != len(want) {
			t.Errorf("from %d: %d events, want %d", from, len(got), len(want))
			continue
		}
		for i, r := range got {
			if r.ID != want[i].ID || r.Revision != from+uint64(i) || r.Stream != s {
				t.Fatalf("from %d: event %d is %v of %s at revision %d", from, i, r.ID, r.Stream, r.Revision)
			}
			if i > 0 && !r.Position.After(got[i-1].Position) {
				t.Fatalf("from %d: position %v follows %v", from, r.Position, got[i-1].Position)
			}
		}
	}
	for _, from := range []uint64{0, 7} {
		if got := l.read(t, l.stream("missing"), from); len(got) > 0 {
			t.Errorf("a stream that does not exist has %d events", len(got))
		}
	}
}

func testReadStreamStops(t *testing.T, l *log) {
	s := l.stream("a")
	l.append(t, s, events.NoStream, proposed(10)...)
	seen := 0
	for r, err := range l.ReadStream(t.Context(), s, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; r.Revision == 4 {
			break
		}
		l.append(t, s, events.Any, proposed(1)...) // a reader holds up no writer
	}
	if seen != 5 || len(l.read(t, s, 0)) != 14 {
		t.Errorf("saw %d events before it stopped", seen)
	}
}

func testPages(t *testing.T, l *log) {
	var want []uuid.UUID
	for i := range 40 {
		list := proposed(1 + i%3)
		l.append(t, l.stream(fmt.Sprint(i%5)), events.Any, list...)
		for _, p := range list {
			want = append(want, p.ID)
		}
	}
	all := l.readAll(t, 1000)
	if !slices.Equal(ids(all), want) {
		t.Fatalf("read %d events, not the %d stored in their order", len(all), len(want))
	}
	for i, r := range all {
		if i > 0 && !r.Position.After(all[i-1].Position) {
			t.Errorf("position %v follows %v", r.Position, all[i-1].Position)
		}
		if l.features.GapFree && r.Position != events.At(l.start.Commit+uint64(i)+1) {
			t.Errorf("position %v leaves a gap", r.Position)
		}
		// Strictly after any event come the others, and nothing else.
		page, err := l.ReadAll(t.Context(), r.Position, 1000, events.Filter{StreamPrefixes: []string{l.family}})
		if err != nil || !slices.Equal(ids(page.Events), want[i+1:]) {
			t.Errorf("after event %d: %d events, %v", i, len(page.Events), err)
		}
	}
	for _, size := range []int{1, 2, 7} {
		if got := l.readAll(t, size); !reflect.DeepEqual(got, all) {
			t.Errorf("in pages of %d the log reads otherwise", size)
		}
	}
	for size := range 5 {
		page, err := l.ReadAll(t.Context(), l.start, size+1, events.Filter{StreamPrefixes: []string{l.family}})
		if err != nil || page.Scanned != all[size].Position || page.ScannedID != all[size].ID {
			t.Errorf("a page of %d ends at %v, %v, %v; want %v, %v", size+1, page.Scanned, page.ScannedID, err, all[size].Position, all[size].ID)
		}
	}
	head := l.head(t)
	page, err := l.ReadAll(t.Context(), head, 10, events.Filter{})
	if err != nil || len(page.Events) > 0 || page.More || page.Scanned != head || page.ScannedID != uuid.Nil {
		t.Errorf("after the end: %+v, %v", page, err)
	}
	if _, err := l.ReadAll(t.Context(), l.start, 0, events.Filter{}); err == nil {
		t.Error("a page of no events was answered")
	}
	page, err = l.ReadAll(t.Context(), events.MaxPosition, 10, events.Filter{})
	if err != nil || len(page.Events) > 0 || page.More || page.Scanned != events.MaxPosition {
		t.Errorf("after every position: %+v, %v", page, err)
	}
}

func testFilter(t *testing.T, l *log) {
	types := []string{"CaseOpened", "NotificationSent", "CaseClosed"}
	for i := range 60 {
		p := proposed(1)[0]
		p.Type = types[i%3]
		l.append(t, l.stream([]string{"case_1", "case%1", "CASE_1", "case"}[i%4]), events.Any, p)
	}
	head, all := l.head(t), l.readAll(t, 1000)
	for name, f := range map[string]events.Filter{
		"a prefix":                     {StreamPrefixes: []string{l.stream("case_")}},
		"a whole name":                 {StreamPrefixes: []string{l.stream("case%1")}},
		"two prefixes, one in another": {StreamPrefixes: []string{l.stream("case"), l.stream("case_")}},
		"a type":                       {StreamPrefixes: []string{l.family}, Types: types[1:2]},
		"two types":                    {StreamPrefixes: []string{l.family}, Types: types[1:]},
		"a prefix and a type":          {StreamPrefixes: []string{l.stream("CASE")}, Types: types[:1]},
		"nothing passes":               {StreamPrefixes: []string{l.stream("none")}, Types: types},
		"part of a type":               {StreamPrefixes: []string{l.family}, Types: []string{"Case"}},
	} {
		var want, got []events.Recorded
		for _, r := range all {
			if f.Passes(r.Stream, r.Type) {
				want = append(want, r)
			}
		}
		after := l.start
		for more := true; more; {
			page, err := l.ReadAll(t.Context(), after, 4, f)
			if err != nil {
				t.Fatal(err)
			}
			if page.More && !page.Scanned.After(after) {
				t.Fatalf("%s: a page after %v scanned to %v only", name, after, page.Scanned)
			}
			got, after, more = append(got, page.Events...), page.Scanned, page.More
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %d events, want %d", name, len(got), len(want))
		}
		if after.Compare(head) < 0 {
			t.Errorf("%s: scanned to %v, but the log ends at %v", name, after, head)
		}
	}
}

func testHead(t *testing.T, l *log) {
	if h := l.head(t); h != l.start {
		t.Errorf("the head moved from %v to %v without an event", l.start, h)
	}
	for i := range 5 {
		a := l.append(t, l.stream(fmt.Sprint(i)), events.Any, proposed(1+i)...)
		if h := l.head(t); h != a.Position {
			t.Errorf("the head is %v after an append at %v", h, a.Position)
		}
	}
}

// testTail follows the log while many writers append to many streams. Every event must come exactly once, in
// the order of positions and of revisions.
func testTail(t *testing.T, l *log) {
	const writers, calls, streams = 16, 40, 30
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stored := map[uuid.UUID]bool{}
	plan := make([][][]events.Proposed, writers) // for each writer the lists that it will append
	for w := range plan {
		for call := range calls {
			list := proposed(1 + (w+call)%3)
			plan[w] = append(plan[w], list)
			for _, p := range list {
				stored[p.ID] = true
			}
		}
	}
	follow := func(size int) {
		after, last, next := l.start, l.start, map[string]uint64{}
		seen := map[uuid.UUID]bool{}
		for len(seen) < len(stored) {
			select {
			case <-l.Changed(after):
			case <-ctx.Done():
				t.Errorf("in pages of %d: the rest of the log did not come after %d events", size, len(seen))
				return
			}
			page, err := l.ReadAll(ctx, after, size, events.Filter{StreamPrefixes: []string{l.family}})
			if err != nil {
				t.Errorf("read log: %v", err)
				return
			}
			for _, r := range page.Events {
				switch {
				case seen[r.ID]:
					t.Errorf("position %v repeats an event", r.Position)
				case !stored[r.ID]:
					t.Errorf("position %v holds an event that nobody stored", r.Position)
				case !r.Position.After(last):
					t.Errorf("position %v came after %v", r.Position, last)
				case r.Revision != next[r.Stream]:
					t.Errorf("revision %d came where %d was due", r.Revision, next[r.Stream])
				}
				seen[r.ID], last, next[r.Stream] = true, r.Position, r.Revision+1
			}
			after = page.Scanned
		}
	}
	var writing, reading sync.WaitGroup
	for _, size := range []int{1, 10, 1000} {
		reading.Go(func() { follow(size) })
	}
	for w, lists := range plan {
		writing.Go(func() {
			for call, list := range lists {
				if _, err := l.Append(ctx, l.stream(fmt.Sprint((w*7+call)%streams)), events.Any, list...); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	writing.Wait()
	// Everything is stored now. A reader that missed an event would wait for ever.
	late := time.AfterFunc(30*time.Second, cancel)
	defer late.Stop()
	reading.Wait()
}

func testClock(t *testing.T, l *log) {
	for i, d := range []time.Duration{0, time.Hour, -3 * time.Hour, time.Minute, 0, 5 * time.Hour, -time.Nanosecond, 800 * time.Nanosecond, -24 * time.Hour} {
		l.turn(d)
		l.append(t, l.stream(fmt.Sprint(i%2)), events.Any, proposed(2)...)
	}
	check := func(list []events.Recorded) {
		for i := 1; i < len(list); i++ {
			if list[i].RecordedAt.Before(list[i-1].RecordedAt) {
				t.Errorf("revision %d was recorded at %v, before the %v of the event before it", list[i].Revision, list[i].RecordedAt, list[i-1].RecordedAt)
			}
		}
	}
	check(l.read(t, l.stream("0"), 0))
	check(l.read(t, l.stream("1"), 0))
	if l.features.OneClock {
		check(l.readAll(t, 100))
	}
	if l.reopen == nil {
		return
	}
	l.Store = l.reopen() // the clock still stands a day back
	l.append(t, l.stream("1"), events.Any, proposed(1)...)
	check(l.read(t, l.stream("1"), 0))
	if l.features.OneClock {
		check(l.readAll(t, 100))
	}
}

func testChanged(t *testing.T, l *log) {
	s := l.stream("a")
	for range 20 {
		head := l.head(t)
		waiting := l.Changed(head)
		a := l.append(t, s, events.Any, proposed(1)...)
		wakes(t, waiting, "waiting at the head")
		wakes(t, l.Changed(head), "an event is there already")
		wakes(t, l.Changed(l.start), "many events are there already")
		if h := l.head(t); h.Compare(a.Position) < 0 {
			t.Errorf("woken, but the head is %v", h)
		}
	}
	waiting := l.Changed(l.head(t))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wakes(t, waiting, "the store was closed")
	wakes(t, l.Changed(events.MaxPosition), "the store is closed")
}

func testNotChanged(t *testing.T, l *log) {
	s := l.stream("a")
	list := proposed(1)
	l.append(t, s, events.NoStream, list...)
	head := l.head(t)
	waiting, never := l.Changed(head), l.Changed(events.MaxPosition)
	l.append(t, s, events.NoStream, list...) // a repeat
	_, err := l.Append(t.Context(), s, events.NoStream, proposed(1)...)
	conflict(t, events.Appended{}, err)
	if _, err := l.ReadAll(t.Context(), l.start, 10, events.Filter{}); err != nil {
		t.Fatal(err)
	}
	sleeps(t, waiting, "nothing was stored")
	a := l.append(t, s, events.Any, proposed(1)...)
	wakes(t, waiting, "an event was stored")
	sleeps(t, never, "no event is after the last possible position")
	sleeps(t, l.Changed(a.Position), "the event at a position is not after it")
}

func wakes(t *testing.T, ch <-chan struct{}, when string) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(10 * time.Second):
		t.Fatalf("Changed does not wake: %s", when)
	}
}

func sleeps(t *testing.T, ch <-chan struct{}, when string) {
	t.Helper()
	select {
	case <-ch:
		t.Fatalf("Changed wakes: %s", when)
	default:
	}
}

func testCancelled(t *testing.T, l *log) {
	s := l.stream("a")
	l.append(t, s, events.NoStream, proposed(10)...)
	head := l.head(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := 0
	var last error
	for _, err := range l.ReadStream(ctx, s, 0) {
		if last = err; err != nil {
			break
		}
		if seen++; seen == 3 {
			cancel()
		}
	}
	// A store may have read ahead, but a stream cut short never looks like a whole one.
	if seen < 10 && !errors.Is(last, context.Canceled) {
		t.Errorf("a cancelled read of a stream ended after %d of 10 events with %v", seen, last)
	}
	_, appendErr := l.Append(ctx, s, events.Any, proposed(1)...)
	_, streamErr := collect(ctx, l.Store, s, 0)
	_, allErr := l.ReadAll(ctx, l.start, 10, events.Filter{})
	_, headErr := l.Head(ctx)
	for name, err := range map[string]error{"append": appendErr, "read stream": streamErr, "read log": allErr, "head": headErr} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v", name, err)
		}
	}
	if l.head(t) != head {
		t.Error("an append that was cancelled before it began was stored")
	}
}

func testClosed(t *testing.T, l *log) {
	s := l.stream("a")
	l.append(t, s, events.NoStream, proposed(3)...)
	var (
		last error
		seen int
	)
	for _, err := range l.ReadStream(t.Context(), s, 0) {
		if last = err; err != nil {
			break
		}
		if seen++; seen == 1 {
			if err := l.Close(); err != nil {
				t.Fatalf("close: %v", err)
			}
		}
	}
	if seen < 3 && !errors.Is(last, events.ErrClosed) {
		t.Errorf("a read over the closing ended after %d of 3 events with %v", seen, last)
	}
	_, appendErr := l.Append(t.Context(), s, events.Any, proposed(1)...)
	_, streamErr := collect(t.Context(), l.Store, s, 0)
	_, missingErr := collect(t.Context(), l.Store, l.stream("missing"), 0)
	_, allErr := l.ReadAll(t.Context(), events.Start, 10, events.Filter{})
	_, endErr := l.ReadAll(t.Context(), events.MaxPosition, 10, events.Filter{})
	_, headErr := l.Head(t.Context())
	for name, err := range map[string]error{
		"append": appendErr, "read stream": streamErr, "read a missing stream": missingErr,
		"read log": allErr, "read after the end of the log": endErr, "head": headErr,
	} {
		if !errors.Is(err, events.ErrClosed) {
			t.Errorf("%s on a closed store: %v", name, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

func testReopen(t *testing.T, l *log) {
	if l.reopen == nil {
		t.Skip("this log does not outlive its store")
	}
	s := l.stream("a")
	list := proposed(3)
	first := l.append(t, s, events.NoStream, list...)
	l.append(t, l.stream("b"), events.NoStream, proposed(2)...)
	before, head := l.readAll(t, 10), l.head(t)
	l.Store = l.reopen()
	if got := l.readAll(t, 10); !reflect.DeepEqual(got, before) || l.head(t) != head {
		t.Fatalf("reopened, the log reads otherwise: %d events, before %d", len(got), len(before))
	}
	again := l.append(t, s, events.NoStream, list...)
	if !again.Repeated || again.Position != first.Position {
		t.Errorf("a repeat after reopening is answered %+v, first %+v", again, first)
	}
	_, err := l.Append(t.Context(), s, events.NoStream, proposed(1)...)
	conflict(t, events.Appended{}, err)
	if a := l.append(t, s, events.Revision(2), proposed(1)...); a.Revision != 3 || !a.Position.After(head) {
		t.Errorf("the first append after reopening went to %+v", a)
	}
}
