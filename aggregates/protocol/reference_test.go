package protocol

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"traga.internal/events"
)

// clerk keeps one before-release obligation by hand, the way an officer with a diary would: it looks at each event
// as it comes in, once, and never back. It only knows cases in which everything is recorded at once and nothing is
// corrected; for those it must agree with the Tracker.
type clerk struct {
	working func(events.Date) bool
	today   func(time.Time) events.Date
	plain   func(release events.Date) events.Date
	meets   func(any) bool

	release    events.Date
	known      bool
	gone       bool
	due        events.Date
	compressed bool
	state      string // "", met, met-late, waived
	breaches   int
	done       bool // before there was anything to be done
	doneOn     events.Date
}

func (c *clerk) see(e *events.Event) {
	now := c.today(e.RecordedAt)
	if c.meets(e.Data) && c.state == "" {
		if !c.known {
			if !c.done {
				c.done, c.doneOn = true, now
			}
		} else {
			c.meet(now)
		}
	}
	switch d := e.Data.(type) {
	case *events.ExpectedReleaseDateSet:
		c.decide(d.Date, now)
	case *events.ExpectedReleaseDateChanged:
		c.decide(d.To, now)
	case *events.ObligationWaived:
		if d.Obligation == "notify-csw" && c.known && c.state == "" {
			c.state = "waived"
			if c.due < now {
				c.breaches++
			}
		}
	case *events.PersonReleased:
		if c.gone {
			return
		}
		c.gone = true
		if c.known && c.state == "" && now < c.release && c.due >= now {
			c.due, c.compressed = now, false
		}
	}
}

func (c *clerk) meet(on events.Date) {
	c.state = "met"
	if on > c.due {
		c.state = "met-late"
	}
}

func (c *clerk) decide(release, now events.Date) {
	if c.gone {
		return
	}
	before := c.release
	c.release = release
	switch {
	case !c.known:
		c.known = true
		c.count(now)
		if c.done {
			c.meet(c.doneOn)
		}
	case c.state != "" || release == before:
	case c.due < now && release < before: // no amnesty
	case c.due < now:
		c.breaches++
		c.count(now)
	default:
		c.count(now)
	}
}

func (c *clerk) count(now events.Date) {
	c.due, c.compressed = c.plain(c.release), false
	for !c.working(c.due) {
		c.due--
	}
	next := now + 1
	for !c.working(next) {
		next++
	}
	if c.due < next {
		c.due, c.compressed = next, true
	}
}

func TestTheTrackerAgreesWithAClerk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(t, "MK")
		tr := NewTracker(s.book)
		tr.Evolve(s.log[0])
		cal := tr.Calendar()
		c := &clerk{working: cal.IsWorkingDay, today: func(at time.Time) events.Date { return events.DateIn(at, cal.Zone()) },
			plain: func(r events.Date) events.Date { return r - 90 },
			meets: func(d any) bool {
				n, ok := d.(*events.NotificationSent)
				return ok && n.Subject == "planned-release" && n.Recipient.Role == events.CSW
			}}
		at := s.instant("2025-12-01")
		for n := range rapid.IntRange(1, 25).Draw(t, "length") {
			at = at.Add(time.Duration(rapid.IntRange(1, 24*25).Draw(t, "hours")) * time.Hour)
			d := func() doing {
				date := day("2026-03-02") + events.Date(rapid.IntRange(-60, 300).Draw(t, "date"))
				switch rapid.IntRange(0, 12).Draw(t, "what") {
				case 0:
					return doing{prison, &events.ExpectedReleaseDateSet{Date: date}}
				case 1:
					return doing{prison, freed()}
				case 2:
					return doing{directorate, waive("notify-csw")}
				case 3:
					return doing{prison, planned(itoa(n), csw)}
				case 4:
					return doing{prison, planned(itoa(n), police)}
				}
				return doing{court, &events.ExpectedReleaseDateChanged{To: date}}
			}()
			s.add(d.by, at, at, d.data)
			e := s.log[len(s.log)-1]
			tr.Evolve(e)
			c.see(e)
			now := at.Add(time.Minute)
			want, got := "none", "none"
			if c.known {
				state := c.state
				if state == "" {
					state = "open"
					if c.today(now) > c.due {
						state = "overdue"
					}
				}
				want = line(c.due, state, c.compressed, c.breaches)
			}
			for _, o := range tr.Obligations() {
				if o.ID == "notify-csw" {
					state := string(o.State(now))
					if state == "pending" || state == "due-soon" {
						state = "open"
					}
					got = line(o.Due.Date, state, o.Compressed, len(o.Breaches))
				}
			}
			if got != want {
				t.Fatalf("after %T on %s: %s, the clerk has %s", d.data, at, got, want)
			}
		}
	})
}

func line(due events.Date, state string, compressed bool, breaches int) string {
	text := due.String() + " " + state
	if compressed {
		text += " compressed"
	}
	return text + " " + itoa(breaches)
}

// No event order of independent cases matters: trackers share nothing but the book.
func TestIndependentCasesDoNotTouch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyStory(t, 12), anyStory(t, 12)
		book := NewBook()
		alone := NewTracker(book)
		for _, e := range a.log {
			alone.Evolve(e)
		}
		mixed, other := NewTracker(book), NewTracker(book)
		i, j := 0, 0
		for i < len(a.log) || j < len(b.log) {
			if j == len(b.log) || i < len(a.log) && rapid.Bool().Draw(t, "first") {
				mixed.Evolve(a.log[i])
				i++
			} else {
				other.Evolve(b.log[j])
				j++
			}
		}
		x, y := alone.Obligations(), mixed.Obligations()
		for k := range x {
			if !same(&x[k], &y[k]) {
				t.Fatalf("%+v or %+v", x[k], y[k])
			}
		}
	})
}
