package esdbtest

import (
	"context"
	"flag"
	"fmt"
	"io"
)

// Main runs a node as a process until ctx ends: --listen says where, and --file keeps its log over its end. It prints
// its address as soon as it answers.
func Main(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("esdbserver", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address to serve on")
	file := flags.String("file", "", "keep the log in this file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o := Options{Listen: *listen}
	if *file != "" {
		var err error
		if o.Log, err = OpenLog(*file, nil); err != nil {
			return err
		}
	}
	s, err := Start(o)
	if err != nil {
		return err
	}
	defer s.Stop()
	fmt.Fprintln(out, "EventStoreDB for tests on", s.Address())
	<-ctx.Done()
	return nil
}
