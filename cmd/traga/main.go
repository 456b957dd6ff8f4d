// Command traga records what happens on the cases of violent extremist prisoners as immutable events, and
// shows status, overdue alerts and the timeline of who shared what with whom.
//
// This package holds flags, wiring and exit codes; what the program does lives in the packages that it wires.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	syscall.Umask(0o077) // whatever traga writes holds personal data: for its owner only
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := Main(ctx, os.Args[1:], Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
