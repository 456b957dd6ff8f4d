// Command traga-verify checks an evidence bundle offline, without traga: it is small enough to be read whole, and needs
// nothing but the bundle, a checkpoint that was got earlier by another way, and a policy that says whose signatures are
// believed.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"traga.internal/events/ledger"
)

const usage = `traga-verify FILE --pinned CHECKPOINT --policy POLICY

Checks an evidence bundle of traga: that the history of its case is complete and unaltered since CHECKPOINT, a signed
checkpoint of the log that you got earlier. POLICY says whose signatures you believe, in the tlog-policy form:

    log KEY
    witness NAME KEY
    group NAME all|any|NUMBER MEMBER…
    quorum NAME (or none)

The first line that is printed is the verdict. Exit codes: 0 verified; 3 the bundle agrees with itself but was held against
nothing from outside; 7 something is wrong; 2 usage. An encrypted bundle (age) is decrypted first: age -d -i KEY FILE > BUNDLE.

`

const exitUsage = 2

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	var (
		pinned, policy string
		asJSON         bool
		trust          ledger.Trust
	)
	flags := flag.NewFlagSet("traga-verify", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&pinned, "pinned", "", "`file` with a signed checkpoint that you got earlier")
	flags.StringVar(&policy, "policy", "", "`file` that says whose signatures you believe")
	flags.BoolVar(&asJSON, "json", false, "print the verdict as one JSON document")
	flags.DurationVar(&trust.Delay, "witness-delay", 24*time.Hour, "how long a checkpoint may travel to its witnesses")
	// The file may stand before the flags.
	var files []string
	for rest := args; ; {
		if err := flags.Parse(rest); errors.Is(err, flag.ErrHelp) {
			return 0
		} else if err != nil {
			return exitUsage
		}
		if flags.NArg() == 0 {
			break
		}
		files, rest = append(files, flags.Arg(0)), flags.Args()[1:]
	}
	if len(files) != 1 {
		fmt.Fprintf(stderr, "traga-verify: expected one FILE, got %d; see --help\n", len(files))
		return exitUsage
	}
	if trust.Delay <= 0 {
		fmt.Fprintln(stderr, "traga-verify: --witness-delay: expected a duration above 0, such as 24h")
		return exitUsage
	}
	if pinned != "" {
		b, err := os.ReadFile(pinned)
		var e *ledger.Extension // a checkpoint, or one that stands behind its proof
		if err == nil {
			e, err = ledger.ParseExtension(b)
		}
		if err == nil {
			trust.Pinned = e.Note
		}
		if err != nil {
			fmt.Fprintf(stderr, "traga-verify: --pinned: %v\n", err)
			return exitUsage
		}
	}
	if policy != "" {
		b, err := os.ReadFile(policy)
		if err == nil {
			trust.Policy, err = ledger.ParsePolicy(b)
		}
		if err != nil {
			fmt.Fprintf(stderr, "traga-verify: --policy: %v\n", err)
			return exitUsage
		}
	}
	bundle, err := os.ReadFile(files[0])
	if err != nil {
		fmt.Fprintf(stderr, "traga-verify: %v\n", err)
		return exitUsage
	}
	verdict := ledger.Verify(bundle, trust)
	if asJSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(verdict)
	} else {
		err = verdict.WriteText(stdout)
	}
	if err != nil {
		fmt.Fprintf(stderr, "traga-verify: write the verdict: %v\n", err)
		return 1
	}
	return verdict.ExitCode()
}
