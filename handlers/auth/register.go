package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// register is the file of issued and revoked tokens: one JSON object a line, added to and never changed. It is read
// on from where it was read to whenever it has grown.
type register struct {
	path   string
	mu     sync.Mutex
	file   os.FileInfo // the file that was read
	read   int64       // up to there
	last   []byte      // the line that ends there
	tokens map[uuid.UUID]*Token
	order  []uuid.UUID
}

// entry is one line.
type entry struct {
	Issued  *Token      `json:"issued,omitempty"`
	Revoked *revocation `json:"revoked,omitempty"`
}

type revocation struct {
	ID uuid.UUID `json:"id"`
	At time.Time `json:"at"`
}

// append adds lines, on disk when it returns. A crash in the middle leaves a line without an end, which counts for
// nothing and is cut off here by the next.
func (r *register) append(entries ...entry) (err error) {
	if len(entries) == 0 {
		return nil
	}
	var lines bytes.Buffer
	for _, e := range entries {
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		lines.Write(append(line, '\n'))
	}
	f, err := os.OpenFile(r.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }() // which lets go of the lock
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock it: %w", err)
	}
	size, err := wholeLines(f)
	if err != nil {
		return err
	}
	if err := f.Truncate(size); err != nil {
		return err
	}
	if _, err := f.Write(lines.Bytes()); err != nil {
		return errors.Join(err, f.Truncate(size)) // a full disk: nothing of it
	}
	return errors.Join(f.Sync(), syncDirectory(filepath.Dir(r.path)))
}

// wholeLines is how long the file is up to the end of its last whole line.
func wholeLines(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	end := info.Size()
	for b := make([]byte, 1); end > 0; end-- {
		if _, err := f.ReadAt(b, end-1); err != nil {
			return 0, err
		}
		if b[0] == '\n' {
			break
		}
	}
	return end, nil
}

// find is the token of that id as the register has it now.
func (r *register) find(id uuid.UUID) (Token, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.refresh(); err != nil {
		return Token{}, false, err
	}
	token := r.tokens[id]
	if token == nil {
		return Token{}, false, nil
	}
	return *token, true, nil
}

func (r *register) list() ([]Token, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.refresh(); err != nil {
		return nil, err
	}
	list := make([]Token, 0, len(r.order))
	for _, id := range r.order {
		list = append(list, *r.tokens[id])
	}
	return list, nil
}

// refresh reads what was added since the last time. Another file in the register's place, or one that was written anew,
// is read from its beginning, but what was revoked stays so. No file is a register with nothing in it.
func (r *register) refresh() error {
	info, err := os.Stat(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		r.forget(nil)
		return nil
	}
	if err != nil {
		return err
	}
	if r.file != nil && os.SameFile(info, r.file) && info.Size() == r.file.Size() && info.ModTime().Equal(r.file.ModTime()) {
		return nil
	}
	f, err := os.Open(r.path)
	if err != nil {
		return err
	}
	defer f.Close()
	from := r.read - int64(len(r.last))
	added, err := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
	if err != nil {
		return err
	}
	if added, same := bytes.CutPrefix(added, r.last); same && r.file != nil && os.SameFile(info, r.file) {
		r.file = info
		return r.takeLines(added)
	}
	r.forget(info)
	if added, err = io.ReadAll(io.NewSectionReader(f, 0, info.Size())); err != nil {
		r.file = nil // look again next time
		return err
	}
	return r.takeLines(added)
}

// takeLines reads on. A line that can't be read is looked at again next time.
func (r *register) takeLines(added []byte) error {
	for {
		line, rest, whole := bytes.Cut(added, []byte{'\n'})
		if !whole {
			return nil // someone is writing it
		}
		if err := r.take(line); err != nil {
			r.file = nil
			return fmt.Errorf("the line at byte %d can't be read: %w", r.read, err)
		}
		r.last = append(append([]byte{}, line...), '\n')
		added, r.read = rest, r.read+int64(len(r.last))
	}
}

// forget begins anew, with nothing but what was seen to be revoked.
func (r *register) forget(file os.FileInfo) {
	maps.DeleteFunc(r.tokens, func(_ uuid.UUID, t *Token) bool { return t.Revoked.IsZero() })
	if r.tokens == nil {
		r.tokens = map[uuid.UUID]*Token{}
	}
	r.order = slices.DeleteFunc(r.order, func(id uuid.UUID) bool { return r.tokens[id] == nil })
	r.file, r.read, r.last = file, 0, nil
}

func (r *register) take(line []byte) error {
	var e entry
	in := json.NewDecoder(bytes.NewReader(line))
	in.DisallowUnknownFields()
	if err := in.Decode(&e); err != nil {
		return errors.New("expected an issued or a revoked token") // the error would hold what is written there
	}
	switch {
	case e.Issued != nil && e.Revoked == nil:
		if r.tokens[e.Issued.ID] == nil {
			r.tokens[e.Issued.ID] = e.Issued
			r.order = append(r.order, e.Issued.ID)
		}
	case e.Revoked != nil && e.Issued == nil:
		if token := r.tokens[e.Revoked.ID]; token != nil && token.Revoked.IsZero() {
			token.Revoked = e.Revoked.At
		}
	default:
		return errors.New("expected an issued or a revoked token")
	}
	return nil
}
