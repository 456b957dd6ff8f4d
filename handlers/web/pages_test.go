package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

const policy = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// TestEveryPage walks through the pages of a caseload from link to link, and holds each to what readers are promised:
// it is whole without JavaScript, loads nothing from elsewhere, can be used with a screen reader, and every link leads somewhere.
func TestEveryPage(t *testing.T) {
	w := caseloadWorld(t, 16)
	queue := []string{"/", "/cases", "/cases?q=nothing+like+it", "/?jurisdiction=XK", "/?at=2026-03-02T10:15", "/?at=2031-01-01", "/cases?status=closed&at=2026-03-02",
		"/region", "/region?jurisdiction=XK", "/region?period=2026&lang=sq", "/region?jurisdiction=BA&period=2026&lang=mk", "/region?rules=differ&at=2026-03-02T10:15",
		"/directory?jurisdiction=MK", "/directory?jurisdiction=XK&lang=sq", "/directory?jurisdiction=BA&at=2024-01-02"}
	seen, kinds := map[string]bool{}, map[string]int{}
	for _, a := range queue {
		seen[a] = true
	}
	for len(queue) > 0 {
		address := queue[0]
		queue = queue[1:]
		doc := w.page(t, address, http.StatusOK)
		for _, link := range check(t, address, doc) {
			if seen[link] || kinds[kind(link)] >= 24 {
				continue
			}
			seen[link] = true
			kinds[kind(link)]++
			queue = append(queue, link)
		}
		if t.Failed() && len(seen) > 60 {
			t.Fatal("enough")
		}
	}
	for _, k := range []string{"overview", "cases", "case", "entry", "region", "directory"} {
		if kinds[k] < 3 {
			t.Errorf("only %d pages of kind %s were found by following links: %v", kinds[k], k, kinds)
		}
	}
}

// page gets a page and checks its headers.
func (w *world) page(t *testing.T, address string, want int) *html.Node {
	t.Helper()
	r := w.get(t, address)
	if r.Code != want {
		t.Errorf("%s: status %d, want %d", address, r.Code, want)
	}
	for name, value := range map[string]string{"Content-Security-Policy": policy, "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store",
		"X-Content-Type-Options": "nosniff"} {
		if got := r.Header().Get(name); got != value {
			t.Errorf("%s: %s is %q", address, name, got)
		}
	}
	doc, err := html.Parse(strings.NewReader(r.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func kind(address string) string {
	path, _, _ := strings.Cut(address, "?")
	switch parts := strings.Split(strings.Trim(path, "/"), "/"); {
	case path == "/":
		return "overview"
	case len(parts) == 1:
		return parts[0]
	case len(parts) == 2:
		return "case"
	}
	return "entry"
}

// check holds a page to its promises and returns the pages that it links to.
func check(t *testing.T, address string, doc *html.Node) (links []string) {
	t.Helper()
	bad := func(format string, args ...any) {
		t.Helper()
		t.Errorf(address+": "+format, args...)
	}
	ids, count, level := map[string]bool{}, map[string]int{}, 0
	for n := range doc.Descendants() {
		if id, ok := attribute(n, "id"); ok {
			if ids[id] {
				bad("the id %q is there twice", id)
			}
			ids[id] = true
		}
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		count[n.Data]++
		for _, a := range n.Attr {
			switch {
			case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
				bad("<%s> has the attribute %s", n.Data, a.Key)
			case a.Key == "href" || a.Key == "src" || a.Key == "action":
				u, err := url.Parse(a.Val)
				switch {
				case err != nil || u.Host != "" || u.Scheme != "":
					bad("<%s> points elsewhere: %s", n.Data, a.Val)
				case strings.HasPrefix(a.Val, "#"):
					if !ids[a.Val[1:]] {
						bad("the link %s leads nowhere", a.Val)
					}
				case n.Data == "a" && u.Path != "/docs":
					u.Fragment = ""
					links = append(links, u.String())
				}
			case a.Key == "for" || a.Key == "aria-labelledby" || a.Key == "aria-describedby":
				for _, id := range strings.Fields(a.Val) {
					if !ids[id] {
						bad("<%s %s> names the id %q, which is not there", n.Data, a.Key, id)
					}
				}
			}
		}
		switch n.Data {
		case "h1", "h2", "h3", "h4":
			l := int(n.Data[1] - '0')
			if l > level+1 {
				bad("the heading %q skips a level", words(n))
			}
			level = l
		case "table":
			if first(n, "caption") == nil {
				bad("a table has no caption")
			}
		case "th":
			if scope, _ := attribute(n, "scope"); scope == "" {
				bad("the heading %q has no scope", words(n))
			}
		case "script":
			if src, _ := attribute(n, "src"); src != "/static/traga.js" || n.FirstChild != nil {
				bad("a script of its own: %s %s", src, words(n))
			}
		case "style", "iframe", "object", "embed", "base", "img":
			bad("<%s>", n.Data)
		case "a", "button", "summary":
			if label, _ := attribute(n, "aria-label"); label == "" && strings.TrimSpace(words(n)) == "" {
				bad("<%s> has no words", n.Data)
			}
		case "input", "select":
			id, _ := attribute(n, "id")
			if kind, _ := attribute(n, "type"); kind != "hidden" && !labelled(doc, id) {
				bad("the field %q has no label", id)
			}
		case "html":
			if lang, _ := attribute(n, "lang"); lang == "" {
				bad("no language")
			}
		}
	}
	for _, one := range []string{"h1", "main", "header", "footer"} {
		if count[one] != 1 {
			bad("%d <%s>", count[one], one)
		}
	}
	text := words(doc)
	footnote := strings.Contains(words(first(doc, "footer")), "1244")
	content := words(first(doc, "main"))
	if named := kosovo.MatchString(content); named != footnote {
		bad("names Kosovo*: %v, has the footnote: %v", named, footnote)
	}
	if bare := bareKosovo.FindString(content); bare != "" {
		bad("Kosovo without its asterisk: …%s…", around(content, bare))
	}
	if !strings.Contains(text, "All of this is invented.") {
		bad("no notice of the demonstration")
	}
	for _, machine := range []string{"%!", "<no value>", "0x", "map[", "{1}", "{2}"} {
		if strings.Contains(text, machine) {
			bad("shows %q: …%s…", machine, around(text, machine))
		}
	}
	return links
}

var (
	kosovo     = regexp.MustCompile(`(?i)kosov|косов`)
	bareKosovo = regexp.MustCompile(`(?i)(?:kosov|косов)\pL*(?:[^\pL*]|$)`)
)

func labelled(doc *html.Node, id string) bool {
	for n := range doc.Descendants() {
		if n.Data == "label" {
			if f, _ := attribute(n, "for"); f == id && id != "" {
				return true
			}
		}
	}
	return false
}

func attribute(n *html.Node, key string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val, true
		}
	}
	return "", false
}

func first(n *html.Node, name string) *html.Node {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && d.Data == name {
			return d
		}
	}
	return nil
}

// words are the texts under a node.
func words(n *html.Node) string {
	var b strings.Builder
	if n == nil {
		return ""
	}
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

func around(s, what string) string {
	i := strings.Index(s, what)
	return s[max(0, i-60):min(len(s), i+60)]
}
