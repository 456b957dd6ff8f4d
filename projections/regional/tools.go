package regional

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"traga.internal/aggregates/calendar"
	"traga.internal/aggregates/directory"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections"
	"traga.internal/projections/registers"
)

// Tool is a version of a screening or assessment tool in one jurisdiction: a row of the JSON of `traga tools`. A
// number that is about fewer than five, or about fewer than five cases, is null; so are the outcomes from which one
// could be found by subtraction. Where the uses are that few, Suppressed is true and all numbers are null.
type Tool struct {
	Tool         string              `json:"tool"`
	Version      string              `json:"version"`
	Kind         string              `json:"kind"` // screening or assessment
	Jurisdiction events.Jurisdiction `json:"jurisdiction"`
	// Name is the jurisdiction's; Footnote belongs to every mention of Kosovo* and is empty elsewhere.
	Name string `json:"name"`
	// Uses is how many screenings or assessments were made with it.
	Uses *int `json:"uses"`
	// Contested is how many of these assessments were contested, Outcomes what became of that: as the last decision
	// after the last contest says. Screenings can't be contested.
	Contested *int     `json:"contested"`
	Outcomes  Outcomes `json:"outcomes"`
	// TrainedOfficers is how many officers used it while a training in the tool, of whatever version, was on record
	// for them and valid on that day; UntrainedOfficers how many used it without. Both are as HR29 judges it; an
	// officer can be in both. Both are null where TrainingRecorded is false: the jurisdiction's directory knew of no
	// training at all.
	TrainedOfficers   *int `json:"trainedOfficers"`
	UntrainedOfficers *int `json:"untrainedOfficers"`
	// HoldTraining is how many officers of the jurisdiction hold a valid training in the tool on the asked day,
	// whether or not they used it; revoked ones are not among them.
	HoldTraining     *int   `json:"holdTraining"`
	TrainingRecorded bool   `json:"trainingRecorded"`
	Suppressed       bool   `json:"suppressed"`
	Footnote         string `json:"footnote,omitzero"`
}

// Outcomes are what became of contested assessments.
type Outcomes struct {
	Upheld    *int `json:"upheld"`
	Changed   *int `json:"changed"`
	Dismissed *int `json:"dismissed"`
	Open      *int `json:"open"` // not decided yet
}

// Tools lists the tools in use, by tool, version, kind and jurisdiction, all as known at q.AsOf: as corrected by
// then, without what was annulled by then, and with the trainings on record by then. Names of tools that differ in
// capitals only are one tool. q.Period and q.Lang say nothing here. It needs the projection Projection.
func Tools(ctx context.Context, e *projections.Engine, q Query) ([]Tool, error) {
	at, err := e.Clock(ctx, q.AsOf, q.Now)
	if err != nil {
		return nil, fmt.Errorf("list the tools in use: %w", err)
	}
	book, err := e.BookAt(ctx, q.AsOf)
	if err != nil {
		return nil, fmt.Errorf("list the tools in use: %w", err)
	}
	all := map[toolKey]*toolCount{}
	trained := map[events.Jurisdiction]*training{}
	err = eachUse(ctx, e, q, at, func(u *use) error {
		j := u.jurisdiction
		if trained[j] == nil {
			known, err := trainingIn(ctx, e, book, j, q.AsOf)
			if err != nil {
				return err
			}
			trained[j] = known
		}
		k := toolKey{fold(u.tool), fold(u.version), u.kind, j}
		t := all[k]
		if t == nil {
			t = &toolCount{tool: strings.TrimSpace(u.tool), version: strings.TrimSpace(u.version), contests: map[string]*tally{},
				trained: map[officer]bool{}, untrained: map[officer]bool{}}
			all[k] = t
		}
		t.add(u, trained[j].holds(u.assessor, u.tool, events.DateIn(u.occurredAt, trained[j].zone)))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the tools in use: %w", err)
	}
	list := []Tool{}
	for k, t := range all {
		list = append(list, t.row(k, trained[k.j], events.DateIn(at, trained[k.j].zone)))
	}
	slices.SortFunc(list, func(a, b Tool) int {
		return cmp.Or(cmp.Compare(fold(a.Tool), fold(b.Tool)), cmp.Compare(fold(a.Version), fold(b.Version)),
			-cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Jurisdiction, b.Jurisdiction))
	})
	return list, nil
}

type toolKey struct {
	tool, version, kind string
	j                   events.Jurisdiction
}

// toolCount counts the uses of a tool in a jurisdiction.
type toolCount struct {
	tool, version      string
	uses               tally
	contests           map[string]*tally // by outcome
	trained, untrained map[officer]bool
}

func (t *toolCount) add(u *use, trained bool) {
	// Of several spellings the one first in the alphabet is shown, whatever the order of the rows.
	t.tool, t.version = min(t.tool, strings.TrimSpace(u.tool)), min(t.version, strings.TrimSpace(u.version))
	t.uses.add(u.caseID)
	if u.contest != "" {
		if t.contests[u.contest] == nil {
			t.contests[u.contest] = new(tally)
		}
		t.contests[u.contest].add(u.caseID)
	}
	if trained {
		t.trained[u.assessor] = true
	} else {
		t.untrained[u.assessor] = true
	}
}

// row is what is shown. Contested assessments are guarded as the matrix is: the outcomes are the parts of them.
func (t *toolCount) row(k toolKey, known *training, today events.Date) Tool {
	row := Tool{Tool: t.tool, Version: t.version, Kind: k.kind, Jurisdiction: k.j, Name: nameOf(k.j), TrainingRecorded: len(known.by) > 0}
	if k.j == "XK" {
		row.Footnote = calendar.Footnote
	}
	if t.uses.small() {
		row.Suppressed = true
		return row
	}
	row.Uses = t.uses.shown()
	contested := new(node)
	for _, outcome := range []string{"upheld", "changed", "dismissed", contestOpen} {
		part := new(node)
		if c := t.contests[outcome]; c != nil {
			part.due = *c
		}
		contested.parts = append(contested.parts, part)
	}
	contested.sum()
	protect(contested, func(n *node) *tally { return &n.due })
	row.Contested = contested.due.shown()
	for i, to := range []**int{&row.Outcomes.Upheld, &row.Outcomes.Changed, &row.Outcomes.Dismissed, &row.Outcomes.Open} {
		*to = contested.parts[i].due.shown()
	}
	if row.TrainingRecorded {
		row.TrainedOfficers, row.UntrainedOfficers = enough(len(t.trained)), enough(len(t.untrained))
		row.HoldTraining = enough(known.holders(k.tool, today))
	}
	return row
}

// enough is a number of officers, nil if they are too few to be shown.
func enough(n int) *int {
	if n < fewest {
		return nil
	}
	return &n
}

// eachUse gives fn the uses as known then.
func eachUse(ctx context.Context, e *projections.Engine, q Query, at time.Time, fn func(*use) error) error {
	where := `until_at IS NULL`
	switch p := q.AsOf.Position; {
	case q.AsOf.IsNow():
	case p != events.Start:
		where = fmt.Sprintf(`(known_commit < %d OR known_commit = %[1]d AND known_behind >= %d)
			AND (until_commit IS NULL OR until_commit > %[1]d OR until_commit = %[1]d AND until_behind < %[2]d)`, p.Commit, int64(p.Commit-p.Prepare))
	default:
		where = `known_at <= :at AND (until_at IS NULL OR until_at > :at)`
	}
	return e.View(ctx, Name, func(v *projections.View) error {
		rows, err := v.Query(ctx, `SELECT case_id, jurisdiction, kind, tool, version, assessor, occurred_at, contest FROM {use}
			WHERE `+where+` AND :j IN ('', jurisdiction)`, sql.Named("at", at.UnixMicro()), sql.Named("j", string(q.Jurisdiction)))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var u use
			var assessor []byte
			var occurred int64
			if err := rows.Scan(&u.caseID, &u.jurisdiction, &u.kind, &u.tool, &u.version, &assessor, &occurred, &u.contest); err != nil {
				return err
			}
			copy(u.assessor[:], assessor)
			u.occurredAt = time.UnixMicro(occurred)
			if err := fn(&u); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// training is what the directory of a jurisdiction knew of training in tools.
type training struct {
	zone *time.Location
	by   map[trainedIn][]directory.Training
	// left are the officers who were revoked and not appointed again.
	left map[officer]bool
}

type trainedIn struct {
	officer officer
	tool    string
}

func trainingIn(ctx context.Context, e *projections.Engine, book *protocol.Book, j events.Jurisdiction, asOf events.AsOf) (*training, error) {
	zone := book.Zone(j)
	if zone == nil {
		return nil, fmt.Errorf("%s is none of the six jurisdictions", j)
	}
	known, err := registers.New(e.Store()).At(ctx, j, asOf)
	if err != nil {
		return nil, err
	}
	t := &training{zone: zone, by: map[trainedIn][]directory.Training{}, left: map[officer]bool{}}
	for _, o := range known.Officers() {
		who := officerOf(o.Name)
		t.left[who] = o.Revoked
		for _, in := range o.Training {
			k := trainedIn{who, fold(in.Tool)}
			t.by[k] = append(t.by[k], in)
		}
	}
	return t, nil
}

// holds reports whether an officer held a valid training in a tool on a day (HR29).
func (t *training) holds(who officer, tool string, day events.Date) bool {
	return slices.ContainsFunc(t.by[trainedIn{who, fold(tool)}], func(t directory.Training) bool { return t.ValidOn(day) })
}

// holders is how many officers, without those who left, hold a valid training in a tool on a day. tool is folded.
func (t *training) holders(tool string, day events.Date) int {
	n := 0
	for k, list := range t.by {
		if k.tool == tool && !t.left[k.officer] && slices.ContainsFunc(list, func(t directory.Training) bool { return t.ValidOn(day) }) {
			n++
		}
	}
	return n
}
