package web

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"traga.internal/aggregates/access"
	"traga.internal/events"
	"traga.internal/handlers/auth"
	"traga.internal/handlers/consult"
	"traga.internal/projections/accesslog"
)

// Why a reader looks at a case they say once, on a form; it then goes with each look at that case, and on record with it.
// The browser keeps it in a cookie that only the pages of that case are sent.

const (
	reasonCookie = "traga-why"
	// reasonLife is how long a stated reason holds.
	reasonLife = 8 * time.Hour
)

// statedReason is what the cookie holds. It is good for that officer only: the next one at the same browser says their own.
type statedReason struct {
	Officer       string `json:"o"`
	Justification string `json:"j"`
	Purpose       string `json:"p"`
}

func statedBy(ctx context.Context) string {
	who, _ := auth.IdentityOf(ctx)
	return who.Actor.Officer + "/" + string(who.Actor.Institution)
}

// readReason finds why the reader looks at this case, as far as they said.
func (p *page) readReason(ctx context.Context) {
	cookie, err := p.request.Cookie(reasonCookie)
	if err != nil {
		return
	}
	text, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	var stated statedReason
	if err != nil || json.Unmarshal(text, &stated) != nil || stated.Officer != statedBy(ctx) {
		return
	}
	if r, err := consult.ParseReason(stated.Justification, stated.Purpose); err == nil {
		p.reason = r
	}
}

// look is the look at the case that the address names.
func (p *page) look(ctx context.Context, view string) (consult.Look, error) {
	number := p.request.PathValue("n")
	if _, err := events.ParseCase(number); err != nil {
		return consult.Look{}, err
	}
	p.readReason(ctx)
	return consult.Look{Case: number, View: view, AsOf: p.asOf, Reason: p.reason, AskFirst: true}, nil
}

// mustSayWhy reports whether the page can't be shown before the reader has said why.
func (p *page) mustSayWhy(err error) bool {
	var denied *consult.DeniedError
	return errors.Is(err, consult.ErrReasonWanted) || errors.As(err, &denied) && denied.NeedsReason
}

// askWhy shows the form in the place of the page, and comes back to it.
func (p *page) askWhy() {
	p.show("why", p.T("why.title", p.request.PathValue("n")), "cases", p.whyForm())
	p.Live = ""
}

// whyForm is the form on which a reader says why.
type whyForm struct {
	Case, Next string
	Reason     consult.Reason
	Purposes   []events.Purpose
}

func (p *page) whyForm() whyForm {
	f := whyForm{Case: p.request.PathValue("n"), Next: p.request.URL.RequestURI(), Reason: p.reason, Purposes: events.Purposes()}
	if p.request.Method != http.MethodGet { // what was sent is not sent again
		f.Next = p.Case(f.Case)
	}
	return f
}

// WhyForm is the form, for a page of the case; nil where a reason would show nothing more and none was stated.
func (p *page) WhyForm() *whyForm {
	if p.sight == nil || len(p.sight.Unstated) == 0 && p.reason.Justification == "" {
		return nil
	}
	f := p.whyForm()
	return &f
}

// Unstated are the categories of which more would be shown for a stated need, in words.
func (p *page) Unstated() string {
	if p.sight == nil {
		return ""
	}
	return p.Categories(p.sight.Unstated)
}

// MayReadLog reports whether the reader may see who looked at the case, if need be for a stated need.
func (p *page) MayReadLog() bool { return p.sight != nil && (p.sight.Log || p.sight.LogUnstated) }

// AccessPath is the path of the page of who looked at the case.
func (p *page) AccessPath() string {
	return "/cases/" + url.PathEscape(p.request.PathValue("n")) + "/access"
}

// Confidential reports whether there may be entries of the case of which the reader may not know.
func (p *page) Confidential() bool { return p.sight != nil && !p.sight.KnowsOfMonitoring() }

// Withheld is what is shown in the place of a key that the reader may not see, or that was erased; empty where it is shown.
func (p *page) Withheld(list []access.Hidden, field string) string {
	for _, h := range list {
		if h.Field == field {
			if h.Reason == events.Erased {
				return p.T("withheld.gone")
			}
			return p.T("withheld.value", p.Role(h.Ask))
		}
	}
	return ""
}

// why takes the form: it remembers the reason for the pages of this case, and goes on to the page that asked.
func (s *site) why(w http.ResponseWriter, r *http.Request) {
	number := r.PathValue("n")
	home := "/cases/" + url.PathEscape(number)
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	_, wrong := events.ParseCase(number)
	if err := errors.Join(r.ParseForm(), wrong); err != nil {
		s.page(s.badReason).ServeHTTP(w, r)
		return
	}
	justification, purpose := r.PostForm.Get("justification"), r.PostForm.Get("purpose")
	// Typed text is never the form of RFC 8187, which begins as ParseReason knows it.
	reason, err := consult.ParseReason(strings.TrimPrefix(justification, "UTF-8''"), purpose)
	if err != nil || reason.Justification == "" {
		s.page(s.badReason).ServeHTTP(w, r)
		return
	}
	stated, err := json.Marshal(statedReason{Officer: statedBy(r.Context()), Justification: reason.Justification, Purpose: purpose})
	if err != nil { // three texts can't fail
		s.page(s.badReason).ServeHTTP(w, r)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: reasonCookie, Value: base64.RawURLEncoding.EncodeToString(stated), Path: home, MaxAge: int(reasonLife.Seconds()),
		HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteStrictMode})
	next := r.PostForm.Get("next")
	if next != home && !strings.HasPrefix(next, home+"/") && !strings.HasPrefix(next, home+"?") || strings.ContainsAny(next, "\\\r\n") {
		next = home
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (s *site) badReason(context.Context, *page) error {
	return &failure{status: http.StatusBadRequest, message: "error.reason"}
}

// accessView is who looked at a case.
type accessView struct {
	Case string
	Rows []accessRow
}

type accessRow struct {
	accesslog.Entry
	Institution string
	Policies    string
}

func (s *site) access(ctx context.Context, p *page) error {
	look, err := p.look(ctx, "access")
	if err != nil {
		return err
	}
	list, err := s.desk.WhoLooked(ctx, look)
	if err != nil {
		return err
	}
	known, err := s.names(ctx, p.asOf)
	if err != nil {
		return err
	}
	v := &accessView{Case: look.Case}
	for _, e := range list {
		v.Rows = append(v.Rows, accessRow{e, known.of(e.Actor.Institution, p.Language()), strings.Join(e.Policies, ", ")})
	}
	p.show("access", p.T("access.title", look.Case), "cases", v)
	return nil
}
