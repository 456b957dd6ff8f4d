package evidence

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/events/ledger"
	"traga.internal/events/sqlitestore"
	"traga.internal/events/vault"
)

// VerifyLog recomputes every leaf of the log from its events and checks chain, tree, maps of heads and checkpoints, and
// what trust brings along; see ledger.Replay. Where the keys are at hand it opens every protected field, too. What is
// wrong with the log is in the verdict; an error means that it could not be looked at.
//
// report, if not nil, is told of the leaves done and of how many there are.
func (s *Source) VerifyLog(ctx context.Context, trust ledger.Trust, report func(done, total int64)) (*ledger.Verdict, error) {
	const doing = "verify the log"
	tree, err := s.Ledger.Tree(ctx)
	if err != nil && !errors.Is(err, events.ErrDamaged) {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	next := func(size int64) (*ledger.Note, error) {
		c, found, err := s.Ledger.CheckpointFrom(ctx, size, false)
		if err != nil || !found {
			return nil, err
		}
		if c.Size > tree.Size { // it came since, and its leaves before it; or they are missing
			now, err := s.Ledger.Tree(ctx)
			if err != nil || c.Size <= now.Size {
				return nil, err
			}
		}
		return parse(&c)
	}
	replay, err := ledger.NewReplay(trust, s.Ledger.Hashes(ctx), next)
	if err == nil {
		err = s.replay(ctx, replay, tree.Size, report)
	}
	broken := errors.Is(err, events.ErrDamaged)
	if err != nil && !broken {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	if replay == nil {
		return unreadable(err), nil
	}
	if broken {
		replay.Problem(s.codeOf(ctx, err, replay.Size()), fmt.Sprintf("leaf %d", replay.Size()), err.Error())
	}
	v, err := replay.Done(broken)
	if errors.Is(err, events.ErrDamaged) {
		return unreadable(err), nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return v, nil
}

// codeOf says what kind of damage ended the reading at a leaf: an event that is not there has others behind it, or not.
func (s *Source) codeOf(ctx context.Context, err error, at int64) ledger.Code {
	if !errors.Is(err, sqlitestore.ErrMissing) {
		return ledger.CodePayload
	}
	head, err := s.Log.Head(ctx)
	if err != nil {
		return ledger.CodeGap
	}
	if last, err := s.Ledger.Place(ctx, head); err != nil || last > at {
		return ledger.CodeGap
	}
	return ledger.CodeTail
}

// unreadable is the verdict on a store that can't be read.
func unreadable(err error) *ledger.Verdict {
	return &ledger.Verdict{Mode: "log", Problems: []ledger.Problem{{Code: ledger.CodeFormat, Place: "the store", Meaning: err.Error()}}}
}

// Unreadable is the verdict on a store that can't even be opened, for an error that matches events.ErrDamaged.
func Unreadable(err error) *ledger.Verdict { return unreadable(err) }

// reportEvery is after how many leaves report is told.
const reportEvery = 1024

func (s *Source) replay(ctx context.Context, replay *ledger.Replay, size int64, report func(done, total int64)) error {
	for l, err := range s.Ledger.Leaves(ctx, 0, size) {
		if err != nil {
			return err
		}
		leaf := ledger.Replayed{Leaf: l.Bytes, Stored: l.Hash}
		if l.Event.ID != uuid.Nil {
			leaf.Stream, leaf.Metadata = l.Event.Stream, l.Event.Metadata
			if err := s.openAll(ctx, replay, &l); err != nil {
				return err
			}
		}
		if err := replay.Add(&leaf); err != nil {
			return err
		}
		if report != nil && l.Place%reportEvery == 0 {
			report(l.Place, size)
		}
	}
	return ctx.Err()
}

// openAll opens the event's protected fields, so that what can't be opened any more is found, though no leaf depends on it.
func (s *Source) openAll(ctx context.Context, replay *ledger.Replay, l *sqlitestore.Leaf) error {
	if s.Opener == nil {
		return nil
	}
	fields, err := s.Opener.Fields(ctx, &l.Event)
	if err != nil {
		code := ledger.CodePayload
		switch {
		case errors.Is(err, events.ErrDamaged):
		case errors.Is(err, vault.ErrUnknownKey): // it can't be read, and nobody said that it was erased
			code = ledger.CodeWithheld
		default:
			return err
		}
		replay.Problem(code, fmt.Sprintf("leaf %d, revision %d of the stream %s (%s)", l.Place, l.Event.Revision, l.Event.Stream, l.Event.Type), err.Error())
		return nil
	}
	erased := 0
	for _, f := range fields {
		if f.Receipt != uuid.Nil {
			erased++
		}
	}
	replay.Erased(erased)
	return nil
}
