package timeline

import (
	"context"
	"strings"

	"traga.internal/aggregates/history"
	"traga.internal/events"
	"traga.internal/projections/registers"
)

// Training is what the directory says of an assessor's training in the tool of a screening or an assessment, on the
// day on which it was made (HR29).
type Training string

// What it says.
const (
	Trained    Training = "valid"      // the assessor held a valid training in this tool
	Untrained  Training = "none"       // no valid training of the assessor in this tool is on record
	Unrecorded Training = "unrecorded" // the jurisdiction's directory records no training at all
)

// ReadTraining reads the directory as known at the asked instant; the entries of Timeline and Entry then carry
// Training. It goes to the store, and only for a case that has a screening or an assessment.
func (c *Case) ReadTraining(ctx context.Context) error {
	for _, entry := range c.history.Entries() {
		if _, _, ok := assessed(entry); ok {
			return c.readDirectory(ctx)
		}
	}
	return nil
}

func (c *Case) readDirectory(ctx context.Context) (err error) {
	if c.known == nil {
		c.known, err = registers.New(c.log).At(ctx, c.jurisdiction, c.asOf)
	}
	return err
}

// assessed is who made a screening or an assessment with which tool, as corrected; false for other entries.
func assessed(entry *history.Entry) (who, tool string, ok bool) {
	switch d := entry.Now.(type) {
	case *events.ScreeningCompleted:
		return entry.Actor.Officer, d.Tool, true
	case *events.AssessmentCompleted:
		who = d.Assessor
		if strings.TrimSpace(who) == "" {
			who = entry.Actor.Officer
		}
		return who, d.Tool, true
	}
	return "", "", false
}

func (c *Case) trainingFor(entry *history.Entry) *Training {
	who, tool, ok := assessed(entry)
	days := c.calendar()
	if !ok || c.known == nil || days == nil {
		return nil
	}
	found := Untrained
	switch {
	case !c.known.RecordsTraining(c.clock):
		found = Unrecorded
	case c.known.Trained(who, tool, events.DateIn(entry.OccurredAt, days.Zone()), c.clock):
		found = Trained
	}
	return &found
}
