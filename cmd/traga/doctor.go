package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"traga.internal/events"
	"traga.internal/events/ledger"
	"traga.internal/events/sqlitestore"
	"traga.internal/events/vault"
	"traga.internal/handlers/reactions"
	"traga.internal/handlers/sealing"
)

// finding is one line of traga doctor.
type finding struct {
	Check  string `json:"check"`
	State  string `json:"state"` // ok, warning or bad
	Detail string `json:"detail"`
}

func (a *app) doctorCommand() *cobra.Command {
	c := &cobra.Command{Use: "doctor --data DIR", Short: "Check a store and its surroundings", Args: cobra.NoArgs,
		Long: "Checks the directory, the log, every event in it, the read models, the clock and the disk. Exit code 7 when the log is damaged, 5 when there is none, 1 when something else is bad.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.source(cmd)
			if err != nil {
				return err
			}
			if s.dir == "" {
				return usagef("doctor looks at a store's directory: --data DIR")
			}
			findings, damaged := a.examine(cmd.Context(), s)
			err = a.print(cmd, findings, func(w io.Writer) {
				t := newTable(w, "CHECK", "STATE", "DETAIL")
				for _, f := range findings {
					t.row(f.Check, f.State, f.Detail)
				}
				t.flush()
			})
			for _, f := range findings {
				if err == nil && f.State == "bad" {
					return &codedError{code: exitCode(cmp.Or(damaged, errBad))}
				}
			}
			return err
		}}
	addSettings(c.Flags(), clientSettings())
	a.jsonFlag(c)
	return c
}

// errBad: something that doctor looked at is bad, and it is not the log.
var errBad = errors.New("something is bad")

// examine looks at everything. The error is that of the log.
func (a *app) examine(ctx context.Context, s *source) ([]finding, error) {
	list := append(examineDirectory(s.dir), examineKeys(s.keys)...)
	log, err := s.openLog(ctx)
	if err != nil {
		return append(list, finding{"log", "bad", err.Error()}), err
	}
	defer log.Close()
	last, found, err := a.examineLog(ctx, log)
	if list = append(list, found...); err != nil {
		return append(list, finding{"log", "bad", err.Error()}), err
	}
	found, err = examineLedger(ctx, s, log)
	if list = append(list, found...); err != nil {
		return append(list, finding{"ledger", "bad", err.Error()}), err
	}
	if now := a.now(); last.After(now) {
		list = append(list, finding{"clock", "warning", fmt.Sprintf("the last event was recorded at %s, later than this machine's clock (%s)", last.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))})
	} else {
		list = append(list, finding{"clock", "ok", "not behind the log"})
	}
	list = append(list, examineReadModels(ctx, s, log)...)
	return append(list, examineDeliveries(ctx, s.dir, a.now)...), nil
}

// examineDeliveries looks whether there is something that could not be told to others.
func examineDeliveries(ctx context.Context, dir string, now func() time.Time) []finding {
	j, err := reactions.FindJournal(ctx, dir, now)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // this store tells nobody
	}
	if err != nil {
		return []finding{{"deliveries", "bad", err.Error()}}
	}
	defer j.Close()
	parked, err := j.Parked(ctx, "")
	switch {
	case err != nil:
		return []finding{{"deliveries", "bad", err.Error()}}
	case len(parked) > 0:
		return []finding{{"deliveries", "warning", fmt.Sprintf("%d could not be told to others and are parked: traga delivery list", len(parked))}}
	}
	return []finding{{"deliveries", "ok", "nothing is parked"}}
}

func examineDirectory(dir string) []finding {
	info, err := os.Stat(dir)
	if err != nil {
		return []finding{{"directory", "bad", "it can't be read"}}
	}
	list := []finding{{"directory", "ok", "others on this machine can't read it"}}
	if info.Mode().Perm()&0o077 != 0 {
		list[0] = finding{"directory", "warning", fmt.Sprintf("others on this machine may be able to read it (mode %04o); personal data is inside: chmod 700", info.Mode().Perm())}
	}
	list = append(list, examineFiles(dir)...)
	var disk unix.Statfs_t
	if unix.Statfs(dir, &disk) == nil {
		free := disk.Bavail * uint64(disk.Bsize)
		state := "ok"
		if free < 1<<30 {
			state = "warning"
		}
		list = append(list, finding{"disk", state, fmt.Sprintf("%.1f GiB free", float64(free)/(1<<30))})
	}
	return list
}

// examineKeys looks at the directory of keys, if there is one yet.
func examineKeys(dir string) []finding {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return []finding{{"keys", "bad", "their directory can't be read"}}
	case info.Mode().Perm()&0o077 != 0:
		return append([]finding{{"keys", "warning", fmt.Sprintf("others on this machine may be able to read their directory (mode %04o): chmod 700", info.Mode().Perm())}}, examineFiles(dir)...)
	}
	return append([]finding{{"keys", "ok", "others on this machine can't read them"}}, examineFiles(dir)...)
}

// examineFiles names the files below a directory that others can read.
func examineFiles(dir string) (list []finding) {
	walked := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			list = append(list, finding{"file", "warning", fmt.Sprintf("%s has mode %04o; chmod 600", filepath.Base(path), info.Mode().Perm())})
		}
		return err
	})
	if walked != nil {
		list = append(list, finding{"files", "bad", "not all can be read"})
	}
	return list
}

// keysFound is what doctor found of the protected fields.
type keysFound struct {
	closed, plain int
	why           error // of the first that did not open
}

// look decodes an event as it is stored, and opens its protected fields. Its error is damage of the log.
func (k *keysFound) look(ctx context.Context, log *protectedLog, stored *events.Recorded) error {
	concealed, err := vault.Conceal(stored)
	if err == nil {
		_, err = events.Decode(&concealed)
	}
	if err != nil {
		return err
	}
	n, err := vault.Plain(stored, func(id uuid.UUID) (string, error) {
		r, _, err := log.Lookup(ctx, id)
		return r.Type, err
	})
	if err != nil {
		return err
	}
	k.plain += n
	_, err = log.keys.Fields(ctx, stored)
	switch {
	case err == nil:
	case errors.Is(err, vault.ErrUnknownKey), errors.Is(err, vault.ErrNoKeystore), errors.Is(err, vault.ErrWrongRoot):
		k.closed, k.why = k.closed+1, cmp.Or(k.why, err)
	default:
		return err
	}
	return nil
}

func (k *keysFound) findings() []finding {
	list := []finding{{"keys", "ok", "every protected field opens, or was erased"}}
	if k.closed > 0 {
		list[0] = finding{"keys", "bad", fmt.Sprintf("the protected fields of %d events don't open: %v", k.closed, k.why)}
	}
	if k.plain > 0 {
		list = append(list, finding{"personal data", "warning", fmt.Sprintf("%d fields stand in plain in the log, recorded before there was a vault; they can't be erased", k.plain)})
	}
	return list
}

// examineLog reads and decodes every event, and returns when the last one was recorded.
func (a *app) examineLog(ctx context.Context, log *protectedLog) (time.Time, []finding, error) {
	head, err := log.Head(ctx)
	if err != nil {
		return time.Time{}, nil, err
	}
	p := a.progress("read the log")
	defer p.done()
	var (
		after     events.Position
		last      time.Time
		read      uint64
		simulated bool
		keys      keysFound
	)
	for more := true; more; {
		page, err := log.kept.ReadAll(ctx, after, 1000, events.Filter{})
		if err != nil {
			return last, nil, err
		}
		for i := range page.Events {
			r := &page.Events[i]
			read++
			switch {
			case r.Position != events.At(read):
				return last, nil, fmt.Errorf("%w: position %d is missing", events.ErrDamaged, read)
			case r.RecordedAt.Before(last):
				return last, nil, fmt.Errorf("%w: the time goes back at position %s", events.ErrDamaged, r.Position)
			}
			if err := keys.look(ctx, log, r); err != nil {
				return last, nil, err
			}
			last, simulated = r.RecordedAt, simulated || r.Type == "StoreSimulated"
		}
		after, more = page.Scanned, page.More
		p.report(int64(read), int64(head.Commit))
	}
	list := append([]finding{{"log", "ok", fmt.Sprintf("%d events, all read", read)}}, keys.findings()...)
	if simulated {
		list = append(list, finding{"times", "warning", "the times in this store are simulated"})
	}
	return last, list, nil
}

// examineLedger computes the ledger anew from the events, and compares it with what was signed.
func examineLedger(ctx context.Context, s *source, log *protectedLog) ([]finding, error) {
	l, err := log.ledger()
	if errors.Is(err, sqlitestore.ErrNoLedger) {
		return []finding{{"ledger", "warning", err.Error()}}, nil
	}
	if err != nil {
		return nil, err
	}
	if err := log.Check(ctx); err != nil {
		return nil, err
	}
	list := []finding{{"ledger", "ok", "it is that of the entries, all computed anew"}}
	n, at, err := sealing.Latest(ctx, l)
	switch {
	case errors.Is(err, ledger.ErrNoCheckpoint):
		return append(list, finding{"checkpoint", "warning", "nothing is signed yet"}), nil
	case err != nil:
		return list, err
	}
	signer, err := sealing.OpenSigner(s.config.keys())
	if errors.Is(err, sealing.ErrNoKey) {
		return append(list, finding{"checkpoint", "ok", fmt.Sprintf("signed at %s of %d leaves; the signer is not here", at.Format(time.RFC3339), n.Size)}), nil
	}
	if err == nil {
		err = sealing.New(l, signer, sealing.WithSimulatedTimes()).Check(ctx)
	}
	if isBroken(err) {
		return list, err
	}
	if err != nil {
		return append(list, finding{"checkpoint", "bad", err.Error()}), nil
	}
	return append(list, finding{"checkpoint", "ok", fmt.Sprintf("signed at %s of %d leaves, and the log continues it", at.Format(time.RFC3339), n.Size)}), nil
}

func examineReadModels(ctx context.Context, s *source, log *protectedLog) []finding {
	states, err := readModelStates(ctx, s, log)
	if errors.Is(err, fs.ErrNotExist) {
		return []finding{{"read models", "ok", "none yet; they are built from the log when they are needed"}}
	}
	if err != nil {
		return []finding{{"read models", "warning", err.Error()}}
	}
	head, err := log.Head(ctx)
	if err != nil {
		return []finding{{"read models", "bad", err.Error()}}
	}
	var list []finding
	for _, p := range states {
		f := finding{"read model " + p.Name, "ok", fmt.Sprintf("at position %s", p.Position)}
		switch {
		case p.Error != "":
			f.State, f.Detail = "bad", p.Error
		case p.Position.After(head):
			f.State, f.Detail = "bad", fmt.Sprintf("at position %s, and the log ends at %s: entries are missing from the log, or it is another one", p.Position, head)
		}
		list = append(list, f)
	}
	return list
}
