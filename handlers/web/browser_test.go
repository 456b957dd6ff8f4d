package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"traga.internal/events"
	"traga.internal/handlers/auth"
)

// TestInABrowser walks from the overview to a case in Chromium: the picture is there, the live notice comes, no page
// is wider than a phone, and the browser has nothing to complain of: no error, no breach of the page's own policy.
func TestInABrowser(t *testing.T) {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		if os.Getenv("TRAGA_TEST_BROWSER") == "required" {
			t.Fatal("TRAGA_TEST_BROWSER=required, and there is no Chromium")
		}
		t.Skip("there is no Chromium here: the pages were not looked at in a browser")
	}
	w := caseloadWorld(t, 12)
	des := w.officer(t, "MK", events.Directorate)
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.mux.ServeHTTP(out, r.WithContext(auth.WithIdentity(r.Context(), auth.Identity{Actor: des, Name: des.Officer})))
	}))
	t.Cleanup(server.CloseClientConnections) // the live stream is open
	ctx, stop := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true))...)
	t.Cleanup(stop)
	tab, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	var mu sync.Mutex
	var complaints []string
	complain := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		complaints = append(complaints, s)
	}
	err := chromedp.Listen(tab, func(event any) {
		switch e := event.(type) {
		case *log.EventEntryAdded:
			complain(string(e.Entry.Level) + ": " + e.Entry.Text)
		case *runtime.EventExceptionThrown:
			complain(e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			complain("a page wrote to the console")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(tab, time.Minute)
	defer cancel()
	do := func(actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	fits := func(what string) {
		t.Helper()
		over, err := chromedp.Run(ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
		if err != nil || over > 0 {
			t.Errorf("%s is wider than the screen by %d (%v)", what, over, err)
		}
	}
	for _, width := range []int64{1280, 390, 320} {
		do(chromedp.EmulateViewport(width, 844), chromedp.Navigate(server.URL+"/"), chromedp.WaitVisible(chromedp.CSS("h1")))
		fits("the overview")
		// Untouched and not scrolled, it shows by itself what the live stream announced.
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](`document.getElementById("main").dataset.before = "yes"`)); err != nil {
			t.Fatal(err)
		}
		if _, err := chromedp.Run(ctx, chromedp.Poll[bool](`document.getElementById("main").dataset.before === undefined`)); err != nil {
			t.Errorf("the overview does not renew itself: %v", err)
		}
		if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS("td a.number"))); err != nil {
			t.Fatal(err)
		}
		do(chromedp.ScrollIntoView(chromedp.CSS("svg.lanes")), chromedp.WaitVisible(chromedp.CSS("svg.lanes .arrow")))
		fits("a case")
		if _, err := chromedp.Run(ctx, chromedp.Poll[bool](`document.querySelector("#live a") !== null`)); err != nil {
			t.Errorf("no notice of the new entry: %v", err)
		}
		notice, err := chromedp.Run(ctx, chromedp.TextContent(chromedp.CSS("#live")))
		if err != nil || !strings.Contains(notice, "new entr") {
			t.Errorf("the notice says %q (%v)", notice, err)
		}
		if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(".timeline .meta a"))); err != nil {
			t.Fatal(err)
		}
		do(chromedp.WaitVisible(chromedp.CSS("dl.data")))
		fits("an entry")
		do(chromedp.Navigate(server.URL + "/cases"))
		fits("the list of cases")
		for _, address := range []string{"/region", "/region?jurisdiction=BA&lang=mk", "/region?jurisdiction=RS&period=2026&lang=sq"} {
			do(chromedp.Navigate(server.URL+address), chromedp.WaitVisible(chromedp.CSS("table.matrix .rule")))
			fits(address)
		}
		// An officer of the directorate appoints someone, in the browser as it is.
		do(chromedp.Navigate(server.URL+"/directory?lang=sr-Cyrl"), chromedp.WaitVisible(chromedp.CSS("#appoint-post")))
		fits("the directory")
		do(chromedp.SendKeys(chromedp.CSS("#appoint-officer"), fmt.Sprintf("n.nova-%d", width)),
			chromedp.SetAttributeValue(chromedp.CSS(`#appoint-post option[value="mk-csw-tetovo csw"]`), "selected", "selected"))
		if _, err := chromedp.RunResponse(ctx, chromedp.Submit(chromedp.CSS("#appoint-post"))); err != nil {
			t.Fatal(err)
		}
		do(chromedp.WaitVisible(chromedp.CSS("p.notice[role=status]")))
		if o, _ := w.directory(t, "MK").Officer(fmt.Sprintf("n.nova-%d", width)); !o.Stands || o.Institution != "mk-csw-tetovo" {
			t.Errorf("nobody was appointed: %+v", o)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(complaints) > 0 {
		t.Errorf("the browser complains: %q", complaints)
	}
}
