package safeguards

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"traga.internal/events"
)

// ruling is a safeguard's answer before it is dressed as a Verdict.
type ruling struct {
	verdict     string
	events      []uuid.UUID
	explanation string
}

func notApplicable(why string) ruling { return ruling{verdict: NotApplicable, explanation: why + "."} }

// tally gathers what broke a safeguard, what it still waits for, what can't be judged and what held, and sums it up: one
// failure outweighs everything, then what is open, then what can't be judged because it was erased, which makes the
// safeguard not-applicable; and so does having nothing to judge.
type tally struct {
	broke, waits, unread, held heap
}

type heap struct {
	cases  int
	why    string // of the first
	events []uuid.UUID
}

func (h *heap) add(why string, ids ...uuid.UUID) {
	if h.cases == 0 {
		h.why = why
	}
	h.cases++
	h.events = append(h.events, ids...)
}

// fail counts one case that breaks the safeguard; why is a sentence without its full stop.
func (t *tally) fail(why string, ids ...uuid.UUID) { t.broke.add(why, ids...) }

// await counts one case that can't be decided yet.
func (t *tally) await(why string, ids ...uuid.UUID) { t.waits.add(why, ids...) }

// erased counts one case that can't be judged, because what it hangs on was erased.
func (t *tally) erased(ids ...uuid.UUID) { t.unread.add("", ids...) }

// hold counts one case in which the safeguard held.
func (t *tally) hold(ids ...uuid.UUID) { t.held.add("", ids...) }

// sum is the ruling; pass and none are the sentences, without full stop, for all held and nothing to judge.
func (t *tally) sum(pass, none string) ruling {
	switch {
	case t.broke.cases > 0:
		return ruling{Fail, t.broke.events, t.broke.sentence("finding")}
	case t.waits.cases > 0:
		return ruling{Open, t.waits.events, t.waits.sentence("open point")}
	case t.unread.cases > 0:
		return ruling{NotApplicable, t.unread.events, "Personal data that this hangs on was erased, so it can't be judged any more."}
	case t.held.cases > 0:
		return ruling{Pass, t.held.events, pass + "."}
	}
	return notApplicable(none)
}

func (h *heap) sentence(kind string) string {
	if h.cases == 1 {
		return h.why + "."
	}
	return fmt.Sprintf("%s; this is the first of %d such %ss.", h.why, h.cases, kind)
}

// withheld reports whether one of these fields of an entry, named by their pointers, can't be read.
func (e *entry) withheld(pointers ...string) bool {
	return slices.ContainsFunc(e.Withheld, func(w events.Withheld) bool { return slices.Contains(pointers, w.Pointer) })
}
