package obligations

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections"
)

// version is what an obligation was known to be from one event on.
type version struct {
	// said is what it says, packed.
	said []byte
	// What of it the tables are kept by.
	jurisdiction events.Jurisdiction
	rule         string
	outcome      protocol.State
	due          int64
	warnFrom     int64
	overdueFrom  int64
	levels       [3]int64
	// known is the event since which it is known.
	known moment
	// What is on record of its being overdue: for which due date, and the highest level.
	recordedDue, recordedLevel int64
}

// moment is an event's place in time and in the log. A position is its commit and how far prepare lies behind, which
// is 0 on the embedded store.
type moment struct{ at, commit, behind int64 }

func momentOf(e *events.Event) moment {
	return moment{e.RecordedAt.UnixMicro(), int64(e.Position.Commit), behind(e.Position)}
}

func behind(p events.Position) int64 { return int64(p.Commit - p.Prepare) }

// outcomes as packed: their place. New ones come last.
var outcomes = [...]protocol.State{protocol.Pending, protocol.Met, protocol.MetLate, protocol.Waived, protocol.Cancelled, protocol.Missed}

// ranks of severity, gravest first, as packed.
var ranks = [...]protocol.Severity{protocol.Critical, protocol.High, protocol.Medium}

func rank(s protocol.Severity) int64 {
	if i := slices.Index(ranks[:], s); i >= 0 {
		return int64(i)
	}
	return int64(len(ranks))
}

func severity(rank int64) protocol.Severity {
	if rank < 0 || rank >= int64(len(ranks)) {
		return ""
	}
	return ranks[rank]
}

// micros is an instant as stored: 0 for none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// newVersion packs an obligation of a case. What a decided one no longer needs is left out: nothing lists it.
func newVersion(c *projections.Case, o *protocol.Obligation, subdivision string, e *events.Event) (*version, error) {
	outcome := slices.Index(outcomes[:], o.Outcome)
	if outcome < 0 {
		return nil, fmt.Errorf("obligation %s has no known outcome", o.ID)
	}
	v := &version{jurisdiction: c.Jurisdiction, rule: o.Rule, outcome: o.Outcome, due: int64(o.Due.Date), known: momentOf(e)}
	b := make([]byte, 0, 160)
	b = binary.AppendVarint(b, c.ID)
	b = appendText(b, c.Number)
	b = appendText(b, string(c.Jurisdiction))
	b = appendText(b, o.ID)
	b = appendText(b, o.Rule)
	b = append(b, byte(outcome))
	b = binary.AppendVarint(b, v.due)
	b = binary.AppendVarint(b, int64(o.MetOn))
	if o.Outcome == protocol.Pending {
		v.warnFrom, v.overdueFrom = micros(o.WarnFrom), micros(o.OverdueFrom)
		b = binary.AppendVarint(b, v.overdueFrom)
		for i := range v.levels {
			v.levels[i] = micros(o.EscalateFrom[i])
			b = binary.AppendVarint(b, v.levels[i])
		}
		b = binary.AppendVarint(b, v.warnFrom)
		b = binary.AppendVarint(b, micros(o.Due.Instant))
		b = binary.AppendVarint(b, rank(o.Severity))
		b = appendText(b, string(o.Duty))
		b = appendText(b, string(o.DutyHolder))
		b = appendText(b, string(o.Toward))
		b = appendText(b, subdivision)
		if o.AcknowledgedBy == uuid.Nil {
			b = appendText(b, "")
		} else {
			b = appendText(b, string(o.AcknowledgedBy[:]))
		}
	}
	v.said = b
	return v, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendBody packs the version into a row's body: what it says, since when it is known and what is on record of it.
func (v *version) appendBody(b []byte) []byte {
	b = append(b, v.said...)
	b = v.known.append(b)
	b = binary.AppendVarint(b, v.recordedDue)
	return binary.AppendVarint(b, v.recordedLevel)
}

func (m moment) append(b []byte) []byte {
	b = binary.AppendVarint(b, m.at)
	b = binary.AppendVarint(b, m.commit)
	return binary.AppendVarint(b, m.behind)
}

// watchFrom is the instant at which the deadline watcher next has something to record, 0 for never.
func (v *version) watchFrom() int64 {
	switch {
	case v.outcome != protocol.Pending:
		return 0
	case v.recordedDue != v.due:
		return v.overdueFrom
	case v.recordedLevel < int64(len(v.levels)):
		return v.levels[max(v.recordedLevel, 0)]
	}
	return 0
}

// row is a row's body, unpacked. Its texts are parts of the body: good as long as that is.
type row struct {
	caseID                                       int64
	number, jurisdiction, obligation, rule       []byte
	outcome                                      protocol.State
	due, metOn                                   int64
	overdueFrom, warnFrom, dueAt, severity       int64
	levels                                       [3]int64
	duty, holder, toward, subdivision, ackedByID []byte
	said                                         []byte
	known                                        moment
	recordedDue, recordedLevel                   int64
	past                                         bool
	until                                        moment // of one in past
}

// unpack reads a row's body; past says that it is one of the table past.
func (r *row) unpack(body []byte, past bool) error {
	d := unpacker{rest: body}
	*r = row{caseID: d.number(), number: d.text(), jurisdiction: d.text(), obligation: d.text(), rule: d.text(), past: past}
	if outcome := d.byte(); int(outcome) < len(outcomes) {
		r.outcome = outcomes[outcome]
	} else {
		d.bad = true
	}
	r.due, r.metOn = d.number(), d.number()
	if r.outcome == protocol.Pending {
		r.overdueFrom = d.number()
		for i := range r.levels {
			r.levels[i] = d.number()
		}
		r.warnFrom, r.dueAt, r.severity = d.number(), d.number(), d.number()
		r.duty, r.holder, r.toward, r.subdivision, r.ackedByID = d.text(), d.text(), d.text(), d.text(), d.text()
	}
	r.said = body[:len(body)-len(d.rest)]
	r.known = d.moment()
	r.recordedDue, r.recordedLevel = d.number(), d.number()
	if past {
		r.until = d.moment()
	}
	if d.bad || len(d.rest) > 0 {
		return fmt.Errorf("an obligation's row: %w", projections.ErrDamaged)
	}
	return nil
}

// version is the row as a version, on its own memory.
func (r *row) version() *version {
	return &version{said: slices.Clone(r.said), jurisdiction: events.Jurisdiction(r.jurisdiction), rule: string(r.rule), outcome: r.outcome, due: r.due,
		warnFrom: r.warnFrom, overdueFrom: r.overdueFrom, levels: r.levels, known: r.known, recordedDue: r.recordedDue, recordedLevel: r.recordedLevel}
}

// unpacker reads a body from its front.
type unpacker struct {
	rest []byte
	bad  bool
}

func (d *unpacker) number() int64 {
	n, size := binary.Varint(d.rest)
	if size <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *unpacker) byte() byte {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *unpacker) text() []byte {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 || n > uint64(len(d.rest)-size) {
		d.bad, d.rest = true, nil
		return nil
	}
	s := d.rest[size : size+int(n)]
	d.rest = d.rest[size+int(n):]
	return s
}

func (d *unpacker) moment() moment { return moment{d.number(), d.number(), d.number()} }

// includedIn reports whether the moment was known as of then.
func (m moment) includedIn(asOf events.AsOf) bool {
	switch p := asOf.Position; {
	case asOf.IsNow():
		return true
	case p != events.Start:
		return uint64(m.commit) < p.Commit || uint64(m.commit) == p.Commit && m.behind >= behind(p)
	}
	return m.at <= asOf.Instant.UnixMicro()
}
