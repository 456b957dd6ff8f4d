// Package accesslog is the read model of who looked: every consultation of a case, every look that was refused and
// every export, by case, by officer and by time, as known at any instant.
//
// Whoever lets someone look records it first, with record.RecordInternal: a CaseConsulted, AccessDenied or
// ExportProduced in the access stream of the case. A look at a list over many cases is one entry, of no case: an
// action without a case, which goes to events.AccessStream("") and whose view names the query, never a person.
//
// It is a regime of its own (design.md): for those whose mandate it is to ask who looked, and for nothing else. No
// statistic of performance may read it, and nothing here counts.
package accesslog

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/projections"
)

// Name is the projection's name.
const Name = "accesslog"

// Kind is what an entry is about.
type Kind string

// The kinds.
const (
	Consulted Kind = "consulted"
	Denied    Kind = "denied"
	Exported  Kind = "exported"
)

// Entry is one look, as GET /v1/cases/{n}/access and `traga case access` show it. Texts that a kind does not have are
// empty.
type Entry struct {
	ID         uuid.UUID       `json:"id"`
	Position   events.Position `json:"position"`
	RecordedAt time.Time       `json:"recordedAt"` // before the answer left
	Kind       Kind            `json:"kind"`
	Case       string          `json:"case"` // empty for a list over many cases
	// Jurisdiction of the case, or of the list; empty for a list over several.
	Jurisdiction  events.Jurisdiction `json:"jurisdiction"`
	Actor         events.Actor        `json:"actor"`
	View          string              `json:"view"`
	Purpose       events.Purpose      `json:"purpose"`
	Justification string              `json:"justification"`
	Policies      []string            `json:"policies"`  // that decided; never nil
	Format        string              `json:"format"`    // of an export
	Recipient     string              `json:"recipient"` // of an export
	Digest        string              `json:"digest"`    // of an export
}

// entryOf is an event of the access log as an entry; false for any other event.
func entryOf(e *events.Event) (Entry, bool) {
	n := Entry{ID: e.ID, Position: e.Position, RecordedAt: e.RecordedAt, Case: e.Case, Jurisdiction: e.Jurisdiction, Actor: e.Actor, Purpose: e.Purpose}
	switch d := e.Data.(type) {
	case *events.CaseConsulted:
		n.Kind, n.View, n.Justification, n.Policies = Consulted, d.View, d.Justification, d.Policy
	case *events.AccessDenied:
		n.Kind, n.View, n.Policies = Denied, d.View, d.Policy
	case *events.ExportProduced:
		n.Kind, n.Format, n.Recipient, n.Justification, n.Digest = Exported, d.Format, d.Recipient, d.Justification, d.Digest
	default:
		return n, false
	}
	if n.Policies == nil {
		n.Policies = []string{}
	}
	return n, true
}

// Log is what is needed of the store.
type Log interface {
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[events.Recorded, error]
}

// OfCase is who looked at one case by the asked instant, the latest look first: a fold of its access stream, with no
// table in between. An empty number is that of the lists over many cases.
func OfCase(ctx context.Context, log Log, number string, asOf events.AsOf) ([]Entry, error) {
	list := []Entry{}
	for r, err := range log.ReadStream(ctx, events.AccessStream(number), 0) {
		if err != nil {
			return nil, fmt.Errorf("read who looked: %w", err)
		}
		if !asOf.Includes(r.RecordedAt, r.Position) {
			break // neither decreases in a stream
		}
		e, err := events.Decode(&r)
		if err != nil {
			return nil, fmt.Errorf("read who looked: %w", err)
		}
		if n, ok := entryOf(e); ok {
			list = append(list, n)
		}
	}
	slices.Reverse(list)
	return list, nil
}

// Query says which looks are wanted. Empty fields do not narrow.
type Query struct {
	Case         string
	Jurisdiction events.Jurisdiction
	Officer      string // whatever the capitals and the spaces around
	Institution  events.Institution
	Kind         Kind
	From, Until  time.Time // recorded at From or later, and before Until
	AsOf         events.AsOf
	Limit        int // 0 means all
	Cursor       string
}

// ErrCursor says that a cursor is none that List gave.
var ErrCursor = errors.New("the cursor is not one of this list")

// List is who looked, the latest look first. next continues the list, empty at its end; what is recorded meanwhile
// does not move what follows. It needs the projection Projection.
func List(ctx context.Context, e *projections.Engine, q Query) (list []Entry, next string, err error) {
	where, args, err := q.where()
	if err != nil {
		return nil, "", err
	}
	limit := -1
	if q.Limit > 0 {
		limit = q.Limit + 1
	}
	list = []Entry{}
	err = e.View(ctx, Name, func(v *projections.View) error {
		rows, err := v.Query(ctx, fmt.Sprintf(`SELECT id, commit_pos, behind, recorded_at, kind, number, jurisdiction, officer, role, institution, view, purpose,
			justification, policies, format, recipient, digest FROM {look} WHERE %s ORDER BY commit_pos DESC, behind LIMIT %d`, where, limit), args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			n, err := scan(rows)
			if err != nil {
				return err
			}
			list = append(list, n)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, "", err
	}
	if q.Limit > 0 && len(list) > q.Limit {
		list = list[:q.Limit]
		next = base64.RawURLEncoding.EncodeToString([]byte(list[q.Limit-1].Position.String()))
	}
	return list, next, nil
}

func (q *Query) where() (string, []any, error) {
	conditions := []string{"true"}
	var args []any
	add := func(condition, name string, value any) {
		conditions = append(conditions, condition)
		args = append(args, sql.Named(name, value))
	}
	upTo := func(p events.Position, itself string) {
		conditions = append(conditions, fmt.Sprintf("(commit_pos < %d OR commit_pos = %[1]d AND behind %s %d)", p.Commit, itself, p.Commit-p.Prepare))
	}
	for column, value := range map[string]string{"number": q.Case, "jurisdiction": string(q.Jurisdiction), "officer_key": key(q.Officer),
		"institution": string(q.Institution), "kind": string(q.Kind)} {
		if value != "" {
			add(column+" = :"+column, column, value)
		}
	}
	if !q.From.IsZero() {
		add("recorded_at >= :since", "since", q.From.UnixMicro())
	}
	if !q.Until.IsZero() {
		add("recorded_at < :before", "before", q.Until.UnixMicro())
	}
	switch {
	case q.AsOf.IsNow():
	case q.AsOf.Position != events.Start:
		upTo(q.AsOf.Position, ">=")
	default:
		add("recorded_at <= :at", "at", q.AsOf.Instant.UnixMicro())
	}
	if q.Cursor != "" {
		text, err := base64.RawURLEncoding.DecodeString(q.Cursor)
		if err != nil {
			return "", nil, ErrCursor
		}
		after, err := events.ParsePosition(string(text))
		if err != nil {
			return "", nil, ErrCursor
		}
		upTo(after, ">")
	}
	return strings.Join(conditions, " AND "), args, nil
}

func scan(rows *sql.Rows) (Entry, error) {
	var n Entry
	var id, policies []byte
	var commit, behind, at int64
	err := rows.Scan(&id, &commit, &behind, &at, &n.Kind, &n.Case, &n.Jurisdiction, &n.Actor.Officer, &n.Actor.Role, &n.Actor.Institution, &n.View,
		&n.Purpose, &n.Justification, &policies, &n.Format, &n.Recipient, &n.Digest)
	if err != nil {
		return n, err
	}
	copy(n.ID[:], id)
	n.Position = events.Position{Commit: uint64(commit), Prepare: uint64(commit - behind)}
	n.RecordedAt = time.UnixMicro(at).UTC()
	return n, json.Unmarshal(policies, &n.Policies)
}

// key is an officer's name as it is compared, as everywhere: without regard to capitals and surrounding spaces.
func key(officer string) string { return strings.ToLower(strings.TrimSpace(officer)) }

// Projection is the read model, for the engine: one row for each look. Instants are microseconds since 1970.
func Projection() projections.Projection {
	return projections.Projection{
		Name: Name, Version: 1,
		Tables: []projections.Table{{
			Name: "look",
			Columns: `
	commit_pos    INTEGER NOT NULL,
	behind        INTEGER NOT NULL, -- how far prepare lies behind commit
	id            BLOB NOT NULL,
	recorded_at   INTEGER NOT NULL,
	kind          TEXT NOT NULL,
	number        TEXT NOT NULL, -- '' for a list
	jurisdiction  TEXT NOT NULL,
	officer       TEXT NOT NULL,
	officer_key   TEXT NOT NULL,
	role          TEXT NOT NULL,
	institution   TEXT NOT NULL,
	view          TEXT NOT NULL,
	purpose       TEXT NOT NULL,
	justification TEXT NOT NULL,
	policies      BLOB NOT NULL, -- a JSON array
	format        TEXT NOT NULL,
	recipient     TEXT NOT NULL,
	digest        TEXT NOT NULL,
	PRIMARY KEY (commit_pos, behind)`,
			Options: "STRICT, WITHOUT ROWID",
			Indexes: []projections.Index{{Name: "number", On: "(number, commit_pos)"}, {Name: "officer", On: "(officer_key, commit_pos)"},
				{Name: "time", On: "(recorded_at)"}},
		}},
		Collect: func() projections.Collector { return new(collector) },
	}
}

type collector struct{ looks []Entry }

func (c *collector) Collect(s *projections.Step) error {
	if n, ok := entryOf(s.Event); ok && !s.Refolded {
		c.looks = append(c.looks, n)
	}
	return nil
}

func (c *collector) Write(ctx context.Context, tx *projections.Tx) error {
	slices.SortFunc(c.looks, func(a, b Entry) int { return a.Position.Compare(b.Position) })
	for _, n := range c.looks {
		policies, err := json.Marshal(n.Policies)
		if err == nil {
			_, err = tx.Exec(ctx, `INSERT INTO {look} (commit_pos, behind, id, recorded_at, kind, number, jurisdiction, officer, officer_key, role, institution,
				view, purpose, justification, policies, format, recipient, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
				int64(n.Position.Commit), int64(n.Position.Commit-n.Position.Prepare), n.ID[:], n.RecordedAt.UnixMicro(), string(n.Kind), n.Case,
				string(n.Jurisdiction), n.Actor.Officer, key(n.Actor.Officer), string(n.Actor.Role), string(n.Actor.Institution), n.View,
				string(n.Purpose), n.Justification, policies, n.Format, n.Recipient, n.Digest)
		}
		if err != nil {
			return fmt.Errorf("write who looked: %w", err)
		}
	}
	return nil
}
