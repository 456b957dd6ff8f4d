package web

import (
	"fmt"
	"html/template"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"traga.internal/aggregates/directory"
	"traga.internal/events"
	"traga.internal/projections/regional"
)

// figures are a performance in words. Where Few is true there is nothing else.
type figures struct {
	Few bool
	// InTime, Late and NotDone are shares in words; Of is of how many, such as 37 of 41.
	InTime, Late, NotDone, Of string
	Whole                     bool   // all were met in time
	Lead                      string // the median lead time; empty where too few were done
	Waived, Cancelled         *int
	// Bar are the widths of the parts of the picture of it, out of 100.
	Bar [3]float64
}

func (p *page) figures(f regional.Performance) figures {
	if f.Suppressed || f.Due == nil || f.Met == nil || f.ShareMet == nil || f.ShareMetLate == nil || f.ShareMissed == nil {
		return figures{Few: true}
	}
	v := figures{InTime: p.percent(*f.ShareMet), Late: p.percent(*f.ShareMetLate), NotDone: p.percent(*f.ShareMissed),
		Of: p.T("region.of", *f.Met, *f.Due), Whole: *f.Met == *f.Due, Waived: f.Waived, Cancelled: f.Cancelled,
		Bar: [3]float64{*f.ShareMet * 100, *f.ShareMetLate * 100, *f.ShareMissed * 100}}
	if f.MedianLeadDays != nil {
		v.Lead = p.lead(*f.MedianLeadDays)
	}
	return v
}

// LateFrom and NotDoneFrom are where the later parts of the picture begin.
func (f figures) LateFrom() float64    { return f.Bar[0] }
func (f figures) NotDoneFrom() float64 { return f.Bar[0] + f.Bar[1] }

// percent is a share in whole percent. What is not all is never rounded to all, nor what is something to nothing.
func (p *page) percent(share float64) string {
	n := int(math.Round(share * 100))
	switch {
	case share > 0 && n == 0:
		return p.T("percent.under", 1)
	case share < 1 && n == 100:
		return p.T("percent.over", 99)
	}
	return p.T("percent", n)
}

// lead says how long before its day a duty was done.
func (p *page) lead(days float64) string {
	switch {
	case days > 0:
		return p.T("lead.early", p.unit("days", days))
	case days < 0:
		return p.T("lead.late", p.unit("days", -days))
	}
	return p.T("lead.on-the-day")
}

// unit is a number of days, working days, months, years or hours. Some of the languages have a form of their own for
// two to four; a half takes it too.
func (p *page) unit(name string, n float64) string {
	number := strconv.FormatFloat(n, 'f', -1, 64)
	if p.Language() != "en" {
		number = strings.Replace(number, ".", ",", 1)
	}
	form := "many"
	switch whole := int(n); {
	case n != math.Trunc(n):
		form = "few"
	case whole == 1, whole%10 == 1 && whole%100 != 11 && p.Language() != "en" && p.Language() != "sq":
		form = "one"
	case whole%10 >= 2 && whole%10 <= 4 && whole%100/10 != 1:
		form = "few"
	}
	return p.Word("unit", name+"."+form, number)
}

var (
	simplePeriod = regexp.MustCompile(`^((?:\d+ (?:working day|day|month|year|hour)s?(?:, | and | ))+?)(?:before release|after (.+?))(?: if (.+))?$`)
	oneOffset    = regexp.MustCompile(`(\d+) (working day|day|month|year|hour)s?(, | and )?`)
	notSlug      = regexp.MustCompile(`[^a-z0-9]+`)
)

// Period is a period of the protocols, which they say in English, in the page's language; as it is where the messages
// lack a part of it.
func (p *page) Period(s string) template.HTML {
	if t, ok := p.periodText(s); ok {
		return template.HTML(template.HTMLEscapeString(t))
	}
	return inEnglish(s)
}

func (p *page) periodText(s string) (string, bool) {
	var texts []string
	for _, part := range strings.Split(s, "; ") {
		m := simplePeriod.FindStringSubmatch(part)
		if m == nil {
			return "", false
		}
		t := oneOffset.ReplaceAllStringFunc(m[1], func(one string) string {
			o := oneOffset.FindStringSubmatch(one)
			n, _ := strconv.Atoi(o[1])
			joint := o[3]
			if joint == " and " {
				joint = " " + p.T("region.and") + " "
			}
			return p.unit(strings.ReplaceAll(o[2], " ", "-")+"s", float64(n)) + joint
		})
		if t = strings.TrimSpace(t); m[2] == "" {
			t = p.T("period.before", t)
		} else if key := "after." + slug(m[2]); p.texts.has(key) {
			t = p.T("period.after", t, p.Word("after", slug(m[2])))
		} else {
			return "", false
		}
		if m[3] != "" {
			if key := "condition." + slug(m[3]); !p.texts.has(key) {
				return "", false
			}
			t = p.T("period.if", t, p.Word("condition", slug(m[3])))
		}
		texts = append(texts, t)
	}
	return strings.Join(texts, "; "), len(texts) > 0
}

func slug(s string) string {
	return strings.Trim(notSlug.ReplaceAllString(strings.ToLower(s), "-"), "-")
}

// Party is who must act or towards whom: a role by its name, a party that a rule names in English words by ours.
func (p *page) Party(s string) template.HTML {
	if slices.Contains(events.Roles(), events.Role(s)) {
		return template.HTML(template.HTMLEscapeString(p.Role(s)))
	}
	if p.texts.has("party." + slug(s)) {
		return template.HTML(template.HTMLEscapeString(p.Word("party", slug(s))))
	}
	return inEnglish(s)
}

// inEnglish is a text of the protocols that there is in English only.
func inEnglish(s string) template.HTML {
	return template.HTML(`<span lang="en">` + template.HTMLEscapeString(directory.Starred(s)) + `</span>`)
}

// Few is a number, or that it is too small to be shown.
func (p *page) Few(n *int) template.HTML {
	if n == nil {
		return template.HTML(`<span class="few">` + template.HTMLEscapeString(p.T("region.few")) + `</span>`)
	}
	return template.HTML(fmt.Sprint(*n))
}
