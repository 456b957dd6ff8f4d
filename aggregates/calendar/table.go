package calendar

import (
	"math"
	"math/bits"
	"slices"
	"time"

	"traga.internal/events"
)

// The years that a table lays out: those that traga accepts for a date in an event.
const (
	tableFirstYear = 1900
	tableLastYear  = 2199
)

var (
	tableFirst = events.DateOf(tableFirstYear, time.January, 1)
	tableLast  = events.DateOf(tableLastYear, time.December, 31)
)

// table has one bit for each day of the years above, set on working days, and a running count for each word of
// bits, so that a day is looked up and working days are counted in constant time. Beyond its ends the week alone
// decides.
//
// Working days are numbered: rank(d) is the number of working days from an arbitrary fixed origin up to and
// including d, over all dates, and nth is its inverse.
type table struct {
	word   []uint64
	before []int32 // working days of the table before word i; one more than there are words
	origin int64   // rank of the day before the table
	total  int64   // rank of its last day
}

// newTable has every Monday to Friday as a working day.
func newTable() *table {
	n := int(tableLast-tableFirst) + 1
	t := &table{word: make([]uint64, (n+63)/64), before: make([]int32, (n+63)/64+1), origin: weekdays(int64(tableFirst) - 1)}
	t.reset(tableFirst, tableLast)
	return t
}

// reset makes every Monday to Friday from first to last, within the table, a working day. Saturdays and Sundays
// never are.
func (t *table) reset(first, last events.Date) {
	for d := max(first, tableFirst); d <= min(last, tableLast); d++ {
		if i := uint32(d - tableFirst); weekday(d) {
			t.word[i/64] |= 1 << (i % 64)
		}
	}
}

// clone is an independent copy.
func (t *table) clone() *table {
	c := *t
	c.word, c.before = slices.Clone(t.word), slices.Clone(t.before)
	return &c
}

// setOff makes d a day off. After it and reset the running counts are stale until count is called.
func (t *table) setOff(d events.Date) {
	if i := uint32(d - tableFirst); i <= uint32(tableLast-tableFirst) {
		t.word[i/64] &^= 1 << (i % 64)
	}
}

func (t *table) count() {
	for i, w := range t.word {
		t.before[i+1] = t.before[i] + int32(bits.OnesCount64(w))
	}
	t.total = t.origin + int64(t.before[len(t.word)])
}

func (t *table) working(d events.Date) bool {
	// A date before the table wraps round to a large number.
	if i := uint32(d) - uint32(tableFirst); i <= uint32(tableLast-tableFirst) {
		return t.word[i/64]>>(i%64)&1 == 1
	}
	return weekday(d)
}

func (t *table) rank(d events.Date) int64 {
	switch {
	case d < tableFirst:
		return weekdays(int64(d))
	case d > tableLast:
		return weekdays(int64(d)) - weekdays(int64(tableLast)) + t.total
	}
	i := uint32(d - tableFirst)
	upTo := t.word[i/64] << (63 - i%64) // the bits after d shifted out
	return t.origin + int64(t.before[i/64]) + int64(bits.OnesCount64(upTo))
}

// nth is the working day of rank k. It lies about n working days from near, which makes the search short.
func (t *table) nth(k int64, near events.Date, n int) events.Date {
	if k <= t.origin {
		return clamp(nthWeekday(k))
	}
	if k > t.total {
		return clamp(nthWeekday(k - t.total + weekdays(int64(tableLast))))
	}
	left := int32(k - t.origin) // at least 1
	// Seven days hold five working days at most; the holidays in between are made up for step by step.
	w := max(0, min(len(t.word)-1, (int(near)-int(tableFirst)+n/5*7)/64))
	for t.before[w] >= left {
		w--
	}
	for t.before[w+1] < left {
		w++
	}
	bit := selectBit(t.word[w], int(left-t.before[w]-1))
	return tableFirst + events.Date(w*64+bit)
}

// selectBit is the position of the set bit that has k set bits below it.
func selectBit(w uint64, k int) int {
	pos := 0
	for width := 32; width > 0; width /= 2 {
		if low := bits.OnesCount64(w & (1<<width - 1)); k >= low {
			k -= low
			w >>= width
			pos += width
		}
	}
	return pos
}

// weekday reports whether d is a Monday to Friday.
func weekday(d events.Date) bool {
	day := ((int64(d) % 7) + 7) % 7
	return day != int64(time.Saturday) && day != int64(time.Sunday)
}

// weekdays counts the Mondays to Fridays from day 1, which is a Monday, up to and including d; for days before
// that it is negative or zero.
func weekdays(d int64) int64 {
	week := floorDiv(d, 7)
	return 5*week + min(d-7*week, 5)
}

// nthWeekday is the inverse of weekdays: the Monday to Friday d for which weekdays(d) is k.
func nthWeekday(k int64) int64 {
	week := floorDiv(k-1, 5)
	return 7*week + (k - 1 - 5*week) + 1
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// clamp keeps a day within what a Date can hold.
func clamp(d int64) events.Date {
	return events.Date(max(math.MinInt32, min(math.MaxInt32, d)))
}
