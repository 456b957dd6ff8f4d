// Command esdbserver is a process that answers as an EventStoreDB node does, for tests and trials of more than one
// process: see package esdbtest. With --file its log outlives it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"traga.internal/events/esdbtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := esdbtest.Main(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "esdbserver:", err)
		os.Exit(1)
	}
}
