package web

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"traga.internal/aggregates/access"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/handlers/consult"
	"traga.internal/handlers/evidence"
	"traga.internal/handlers/outage"
	"traga.internal/projections"
	"traga.internal/projections/obligations"
	"traga.internal/projections/status"
	"traga.internal/projections/timeline"
)

//go:embed templates/*.html
var templateFiles embed.FS

// pages are the parsed templates, one set for each page with the frame around it.
type pages struct{ byName map[string]*template.Template }

func newPages() *pages {
	p := &pages{byName: map[string]*template.Template{}}
	frame := template.Must(template.ParseFS(templateFiles, "templates/frame.html", "templates/parts.html", "templates/lanes.html"))
	for _, name := range []string{"overview", "cases", "case", "entry", "region", "directory", "sign-in", "why", "access", "proof", "caseproof", "error"} {
		p.byName[name] = template.Must(template.Must(frame.Clone()).ParseFS(templateFiles, "templates/"+name+".html"))
	}
	return p
}

// page is one answer in the making: who asks for what, in which language and as known when.
type page struct {
	site    *site
	request *http.Request
	words   timeline.Words
	texts   *catalogue

	asOf events.AsOf
	// now is the clock when the request came; Clock the instant that the answers are judged by.
	now   time.Time
	Clock time.Time
	zone  *time.Location
	rules *protocol.Book
	title map[events.Jurisdiction]map[string]string

	// Who looks at it; nil when nobody has signed in.
	Who *signedIn
	// sight is what they may see of the case that the page is about; nil on other pages, and for everything.
	sight  *access.Decision
	reason consult.Reason

	status   int
	leadTo   string         // where the reader is sent instead; empty for a page of its own
	file     *evidence.File // what the reader is sent instead; nil for a page of its own
	template string
	Title    string
	Section  string // which entry of the menu this page belongs to
	Live     string // where the live stream of this page's subject is; empty for the past
	Data     any
	Main     template.HTML // the rendered content, for the frame
	kosovo   bool
}

// headers that every page has. Pages hold personal data: no copy of them is kept on the way.
var pageHeaders = map[string]string{
	"Content-Type": "text/html; charset=utf-8",
	"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; " +
		"form-action 'self'; frame-ancestors 'none'",
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "same-origin",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cache-Control":                "no-store",
}

// failure is an error with a page of its own: a status and the name of a message.
type failure struct {
	status  int
	message string
	args    []any
}

func (f *failure) Error() string { return f.message }

// page makes a handler of a function that fills in a page.
func (s *site) page(fill func(context.Context, *page) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		p := s.begin(r)
		err := p.prepare(ctx)
		if err == nil {
			err = fill(ctx, p)
		}
		if p.mustSayWhy(err) {
			p.askWhy()
			err = nil
		}
		if err == nil && p.leadTo != "" {
			w.Header().Set("Cache-Control", pageHeaders["Cache-Control"])
			http.Redirect(w, r, p.leadTo, http.StatusSeeOther)
			return
		}
		if err == nil && p.file != nil {
			s.send(w, p.file)
			return
		}
		if err == nil {
			err = p.render(p.template)
		}
		if err != nil {
			p.fail(ctx, err)
			if err = p.render("error"); err != nil {
				s.logger.ErrorContext(ctx, "a page could not be made", "error", err)
				http.Error(w, "Something went wrong inside traga.", http.StatusInternalServerError)
				return
			}
		}
		h := w.Header()
		for name, value := range pageHeaders {
			h.Set(name, value)
		}
		h.Set("Content-Language", p.texts.Language)
		if p.status == http.StatusMethodNotAllowed {
			h.Set("Allow", "GET, HEAD")
		}
		w.WriteHeader(p.status)
		_ = s.pages.byName[p.template].ExecuteTemplate(w, "frame", p) // the reader has gone
	})
}

// send sends a file to be kept.
func (s *site) send(w http.ResponseWriter, f *evidence.File) {
	h := w.Header()
	for name, value := range pageHeaders {
		h.Set(name, value)
	}
	h.Set("Content-Type", f.MediaType)
	h.Set("Content-Disposition", `attachment; filename="`+f.Name+`"`)
	h.Set("Content-Length", strconv.Itoa(len(f.Content)))
	_, _ = w.Write(f.Content) // the reader has gone
}

func (s *site) begin(r *http.Request) *page {
	tag := r.URL.Query().Get("lang")
	return &page{site: s, request: r, status: http.StatusOK, texts: catalogueFor(tag), words: timeline.WordsFor(tag), now: s.clock(),
		title: map[events.Jurisdiction]map[string]string{}}
}

// prepare reads what every page takes: the point of view, and the rules as known then.
func (p *page) prepare(ctx context.Context) error {
	book, err := p.site.book(ctx)
	if err != nil {
		return err
	}
	if err := p.readWho(ctx); err != nil {
		return err
	}
	p.rules = book
	p.zone = book.Zone(p.jurisdictionAsked())
	if p.asOf, err = parseAt(p.query("at"), p.zone); err != nil {
		return &failure{status: http.StatusBadRequest, message: "error.at"}
	}
	p.rules = book.AsKnown(p.asOf)
	if p.Clock, err = p.site.lists.Clock(ctx, p.asOf, p.now); err != nil {
		return err
	}
	return nil
}

// jurisdictionAsked is the one that the address names, by a case number or a filter; else the first, whose time
// zone has the same clock as the other five.
func (p *page) jurisdictionAsked() events.Jurisdiction {
	if j, err := events.ParseCase(p.request.PathValue("n")); err == nil {
		return j
	}
	if j, err := events.ParseCase(p.query("jurisdiction") + "-0"); err == nil {
		return j
	}
	return events.Jurisdictions()[0]
}

// parseAt reads the point of view: an instant with its zone or a position, as everywhere in traga, and also what
// the page's own field gives, a local date and time. A date alone is the end of that day.
func parseAt(s string, zone *time.Location) (events.AsOf, error) {
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return events.AsOf{Instant: t}, nil
		}
	}
	if d, err := events.ParseDate(s); err == nil {
		return events.AsOf{Instant: (d + 1).In(zone).Add(-time.Microsecond)}, nil
	}
	return events.ParseAsOf(s)
}

// fail turns the page into one that says what went wrong. What is not known to be fit for a reader is logged, and
// the page says no more than that something went wrong.
func (p *page) fail(ctx context.Context, err error) {
	var known *failure
	var field *events.FieldError
	switch {
	case errors.As(err, &known):
	case errors.Is(err, consult.ErrUnrecorded): // whatever kept it from being recorded
		p.site.logger.ErrorContext(ctx, "a look could not be recorded, so nothing was shown", "error", err)
		known = &failure{status: http.StatusServiceUnavailable, message: "error.unrecorded"}
	case errors.Is(err, consult.ErrNotSignedIn):
		known = &failure{status: http.StatusUnauthorized, message: "error.not-signed-in"}
	case errors.Is(err, consult.ErrDenied):
		known = &failure{status: http.StatusForbidden, message: "error.denied"}
	case errors.Is(err, consult.ErrNoSuchEvent):
		known = &failure{status: http.StatusNotFound, message: "error.no-entry"}
	case errors.Is(err, timeline.ErrNoSuchCase), errors.As(err, &field):
		known = &failure{status: http.StatusNotFound, message: "error.no-case"}
	case errors.Is(err, status.ErrCursor), errors.Is(err, obligations.ErrCursor):
		known = &failure{status: http.StatusBadRequest, message: "error.cursor"}
	case errors.Is(err, projections.ErrNotBuilt):
		known = &failure{status: http.StatusServiceUnavailable, message: "error.not-built"}
	case errors.Is(err, events.ErrUnavailable), errors.Is(err, events.ErrClosed), errors.Is(err, projections.ErrClosed),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		known = &failure{status: http.StatusServiceUnavailable, message: "error.unavailable"}
	default:
		p.site.logger.ErrorContext(ctx, "a page failed", "error", err)
		known = &failure{status: http.StatusInternalServerError, message: "error.internal"}
	}
	p.status, p.Live, p.Section = known.status, "", ""
	p.Title = p.T(known.message + ".title")
	p.Data = p.T(known.message, known.args...)
}

var nameOfKosovo = regexp.MustCompile(`(?i)kosov|косов|\bXK\b`)

// render makes the page's content, which the frame then goes around: only then is it known whether the footnote
// on Kosovo* belongs on it.
func (p *page) render(name string) error {
	p.template = name
	var b bytes.Buffer
	if err := p.site.pages.byName[name].ExecuteTemplate(&b, "main", p); err != nil {
		return err
	}
	p.kosovo = nameOfKosovo.Match(b.Bytes())
	p.Main = template.HTML(b.String()) //nolint:gosec // made by html/template just now
	return nil
}

func (p *page) show(template, title, section string, data any) {
	p.template, p.Title, p.Section, p.Data = template, title, section, data
}

// Kosovo reports whether the page names Kosovo* and so needs the footnote.
func (p *page) Kosovo() bool { return p.kosovo }

// Demo is the notice of the demonstration.
func (p *page) Demo() string { return p.site.demo }

// Past reports whether the page shows another point of view than now; Future, that it is one still to come.

// Away is since when the store can't be reached, and what is shown may lack the newest entries; nil while it can.
func (p *page) Away() *time.Time {
	if since, away := outage.Since(p.request.Context()); away {
		return &since
	}
	return nil
}

func (p *page) Past() bool   { return !p.asOf.IsNow() }
func (p *page) Future() bool { return !p.asOf.Instant.IsZero() && p.asOf.Instant.After(p.now) }

// AtField is the point of view as the date-and-time field takes it.
func (p *page) AtField() string {
	if p.asOf.IsNow() || p.Clock.IsZero() {
		return ""
	}
	return p.Clock.In(p.zone).Format("2006-01-02T15:04")
}

func (p *page) query(name string) string { return p.request.URL.Query().Get(name) }

// At is the point of view as links carry it; empty for now.
func (p *page) At() string {
	switch {
	case p.asOf.IsNow():
		return ""
	case p.asOf.Position != events.Start:
		return p.asOf.Position.String()
	}
	return p.asOf.Instant.UTC().Format(time.RFC3339Nano)
}

// Lang is the language as links carry it; empty for English.
func (p *page) Lang() string {
	if p.texts.Language == "en" {
		return ""
	}
	return p.texts.Language
}

// URL is an address of these pages that keeps the language and the point of view. What is empty is left out.
func (p *page) URL(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if at := p.At(); at != "" && !q.Has("at") {
		q.Set("at", at)
	}
	if lang := p.Lang(); lang != "" {
		q.Set("lang", lang)
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// Case and Entry are the addresses of a case and of one of its entries.
func (p *page) Case(number string) string { return p.URL("/cases/" + url.PathEscape(number)) }

func (p *page) Entry(number string, id any) string {
	return p.URL("/cases/" + url.PathEscape(number) + "/entries/" + url.PathEscape(text(id)))
}

// Self is this page's own address with one parameter changed, or left out when the value is empty.
func (p *page) Self(name, value string) string {
	q := url.Values{}
	for k, v := range p.request.URL.Query() {
		if len(v) > 0 && v[0] != "" {
			q.Set(k, v[0])
		}
	}
	if q.Del(name); value != "" {
		q.Set(name, value)
	}
	path := p.request.URL.EscapedPath()
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// Now is this page's address for what is known now.
func (p *page) Now() string { return p.Self("at", "") }

// Languages are the languages of the menu.
func (p *page) Languages() []*catalogue { return catalogueList() }

// Language is the tag of the page's language; Reviewed whether a native speaker has looked at its texts.
func (p *page) Language() string { return p.texts.Language }
func (p *page) Reviewed() bool   { return !p.texts.MachineAssisted }

// T is a message with its places filled.
func (p *page) T(key string, args ...any) string { return p.texts.text(key, args...) }

// Or is the first text that is not empty.
func (p *page) Or(texts ...string) string { return cmp.Or(texts...) }

// With is what a part of a page gets: the page as P, and named values.
func (p *page) With(pairs ...any) map[string]any {
	m := map[string]any{"P": p}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[text(pairs[i])] = pairs[i+1]
	}
	return m
}

// FirstPage reports whether the list begins here.
func (p *page) FirstPage() bool { return p.query("cursor") == "" }
