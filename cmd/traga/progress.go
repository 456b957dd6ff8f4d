package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress shows how far long work has come, on standard error: a bar in a terminal, a line every few seconds
// elsewhere.
type progress struct {
	bar  *progressbar.ProgressBar
	w    io.Writer
	what string
	last time.Time
	now  func() time.Time
}

func (a *app) progress(what string) *progress {
	p := &progress{w: a.Err, what: what, now: a.now, last: a.now()}
	if f, ok := a.Err.(*os.File); ok && isTerminal(f) {
		p.bar = progressbar.NewOptions64(-1, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("events"),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	}
	return p
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && info.Mode()&os.ModeDevice != 0 && info.Name() != "null"
}

// report says that so many of total are done; total is 0 while it is not known.
func (p *progress) report(done, total int64) {
	if p.bar != nil {
		if total > 0 && p.bar.GetMax64() != total {
			p.bar.ChangeMax64(total)
		}
		_ = p.bar.Set64(done) // a bar that can't be drawn is no reason to stop the work
		return
	}
	if now := p.now(); now.Sub(p.last) >= 3*time.Second {
		p.last = now
		if total > 0 {
			fmt.Fprintf(p.w, "%s: %d of %d\n", p.what, done, total)
		} else {
			fmt.Fprintf(p.w, "%s: %d\n", p.what, done)
		}
	}
}

func (p *progress) done() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
