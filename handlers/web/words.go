package web

import (
	"html/template"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
)

// Day is a date in words. It takes a date, or a due date as the read models write it: a date, or an instant.
func (p *page) Day(v any) template.HTML {
	switch v := v.(type) {
	case events.Date:
		return p.day(v)
	case *events.Date:
		if v != nil {
			return p.day(*v)
		}
	case string:
		if d, err := events.ParseDate(v); err == nil {
			return p.day(d)
		}
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return p.Instant(t)
		}
		return template.HTML(template.HTMLEscapeString(v))
	case time.Time:
		return p.day(events.DateIn(v, p.zone))
	case *time.Time:
		if v != nil {
			return p.day(events.DateIn(*v, p.zone))
		}
	}
	return template.HTML(template.HTMLEscapeString(p.T("none")))
}

func (p *page) day(d events.Date) template.HTML {
	if d == 0 {
		return template.HTML(template.HTMLEscapeString(p.T("none")))
	}
	return template.HTML(`<time datetime="` + d.String() + `">` + template.HTMLEscapeString(p.dayText(d)) + `</time>`)
}

// dayText is a date as plain text, such as 2 March 2026.
func (p *page) dayText(d events.Date) string {
	year, month, day := d.Civil()
	return strings.NewReplacer("{day}", strconv.Itoa(day), "{month}", p.T("month."+strconv.Itoa(int(month))), "{year}", strconv.Itoa(year)).
		Replace(p.T("date"))
}

// Instant is a date and local time of the jurisdiction.
func (p *page) Instant(v any) template.HTML {
	t, ok := v.(time.Time)
	if q, pointer := v.(*time.Time); pointer && q != nil {
		t, ok = *q, true
	}
	if !ok || t.IsZero() {
		return template.HTML(template.HTMLEscapeString(p.T("none")))
	}
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `">` + template.HTMLEscapeString(p.instantText(t)) + `</time>`)
}

func (p *page) instantText(t time.Time) string {
	return p.dayText(events.DateIn(t, p.zone)) + ", " + t.In(p.zone).Format("15:04")
}

// Hour is the local time of day.
func (p *page) Hour(t time.Time) string { return t.In(p.zone).Format("15:04") }

// Role, Category and Jurisdiction are the names of the catalogue in the page's language.
func (p *page) Role(r any) string { return p.words.Role(events.Role(text(r))) }

func (p *page) Category(c events.Category) string { return p.words.Category(c) }

// Categories lists categories, separated by commas.
func (p *page) Categories(all []events.Category) string {
	list := make([]string, len(all))
	for i, c := range all {
		list[i] = p.Category(c)
	}
	return strings.Join(list, ", ")
}

func (p *page) Jurisdiction(j any) string {
	return p.words.Jurisdiction(events.Jurisdiction(text(j)))
}

// Jurisdictions are the six codes, by their names' order in the catalogue.
func (p *page) Jurisdictions() []events.Jurisdiction { return events.Jurisdictions() }

// Word is the interface's word for a value of a closed list, such as a state or a phase: the message
// <list>.<value> with its places filled, else the value itself with spaces.
func (p *page) Word(list string, value any, args ...any) string {
	v := text(value)
	if key := list + "." + v; p.texts.has(key) {
		return p.T(key, args...)
	}
	return strings.ReplaceAll(v, "-", " ")
}

// ruleTitle says in words what a rule demands.
func (p *page) ruleTitle(j events.Jurisdiction, rule string) string {
	if t := p.titles(j)[rule]; t != "" {
		return t
	}
	return strings.ToUpper(rule[:min(1, len(rule))]) + strings.ReplaceAll(rule[min(1, len(rule)):], "-", " ")
}

// titles are those of the rules of a jurisdiction, in the page's language where they have it.
func (p *page) titles(j events.Jurisdiction) map[string]string {
	if p.title[j] == nil {
		p.title[j] = map[string]string{}
		base, _, _ := strings.Cut(p.Language(), "-")
		for _, r := range p.rules.Rules(j, events.DateIn(p.Clock, p.zone)) {
			p.title[j][r.ID] = p.Or(r.Titles[p.Language()], r.Titles[base], r.Titles["en"])
		}
	}
	return p.title[j]
}

var afterDays = regexp.MustCompile(`^(\d+)d$`)

// about says what an obligation is about, from the second part of its id: an institution by its name, an entry not
// at all, everything else as it is.
func (p *page) about(obligation string, n names) string {
	parts := strings.Split(obligation, "/")[1:]
	parts = slices.DeleteFunc(parts, func(s string) bool { return uuid.Validate(s) == nil })
	for i, s := range parts {
		if m := afterDays.FindStringSubmatch(s); m != nil {
			parts[i] = p.T("about.days", m[1])
		} else if k, err := strconv.Atoi(s); err == nil {
			parts[i] = p.T("about.number", k)
		} else {
			parts[i] = n.of(events.Institution(s), p.Language())
		}
	}
	return strings.Join(parts, ", ")
}

var token = regexp.MustCompile(`[/\w.-]*[/\w-]`)

// sentence puts words in the place of what only machines know: institutions go by their names, duties by what they
// ask for, dates are written out.
func (p *page) sentence(s string, j events.Jurisdiction, known names) string {
	return token.ReplaceAllStringFunc(s, func(t string) string {
		if d, err := events.ParseDate(t); err == nil {
			return p.dayText(d)
		}
		if i, ok := known[events.Institution(t)]; ok {
			return i.Name(p.Language())
		}
		rule, _, _ := strings.Cut(t, "/")
		if title := p.titles(j)[rule]; title != "" && strings.ContainsAny(t, "-/") {
			if about := p.about(t, known); about != "" {
				title += " (" + about + ")"
			}
			return p.T("quoted", title)
		}
		return t
	})
}
