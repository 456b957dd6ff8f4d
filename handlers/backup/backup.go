// Package backup makes copies of an embedded store while it is served, checks them, and puts them back.
//
// A backup is a directory: the log as it was at one instant (log.db), the journal of the reactions where there is one
// (reactions.db, so that a store that is put back tells nothing twice), and backup.json, which says what is there with
// the hash of each file. The read models are not in it: they are built from the log. The keys are not in it either: a
// backup in the wrong hands, or one made before an erasure, must not reveal what the keys protect. They have a backup of
// their own, elsewhere.
//
// Create and Restore work beside the final name and rename at the end: a crash leaves nothing that passes for whole.
package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"traga.internal/events"
	"traga.internal/events/sqlitestore"
	"traga.internal/events/vault"
	"traga.internal/handlers/reactions"
)

// Manifest is what backup.json says.
type Manifest struct {
	Format int       `json:"format"` // 1
	Made   time.Time `json:"made"`
	// Head is the position of the log's last event, Size and Root its ledger's tree: compare them with a checkpoint that
	// someone else holds. All are empty for a backup without a log, of a node whose log is in a cluster.
	Head  events.Position `json:"head"`
	Size  int64           `json:"size"`
	Root  string          `json:"root"`
	Files []File          `json:"files"`
}

// File is one file of a backup.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

const (
	manifestFile   = "backup.json"
	manifestFormat = 1
)

// names are the files of a backup in the order in which they are copied: the journal before the log, so that it never
// knows of an event that the log does not hold.
var names = []string{reactions.JournalFile, sqlitestore.LogFile}

// Errors of this package, beside those of the store.
var (
	// ErrExists: there is something already where a backup or a store would be made.
	ErrExists = errors.New("there is something there already")
	// ErrNoBackup: the directory is no backup.
	ErrNoBackup = errors.New("this is no backup")
)

// Progress is told how much of how much is done, in bytes when copying and in events when checking.
type Progress func(done, total int64)

// Create copies the store in dir into the new directory out, beside whoever writes to it: the copy is of one instant. It
// fails with ErrExists when out is there, and with fs.ErrNotExist when dir holds nothing to copy.
func Create(ctx context.Context, dir, out string, now time.Time, progress Progress) (m Manifest, err error) {
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("make a backup in %s: %w", out, errors.Join(err, ErrExists))
	}
	partial := filepath.Clean(out) + ".partial"
	if err := os.RemoveAll(partial); err != nil { // of a backup that was interrupted
		return m, fmt.Errorf("make a backup: %w", err)
	}
	if err := os.MkdirAll(partial, 0o700); err != nil {
		return m, fmt.Errorf("make a backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("make a backup: %w", err), os.RemoveAll(partial))
		}
	}()
	m = Manifest{Format: manifestFormat, Made: now.UTC().Truncate(time.Second), Files: []File{}}
	for _, name := range names {
		from, to := filepath.Join(dir, name), filepath.Join(partial, name)
		if info, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
			continue
		}
		if err := copyDatabase(ctx, from, to, progress); err != nil {
			return m, fmt.Errorf("copy %s: %w", name, err)
		}
		f, err := hashOf(to)
		if err != nil {
			return m, err
		}
		m.Files = append(m.Files, f)
	}
	if len(m.Files) == 0 {
		return m, fmt.Errorf("the directory %s holds no store: %w", dir, fs.ErrNotExist)
	}
	if err := m.readLog(ctx, partial); err != nil {
		return m, err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err == nil {
		err = writeFile(filepath.Join(partial, manifestFile), append(text, '\n'))
	}
	if err == nil {
		err = syncDir(partial)
	}
	if err == nil {
		err = os.Rename(partial, out)
	}
	if err == nil {
		err = syncDir(filepath.Dir(filepath.Clean(out)))
	}
	return m, err
}

// readLog fills in what the copied log says of itself.
func (m *Manifest) readLog(ctx context.Context, dir string) error {
	if !m.has(sqlitestore.LogFile) {
		return nil
	}
	log, err := sqlitestore.Open(ctx, dir, sqlitestore.Still())
	if err != nil {
		return err
	}
	defer log.Close()
	if m.Head, err = log.Head(ctx); err != nil {
		return err
	}
	l, err := log.Ledger()
	if errors.Is(err, sqlitestore.ErrNoLedger) {
		return nil
	}
	if err != nil {
		return err
	}
	tree, err := l.Tree(ctx)
	if err == nil {
		m.Size, m.Root = tree.Size, tree.Root.String()
	}
	return err
}

func (m *Manifest) has(name string) bool {
	return slices.ContainsFunc(m.Files, func(f File) bool { return f.Name == name })
}

// Verify reads all of a backup: that each file is as it was written, and that the log is whole, its ledger computed anew
// and every event readable. It changes nothing. Its errors match ErrNoBackup, events.ErrDamaged or events.ErrNewerVersion.
func Verify(ctx context.Context, dir string, progress Progress) (Manifest, error) {
	m, err := verify(ctx, dir, progress)
	if err != nil {
		return m, fmt.Errorf("verify the backup %s: %w", dir, err)
	}
	return m, nil
}

func verify(ctx context.Context, dir string, progress Progress) (m Manifest, err error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%w: it has no %s", ErrNoBackup, manifestFile)
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%w: %s can't be read", events.ErrDamaged, manifestFile)
	}
	if m.Format > manifestFormat {
		return m, fmt.Errorf("%w: its format is %d, this version knows %d", events.ErrNewerVersion, m.Format, manifestFormat)
	}
	for _, want := range m.Files {
		if !slices.Contains(names, want.Name) {
			return m, fmt.Errorf("%w: %s names a file that belongs to no backup", events.ErrDamaged, manifestFile)
		}
		got, err := hashOf(filepath.Join(dir, want.Name))
		if errors.Is(err, fs.ErrNotExist) {
			return m, fmt.Errorf("%w: %s is missing", events.ErrDamaged, want.Name)
		}
		if err != nil {
			return m, err
		}
		if got != want {
			return m, fmt.Errorf("%w: %s is not as it was written", events.ErrDamaged, want.Name)
		}
	}
	if !m.has(sqlitestore.LogFile) {
		return m, nil
	}
	return m, verifyLog(ctx, dir, &m, progress)
}

func verifyLog(ctx context.Context, dir string, m *Manifest, progress Progress) error {
	log, err := sqlitestore.Open(ctx, dir, sqlitestore.Still())
	if err != nil {
		return err
	}
	defer log.Close()
	if err := log.Check(ctx); err != nil {
		return err
	}
	var seen int64
	for after, more := events.Start, true; more; {
		page, err := log.ReadAll(ctx, after, 1000, events.Filter{})
		if err != nil {
			return err
		}
		for i := range page.Events {
			concealed, err := vault.Conceal(&page.Events[i]) // the keys are not here
			if err == nil {
				_, err = events.Decode(&concealed)
			}
			if err != nil {
				return err
			}
		}
		seen += int64(len(page.Events))
		after, more = page.Scanned, page.More
		if progress != nil {
			progress(seen, int64(m.Head.Commit))
		}
	}
	again := Manifest{Files: m.Files}
	if err := again.readLog(ctx, dir); err != nil {
		return err
	}
	if again.Head != m.Head || again.Size != m.Size || again.Root != m.Root {
		return fmt.Errorf("%w: the log ends elsewhere than %s says", events.ErrDamaged, manifestFile)
	}
	return nil
}

// Restore verifies a backup and puts it into the directory dir, which must not be there or be empty: it overwrites
// nothing, and fails with ErrExists. The keys are to be put back apart; the read models build themselves.
func Restore(ctx context.Context, from, dir string, progress Progress) (m Manifest, err error) {
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("restore into %s: %w", dir, err)
	}
	if len(list) > 0 {
		return m, fmt.Errorf("restore into %s: %w; name a new directory", dir, ErrExists)
	}
	if m, err = Verify(ctx, from, progress); err != nil {
		return m, err
	}
	if err := restore(m, from, dir); err != nil {
		return m, fmt.Errorf("restore into %s: %w", dir, err)
	}
	return m, nil
}

func restore(m Manifest, from, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// The log comes last, and under its name only when it is whole: a crash before leaves a directory without a store.
	for _, f := range m.Files {
		to := filepath.Join(dir, f.Name)
		if err := copyFile(filepath.Join(from, f.Name), to+".restored", f); err != nil {
			return err
		}
		if err := os.Rename(to+".restored", to); err != nil {
			return err
		}
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

func hashOf(path string) (f File, err error) {
	in, err := os.Open(path)
	if err != nil {
		return f, err
	}
	defer in.Close()
	h := sha256.New()
	n, err := io.Copy(h, in)
	return File{filepath.Base(path), n, sum(h)}, err
}

func sum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

func copyFile(from, to string, want File) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, h), in)
	if err == nil && sum(h) != want.SHA256 {
		err = fmt.Errorf("%w: %s changed while it was copied", events.ErrDamaged, want.Name)
	}
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

func writeFile(path string, content []byte) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.Sync()
}

func syncDir(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}
