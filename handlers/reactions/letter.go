package reactions

import (
	"embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections/timeline"
)

//go:embed messages/*.json
var messageFiles embed.FS

// texts are a letter's words in one language: one flat object, {1} to {3} being the places to fill.
type texts map[string]string

// letterTexts reads the texts that are built into the program, once. A test reads each.
var letterTexts = sync.OnceValue(func() map[string]texts {
	all := map[string]texts{}
	for _, l := range timeline.Languages() {
		t := texts{}
		if b, err := messageFiles.ReadFile("messages/" + l.Tag + ".json"); err == nil {
			_ = json.Unmarshal(b, &t)
		}
		all[l.Tag] = t
	}
	return all
})

func (t texts) fill(key string, values ...any) string {
	places := make([]string, 0, 2*len(values))
	for i, v := range values {
		places = append(places, "{"+strconv.Itoa(i+1)+"}", fmt.Sprint(v))
	}
	return strings.NewReplacer(places...).Replace(t[key])
}

func (t texts) day(d events.Date) string {
	at := d.In(time.UTC)
	return strings.NewReplacer("{day}", strconv.Itoa(at.Day()), "{month}", t["month."+strconv.Itoa(int(at.Month()))], "{year}", strconv.Itoa(at.Year())).Replace(t["date"])
}

func (t texts) instant(at time.Time, zone *time.Location) string {
	return t.day(events.DateIn(at, zone)) + ", " + at.In(zone).Format("15:04")
}

// due is when a duty is due: a date, or an instant.
func (t texts) due(due string, zone *time.Location) string {
	if d, err := events.ParseDate(due); err == nil {
		return t.day(d)
	}
	if at, err := time.Parse(time.RFC3339Nano, due); err == nil {
		return t.instant(at, zone)
	}
	return due
}

var nameOfKosovo = regexp.MustCompile(`(?i)kosov|косов`)

// letter is the mail that tells of changes, most urgent first: a subject and plain text.
func letter(s *Settings, book *protocol.Book, language string, list []change, at time.Time) (subject, body string) {
	t, words := letterTexts()[language], timeline.WordsFor(language)
	count := map[State]int{}
	for i := range list {
		count[list[i].Alert.State]++
	}
	subject = t.fill("subject", count[Overdue], count[DueSoon], count[Resolved])
	var b strings.Builder
	line := func(parts ...string) { b.WriteString(strings.Join(parts, "") + "\n") }
	line(t.fill("intro", t.instant(at, book.Zone(list[0].Alert.Jurisdiction))))
	for _, part := range []struct {
		state State
		title string
	}{{Overdue, "overdue"}, {DueSoon, "soon"}, {Resolved, "resolved"}} {
		if count[part.state] == 0 {
			continue
		}
		line()
		line(t[part.title], " (", strconv.Itoa(count[part.state]), ")")
		for i := range list {
			if a := &list[i].Alert; a.State == part.state {
				line()
				line("* ", title(book, a, language, at))
				who := string(a.DutyHolder)
				if who == "" {
					who = t["nobody"]
				}
				line("  ", t.fill("role", words.Role(a.Duty)), " · ", who, " · ", words.Jurisdiction(a.Jurisdiction))
				facts := []string{t.fill("due", t.due(a.Due, book.Zone(a.Jurisdiction))), t.fill("severity", t["severity."+string(a.Severity)])}
				if a.Escalation > 0 {
					facts = append(facts, t.fill("escalation", a.Escalation))
				}
				line("  ", strings.Join(facts, " · "))
				line("  ", s.link(a))
			}
		}
	}
	line()
	line(t["why"])
	for _, l := range timeline.Languages() {
		if l.Tag == language && l.MachineAssisted {
			line(t["machine"])
		}
	}
	if nameOfKosovo.MatchString(b.String()) {
		line(t["kosovo"])
	}
	return subject, b.String()
}
