package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"traga.internal/events"
	"traga.internal/events/internal/admission"
	"traga.internal/events/internal/wake"
)

// LogFile is the name of the log's file in a store's directory.
const LogFile = "log.db"

// The files of a store's directory.
const (
	logFile  = LogFile
	lockFile = "lock"
)

// Store is a log in one SQLite file. Make it with Open.
type Store struct {
	path   string // of log.db
	bell   wake.Bell
	reader *reader
	lock   *flock.Flock // nil when read-only
	writer *writer      // nil when read-only

	closed    atomic.Bool
	closing   context.CancelFunc // ends the goroutines that run until the store closes, but for the writer
	running   sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

var _ events.Store = (*Store)(nil)

// ErrReadOnly is the error of an Append to a store that was opened with ReadOnly.
var ErrReadOnly = errors.New("the store is open for reading only")

// Option changes how Open opens a store.
type Option func(*options)

type options struct {
	clock    func() time.Time
	progress func(done, total uint64)
	readOnly bool
	mode     string // in which reading connections open the file
}

// WithProgress is told how far the opening of a store that was made before the ledger has come: how many events have
// their leaves, of how many.
func WithProgress(report func(done, total uint64)) Option {
	return func(o *options) { o.progress = report }
}

// WithClock takes the times at which events are recorded from a clock other than time.Now.
func WithClock(clock func() time.Time) Option { return func(o *options) { o.clock = clock } }

// ReadOnly opens an existing store beside the process that writes to it, without taking its lock. Changed then
// notices new events within a fraction of a second.
func ReadOnly() Option { return func(o *options) { o.readOnly = true } }

// Still opens a copy of a log that nobody writes to, such as one in a backup, for reading only. It leaves nothing beside
// the file, which may be on a medium that can't be written.
func Still() Option { return func(o *options) { o.readOnly, o.mode = true, still } }

// Open opens the store in a directory, and creates both where there is none. ctx bounds the opening only.
//
// It fails with events.ErrLocked when another process writes to the store, events.ErrNewerVersion when a newer
// version of traga did, events.ErrDamaged when the file is no log or can't be read, events.ErrFull when there is
// no room, and with ReadOnly fs.ErrNotExist when there is no store.
func Open(ctx context.Context, dir string, opts ...Option) (*Store, error) {
	o := options{clock: time.Now, mode: "ro"}
	for _, opt := range opts {
		opt(&o)
	}
	s := &Store{path: filepath.Join(dir, logFile)}
	var err error
	if o.readOnly {
		err = s.openReadOnly(ctx, o.mode)
	} else {
		err = s.openForWriting(ctx, dir, &o)
	}
	if err != nil {
		return nil, s.explain(ctx, "open the store", err)
	}
	return s, nil
}

func (s *Store) openForWriting(ctx context.Context, dir string, o *options) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	s.lock = flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	locked, err := s.lock.TryLock()
	if err != nil {
		return err
	}
	if !locked {
		return events.ErrLocked
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.lock.Unlock())
		}
	}()
	if err := s.createIfAbsent(ctx); err != nil {
		return err
	}
	if s.writer, err = newWriter(ctx, s.path, o, &s.bell); err != nil {
		return err
	}
	if s.reader, err = newReader(ctx, s.path, o.mode, func(context.Context) (events.Position, error) { return s.bell.Head(), nil }); err != nil {
		return errors.Join(err, s.writer.close())
	}
	s.closing = func() {}
	s.running.Go(s.writer.run)
	return nil
}

func (s *Store) createIfAbsent(ctx context.Context) error {
	info, err := os.Stat(s.path)
	switch {
	case err == nil && info.Size() == 0:
		return damaged("%s is empty", logFile) // SQLite would take it for a new database
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if _, err := os.Stat(s.path + "-wal"); err == nil {
		return damaged("%s is missing beside its journal", logFile)
	}
	return create(ctx, s.path)
}

func (s *Store) openReadOnly(ctx context.Context, mode string) (err error) {
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		return damaged("%s is empty", logFile)
	}
	if s.reader, err = newReader(ctx, s.path, mode, nil); err != nil {
		return err
	}
	watcher, err := newWatcher(ctx, s.reader, &s.bell)
	if err != nil {
		return errors.Join(err, s.reader.close())
	}
	ctx, s.closing = context.WithCancel(context.Background())
	s.running.Go(func() { watcher.run(ctx) })
	return nil
}

// Append implements events.Store. A context that is cancelled before the store has begun with the call leaves
// nothing stored. After that the call is finished, which takes no longer than a write to the disk: it never ends
// in doubt because its caller gave up.
func (s *Store) Append(ctx context.Context, stream string, expected events.Expected, proposed ...events.Proposed) (events.Appended, error) {
	if s.writer == nil {
		return events.Appended{}, fmt.Errorf("append: %w", ErrReadOnly)
	}
	if err := admission.Check(stream, expected, proposed); err != nil {
		return events.Appended{}, err
	}
	if err := context.Cause(ctx); err != nil {
		return events.Appended{}, fmt.Errorf("append: %w", err)
	}
	r, err := newRequest(stream, expected, proposed)
	if err != nil {
		return events.Appended{}, err
	}
	return s.writer.ask(ctx, "append", r)
}

// Changed implements events.Store.
func (s *Store) Changed(after events.Position) <-chan struct{} { return s.bell.After(after) }

// Size is the room that the log takes on disk in bytes, its journal included.
func (s *Store) Size(context.Context) (int64, error) {
	var total int64
	for _, name := range []string{s.path, s.path + "-wal"} {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) && name != s.path {
			continue
		}
		if err != nil {
			return 0, explain("measure the store", err)
		}
		total += info.Size()
	}
	return total, nil
}

// Close answers the appends that are under way, then closes the file and frees the lock. Iterators that are in
// use end with events.ErrClosed. Closing again does nothing.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		s.closed.Store(true)
		if s.writer != nil {
			s.writer.queue.close()
		}
		s.closing()
		s.running.Wait()
		s.bell.Close()
		err := s.reader.close()
		if s.writer != nil {
			err = errors.Join(err, s.writer.close(), s.lock.Unlock())
		}
		s.closeErr = explain("close the store", err)
	})
	return s.closeErr
}
