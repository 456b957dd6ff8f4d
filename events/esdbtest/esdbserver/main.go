// Command esdbserver is a process that answers as an EventStoreDB node does, for tests and trials of more than one
// process: see package esdbtest. With --file its log outlives it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"traga.internal/events/esdbtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "esdbserver:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("esdbserver", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address to serve on")
	file := flags.String("file", "", "keep the log in this file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o := esdbtest.Options{Listen: *listen}
	if *file != "" {
		var err error
		if o.Log, err = esdbtest.OpenLog(*file, nil); err != nil {
			return err
		}
	}
	s, err := esdbtest.Start(o)
	if err != nil {
		return err
	}
	defer s.Stop()
	fmt.Println(s.Address()) // whoever started it reads where it is
	<-ctx.Done()
	return nil
}
