package main

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// signInAndOut signs in to the demo in Chromium on the way to a case, and out again: the frame says who is signed in,
// no script can read the cookie, the way back does not open the page again, and the browser has nothing to complain of.
func signInAndOut(t *testing.T, address, path string) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("TRAGA_TEST_BROWSER") == "required" {
			t.Fatal("TRAGA_TEST_BROWSER=required, and there is no Chromium")
		}
		t.Skip("there is no Chromium here: nobody signed in with a browser")
	}
	ctx, stop := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true))...)
	defer stop()
	ctx, closeTab := chromedp.NewContext(ctx)
	defer closeTab()
	var mu sync.Mutex
	var complaints []string
	if err := chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			complaints = append(complaints, e.Entry.Text)
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, e.ExceptionDetails.Text)
		}
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	do := func(actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	is := func(what, script, want string) {
		t.Helper()
		got, err := chromedp.Run(ctx, chromedp.Evaluate[string](script))
		if err != nil || !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s: %q, expected %q (%v)", what, got, want, err)
		}
	}
	const here = `location.pathname`
	for _, width := range []int64{1280, 320} {
		do(chromedp.EmulateViewport(width, 844), chromedp.Navigate(address+path+"?lang=sq"), chromedp.WaitVisible(chromedp.CSS(".officers button")))
		is("where it leads first", here, "/sign-in")
		is("in the reader's language", `document.documentElement.lang`, "sq")
		is("as wide as the screen", `String(document.documentElement.scrollWidth <= innerWidth)`, "true")
		is("nothing to read yet", `String(document.querySelector("nav a[href^='/cases']"))`, "null")
		officer, err := chromedp.Run(ctx, chromedp.AttributeValue(chromedp.CSS(".officers button"), "value"))
		if err != nil || officer.Value == "" {
			t.Fatalf("no officer to be: %v", err)
		}
		if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(".officers button"))); err != nil {
			t.Fatal(err)
		}
		do(chromedp.WaitVisible(chromedp.CSS(".who strong")))
		is("on to the page that was asked for", here, path)
		is("who is signed in", `document.querySelector(".who").textContent`, officer.Value)
		is("as wide as the screen", `String(document.documentElement.scrollWidth <= innerWidth)`, "true")
		is("what scripts see of the cookie", `document.cookie`, "")
		if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(".who button"))); err != nil {
			t.Fatal(err)
		}
		do(chromedp.WaitVisible(chromedp.CSS(".sign-in")))
		is("signed out", `location.href`, "reason=signed-out")
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](`void setTimeout(() => history.back())`)); err != nil {
			t.Fatal(err)
		}
		do(chromedp.WaitNotPresent(chromedp.CSS(".good")), chromedp.WaitVisible(chromedp.CSS(".sign-in")))
		is("the way back leads to", `location.search`, "next="+url.QueryEscape(path))
	}
	// A page that lies open when its session ends, elsewhere or by itself, does not stay on the screen.
	do(chromedp.Click(chromedp.CSS(".officers button")), chromedp.WaitVisible(chromedp.CSS(".who strong")), chromedp.Navigate(address+"/"), chromedp.WaitVisible(chromedp.CSS(".who strong")))
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](`void fetch("/sign-out", { method: "POST" })`)); err != nil {
		t.Fatal(err)
	}
	do(chromedp.WaitVisible(chromedp.CSS(".sign-in")))
	mu.Lock()
	defer mu.Unlock()
	complaints = slices.DeleteFunc(complaints, func(s string) bool { return strings.Contains(s, "401") }) // the live stream's, of then
	if len(complaints) > 0 {
		t.Errorf("the browser complains: %q", complaints)
	}
}
