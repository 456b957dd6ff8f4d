package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"traga.internal/events/esdbtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"traga": main, "esdbserver": func() {
		if err := esdbtest.Main(context.Background(), os.Args[1:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}})
}

// The scripts are the commands as a user types them, with what they print and how they exit.
func TestCommands(t *testing.T) {
	scenarios, err := filepath.Abs("../../handlers/simulate/testdata/scenarios")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("TRAGA_TEST_UPDATE") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("SCENARIOS", scenarios)
			return nil
		},
	})
}
