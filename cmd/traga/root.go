package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// app is one run of the program.
type app struct {
	Streams
	environ []string
	now     func() time.Time
	program string // how its reader starts this program
}

// Main runs traga with these arguments and returns its exit code. End-to-end tests call it as main does.
func Main(ctx context.Context, args []string, streams Streams) int {
	a := &app{Streams: streams, environ: os.Environ(), now: time.Now, program: programName(os.Args[0])}
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil {
		complain(a.Err, err)
	}
	return exitCode(err)
}

// programName is what to type to start the program that was started as path: from go run it is gone when it ends.
func programName(path string) string {
	if strings.Contains(filepath.ToSlash(path), "/go-build") {
		return "go run ./cmd/traga"
	}
	return path
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "traga",
		Short: "Audit and case history of violent extremist prisoners",
		Long: `traga keeps every action on a case as an event that can't be changed, and shows where each case stands,
which duties are overdue, and who shared what with whom.

To see it at once: traga demo`,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	root.PersistentFlags().String("config", "", "configuration file (YAML)")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddGroup(&cobra.Group{ID: "run", Title: "Run:"}, &cobra.Group{ID: "read", Title: "Read:"},
		&cobra.Group{ID: "write", Title: "Record:"}, &cobra.Group{ID: "keep", Title: "Look after it:"})
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("run", a.demoCommand(), a.serveCommand(), a.simulateCommand(), a.signCommand(), a.witnessCommand())
	add("read", a.caseCommand(), a.alertCommand(), a.safeguardCommand(), a.eventCommand(), a.matrixCommand(), a.toolsCommand(), a.calendarCommand(), a.protocolCommand(), a.exportCommand(), a.verifyCommand())
	add("write", a.recordCommand(), a.checkCommand(), a.importCommand(), a.directoryCommand())
	add("keep", a.checkpointCommand(), a.backupCommand(), a.deliveryCommand(), a.tokenCommand(), a.accessCommand(), a.keysCommand(), a.erasureCommand(), a.storeCommand(), a.projectionCommand(), a.doctorCommand(), a.configCommand(), a.versionCommand())
	root.InitDefaultCompletionCmd()
	root.Version = buildVersion().text()
	root.SetVersionTemplate("{{.Version}}\n")
	wrapUsage(root)
	return root
}

// wrapUsage makes wrong arguments a usage error (exit code 2) in every command, and a group called without a
// subcommand, or with one that it does not have, too.
func wrapUsage(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usagef("%w\nUsage: %s", err, cmd.UseLine())
			}
			return nil
		}
	}
	if c.HasSubCommands() && c.Run == nil && c.RunE == nil && c.HasParent() {
		c.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("%s has no command %q; try %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
			}
			return cmd.Help()
		}
	}
	for _, sub := range c.Commands() {
		wrapUsage(sub)
	}
	if !c.HasParent() {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("traga has no command %q; try traga --help", args[0])
			}
			return nil
		}
		c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
}

// versionAnswer is what traga version prints.
type versionAnswer struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	Commit  string `json:"commit,omitempty"`
}

func (v versionAnswer) text() string { return fmt.Sprintf("traga %s (%s)", v.Version, v.Go) }

func buildVersion() versionAnswer {
	v := versionAnswer{Version: "development"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Go = info.GoVersion
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Commit = s.Value
		}
	}
	return v
}

func (a *app) versionCommand() *cobra.Command {
	c := &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		v := buildVersion()
		return a.print(cmd, v, func(w io.Writer) { fmt.Fprintln(w, v.text()) })
	}}
	a.jsonFlag(c)
	return c
}
