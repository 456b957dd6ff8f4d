package esdbtest

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Log is the database of one or more Servers. It is safe for concurrent use.
type Log struct {
	clock func() time.Time

	mu      sync.Mutex
	records []*record // in the order of their positions
	streams map[string]*stream
	ids     map[uuid.UUID]*record // the first record of each id, in whatever stream
	next    uint64                // where the next record goes
	grown   chan struct{}         // closed and replaced with every write
	file    *os.File              // nil for a log in memory
}

// record is one event of the log.
type record struct {
	ID       uuid.UUID `json:"id"`
	Stream   string    `json:"stream"`
	Revision int64     `json:"revision"`
	Position uint64    `json:"position"` // commit and prepare
	Type     string    `json:"type"`
	JSON     bool      `json:"json"`
	Created  int64     `json:"created"` // ticks of 100 ns since 1970
	Data     []byte    `json:"data"`
	Metadata []byte    `json:"metadata"`
}

type stream struct {
	events    []*record // by revision
	tombstone *record
	// From its metadata; minus one where it says nothing.
	truncateBefore, maxCount, maxAge int64
	deleted                          bool // softly
}

const (
	// deletedRevision is that of the event that ends a tombstoned stream, and what a softly deleted one is truncated
	// before.
	deletedRevision = math.MaxInt64
	metadataType    = "$metadata"
	tombstoneType   = "$streamDeleted"
)

// NewLog makes an empty database in memory whose events are created at the times of the clock; nil is time.Now.
func NewLog(clock func() time.Time) *Log {
	if clock == nil {
		clock = time.Now
	}
	l := &Log{clock: clock, streams: map[string]*stream{}, ids: map[uuid.UUID]*record{}, grown: make(chan struct{}), next: 548}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(l.newRecord("$$$scavenges", proposal{id: uuid.New(), typ: metadataType, json: true,
		data: []byte(`{"$maxAge":2592000,"$acl":{"$r":"$ops","$w":[],"$d":[],"$mr":[],"$mw":[]}}`)}))
	return l
}

// OpenLog opens a database that is kept in a file, and makes it where there is none. Every write is one line of the
// file; a last line that was cut off by a crash was never acknowledged, and goes.
func OpenLog(path string, clock func() time.Time) (*Log, error) {
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	l := NewLog(clock)
	l.mu.Lock()
	defer l.mu.Unlock()
	whole := 0
	for {
		line, _, found := strings.Cut(string(b[whole:]), "\n")
		if !found {
			break
		}
		var w write
		if err := json.Unmarshal([]byte(line), &w); err != nil {
			return nil, err
		}
		for _, r := range w.Records {
			l.add(r)
		}
		l.next = w.Next
		whole += len(line) + 1
	}
	if l.file, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	if err := l.file.Truncate(int64(whole)); err != nil {
		return nil, err
	}
	_, err = l.file.Seek(int64(whole), 0)
	return l, err
}

// write is one line of a log's file.
type write struct {
	Records []*record `json:"records"`
	Next    uint64    `json:"next"`
}

// Fork returns a copy of the database: what one node holds that has gone its own way.
func (l *Log) Fork() *Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &Log{clock: l.clock, streams: map[string]*stream{}, ids: map[uuid.UUID]*record{}, grown: make(chan struct{})}
	for _, r := range l.records {
		f.add(r)
	}
	f.next = l.next
	return f
}

// Cut takes away the last n events, as a node does that finds that it wrote what no other node has.
func (l *Log) Cut(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.records[:len(l.records)-n]
	l.records, l.streams, l.ids = nil, map[string]*stream{}, map[uuid.UUID]*record{}
	for _, r := range kept {
		l.add(r)
	}
}

// End is the position of the last event.
func (l *Log) End() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.records[len(l.records)-1].Position
}

// Revisions is how many events a stream ever had.
func (l *Log) Revisions(name string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.streams[name]; s != nil {
		return len(s.events)
	}
	return 0
}

// proposal is an event that a caller wants written.
type proposal struct {
	id         uuid.UUID
	typ        string
	json       bool
	data, meta []byte
}

func (l *Log) newRecord(name string, p proposal) *record {
	r := &record{ID: p.id, Stream: name, Position: l.next, Type: p.typ, JSON: p.json, Created: l.clock().UnixNano() / 100, Data: p.data, Metadata: p.meta}
	if s := l.streams[name]; s != nil {
		r.Revision = int64(len(s.events))
	}
	return r
}

// add puts a record in its place. The caller holds mu.
func (l *Log) add(r *record) {
	s := l.streams[r.Stream]
	if s == nil {
		s = &stream{truncateBefore: -1, maxCount: -1, maxAge: -1}
		if strings.HasPrefix(r.Stream, "$$") {
			s.maxCount = 1
		}
		if m := l.streams["$$"+r.Stream]; m != nil && len(m.events) > 0 {
			s.heed(m.events[len(m.events)-1])
		}
		l.streams[r.Stream] = s
	}
	if r.Type == tombstoneType && r.Revision == deletedRevision {
		s.tombstone = r
	} else {
		s.events = append(s.events, r)
	}
	if of, ok := strings.CutPrefix(r.Stream, "$$"); ok {
		if s := l.streams[of]; s != nil {
			s.heed(r)
		}
	}
	l.records = append(l.records, r)
	if l.ids[r.ID] == nil {
		l.ids[r.ID] = r
	}
	l.next = r.Position + 93 + uint64(len(r.Stream)+len(r.Type)+len(r.Data)+len(r.Metadata))
}

// heed takes up what a stream's metadata says of it. What is no metadata says nothing.
func (s *stream) heed(r *record) {
	m := struct {
		TB       *int64 `json:"$tb"`
		MaxCount *int64 `json:"$maxCount"`
		MaxAge   *int64 `json:"$maxAge"`
	}{}
	s.truncateBefore, s.maxCount, s.maxAge, s.deleted = -1, -1, -1, false
	if json.Unmarshal(r.Data, &m) != nil {
		return
	}
	for to, from := range map[*int64]*int64{&s.truncateBefore: m.TB, &s.maxCount: m.MaxCount, &s.maxAge: m.MaxAge} {
		if from != nil {
			*to = *from
		}
	}
	s.deleted = s.truncateBefore == deletedRevision
}

// first is the first revision that a reader of the stream still sees.
func (s *stream) first(now time.Time) int64 {
	first := max(0, s.truncateBefore)
	if s.maxCount >= 0 {
		first = max(first, int64(len(s.events))-s.maxCount)
	}
	if s.maxAge >= 0 {
		oldest := now.UnixNano()/100 - s.maxAge*10_000_000
		for first < int64(len(s.events)) && s.events[first].Created < oldest {
			first++
		}
	}
	return first
}

// Expectations of a stream, as the server counts them; others are revisions.
const (
	expectAny      = -2
	expectNoStream = -1
	expectExists   = -4
)

// outcome is what became of an append.
type outcome int

const (
	written outcome = iota
	repeated
	wrongVersion
	streamDeleted
)

// result of an append: the revision and position of its last event. current is the stream's last revision, -1 without
// one; noPosition is set where the server does not say where.
type result struct {
	outcome    outcome
	revision   int64
	position   uint64
	current    int64
	noPosition bool
}

// append writes events at a stream's end, all or none, by the rules of the real server: under Any a first id that is
// unknown means that all are new, and a repeat is known by ids alone.
func (l *Log) append(name string, expected int64, list []proposal) (result, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.streams[name]
	current := int64(-1)
	if s != nil {
		current = int64(len(s.events)) - 1
	}
	res := l.decide(name, s, current, expected, list)
	res.current = current
	if res.outcome != written {
		return res, nil
	}
	w := write{}
	soft := s != nil && s.deleted
	for _, p := range list {
		r := l.newRecord(name, p)
		l.add(r)
		w.Records = append(w.Records, r)
		res.revision, res.position = r.Revision, r.Position
	}
	if len(list) == 0 {
		res.revision, res.position = current, l.next
		l.next += 97
	}
	if soft && len(list) > 0 { // what was there before stays hidden
		b, _ := json.Marshal(map[string]int64{"$tb": current + 1})
		r := l.newRecord("$$"+name, proposal{id: uuid.New(), typ: metadataType, json: true, data: b})
		l.add(r)
		w.Records = append(w.Records, r)
	}
	return res, l.keep(w)
}

func (l *Log) decide(name string, s *stream, current, expected int64, list []proposal) result {
	metadataOfDeleted := false
	if of, ok := strings.CutPrefix(name, "$$"); ok {
		t := l.streams[of]
		metadataOfDeleted = t != nil && t.tombstone != nil
	}
	soft := s != nil && s.deleted
	switch {
	case s != nil && s.tombstone != nil, metadataOfDeleted, expected == expectExists && soft:
		return result{outcome: streamDeleted}
	case expected == expectExists && current < 0:
		return result{outcome: wrongVersion}
	case expected == expectAny || expected == expectExists:
		var last *record
		for i, p := range list {
			known := l.ids[p.id]
			if known == nil || known.Stream != name {
				if i > 0 {
					return result{outcome: wrongVersion}
				}
				return result{outcome: written}
			}
			last = known
		}
		if last == nil {
			return result{outcome: written}
		}
		return result{outcome: repeated, revision: last.Revision, position: last.Position, noPosition: soft}
	case expected < current:
		at := expected
		for i, p := range list {
			at++
			if at <= current && s.events[at].ID == p.id {
				continue
			}
			if i == 0 && soft && expected == expectNoStream {
				return result{outcome: written}
			}
			return result{outcome: wrongVersion}
		}
		if len(list) == 0 {
			return result{outcome: wrongVersion}
		}
		return result{outcome: repeated, revision: at, position: s.events[at].Position, noPosition: soft}
	case expected > current:
		return result{outcome: wrongVersion}
	}
	return result{outcome: written}
}

// remove deletes a stream, softly or for good. Its result's current is the revision that was found.
func (l *Log) remove(name string, expected int64, forGood bool) (result, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.streams[name]
	current := int64(-1)
	if s != nil {
		current = int64(len(s.events)) - 1
	}
	res := result{current: current}
	switch {
	case s != nil && s.tombstone != nil, !forGood && s != nil && s.deleted && expected == expectExists:
		res.outcome = streamDeleted
		return res, nil
	case expected == expectAny && (forGood || current >= 0), expected == expectExists && current >= 0, expected >= 0 && expected == current:
	case forGood && expected == expectNoStream && current < 0:
	default:
		res.outcome = wrongVersion
		return res, nil
	}
	var r *record
	if forGood {
		r = l.newRecord(name, proposal{id: uuid.New(), typ: tombstoneType})
		r.Revision = deletedRevision
	} else {
		r = l.newRecord("$$"+name, proposal{id: uuid.New(), typ: metadataType, json: true, data: []byte(`{"$tb":9223372036854775807}`)})
	}
	l.add(r)
	res.position = r.Position
	return res, l.keep(write{Records: []*record{r}})
}

// keep makes a write durable and known. The caller holds mu.
func (l *Log) keep(w write) error {
	close(l.grown)
	l.grown = make(chan struct{})
	if l.file == nil {
		return nil
	}
	w.Next = l.next
	b, err := json.Marshal(w)
	if err == nil {
		_, err = l.file.Write(append(b, '\n'))
	}
	return err
}

// status is how a stream stands.
func (l *Log) status(name string) (s *stream, deleted bool) {
	s = l.streams[name]
	if of, ok := strings.CutPrefix(name, "$$"); ok {
		if t := l.streams[of]; t != nil && t.tombstone != nil {
			return s, true
		}
	}
	return s, s != nil && s.tombstone != nil
}

// at finds the first record at or after a position, and whether it begins there.
func (l *Log) at(position uint64) (int, bool) {
	return slices.BinarySearchFunc(l.records, position, func(r *record, p uint64) int {
		switch {
		case r.Position < p:
			return -1
		case r.Position > p:
			return 1
		}
		return 0
	})
}
