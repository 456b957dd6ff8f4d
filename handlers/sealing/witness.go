package sealing

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"traga.internal/events/ledger"
)

// The files of a witness, in a directory of its own. A fork is kept beside them as fork-….txt.
const (
	witnessKeyFile    = "witness.key"
	witnessRecordFile = "cosigned"
)

// renewal is how long a cosignature is given again, before one with a new time says that the log is still the same.
const renewal = time.Hour

// ErrProofFrom: the proof does not start where the witness's record ends. That accuses nobody.
var ErrProofFrom = errors.New("the proof does not start at the checkpoint that was cosigned last")

// Witness cosigns one log's checkpoints for an oversight body, each a continuation of the last one in its own record. It
// is safe for concurrent use; two processes on one directory take turns.
type Witness struct {
	dir string
	key *ledger.Cosigner
	now func() time.Time

	mu     sync.Mutex
	latest *ledger.Note
}

// OpenWitness opens the witness in a directory, and makes one of this name where there is none.
func OpenWitness(dir, name string, now func() time.Time) (*Witness, error) {
	w, err := openWitness(dir, name, now)
	if err != nil {
		return nil, fmt.Errorf("open the witness in %s: %w", dir, err)
	}
	return w, nil
}

func openWitness(dir, name string, now func() time.Time) (*Witness, error) {
	path := filepath.Join(dir, witnessKeyFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if name == "" {
			return nil, fmt.Errorf("%w: a new witness needs a name, such as ombudsman.example/witness", ErrNoKey)
		}
		text, err = makeWitness(dir, name)
	}
	if err != nil {
		return nil, err
	}
	key, err := ledger.ParseCosigner(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("%s does not hold a witness's key", witnessKeyFile)
	}
	if name != "" && key.Key().Name() != name {
		return nil, fmt.Errorf("the witness there is %s", key.Key().Name())
	}
	w := &Witness{dir: dir, key: key, now: now}
	w.latest, err = w.record().Last(context.Background())
	return w, err
}

func makeWitness(dir, name string) (text []byte, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	err = locked(dir, func() error {
		record := File{filepath.Join(dir, witnessRecordFile)}
		if last, err := record.Last(context.Background()); err == nil && last != nil {
			return fmt.Errorf("%s is there, and %s is missing: put it back", witnessRecordFile, witnessKeyFile)
		}
		if err := record.begin(); err != nil {
			return err
		}
		_, secret, err := ledger.GenerateCosigner(rand.Reader, name)
		if err != nil {
			return err
		}
		text = []byte(secret + "\n")
		return writeFile(filepath.Join(dir, witnessKeyFile), text)
	})
	return text, err
}

func (w *Witness) record() File { return File{filepath.Join(w.dir, witnessRecordFile)} }

// Key is the witness's public key.
func (w *Witness) Key() ledger.Key { return w.key.Key() }

// Last is the note that it cosigned last, nil before the first.
func (w *Witness) Last(ctx context.Context) (*ledger.Note, error) { return w.record().Last(ctx) }

// Cosign checks that the checkpoint is signed by the log and continues what was cosigned last, and cosigns it. It fails
// with ErrProofFrom when the proof starts elsewhere, with ledger.ErrSignature, and with a *ledger.ForkError when the log
// contradicts itself; the notes of both are then kept in a file, and the error names it.
func (w *Witness) Cosign(ctx context.Context, log ledger.Key, e *ledger.Extension) (n *ledger.Note, err error) {
	if err := signedBy(e.Note, log); err != nil {
		return nil, err // before it is asked what it continues
	}
	err = locked(w.dir, func() error {
		last, err := w.Last(ctx)
		if err != nil {
			return err
		}
		if last != nil && last.Size < e.Note.Size && e.Old != last.Size {
			return fmt.Errorf("%w: it starts at %d leaves, expected %d", ErrProofFrom, e.Old, last.Size)
		}
		if last != nil && last.Checkpoint == e.Note.Checkpoint {
			if at, signed, err := w.Key().Signed(last); err == nil && signed && w.now().Sub(at) < renewal {
				n = last
				return nil
			}
		}
		proof := e.Proof
		if last == nil || last.Size >= e.Note.Size {
			proof = nil // none is needed: the first is taken as it is, and another of the same size shows by its root
		}
		n, err = ledger.NewWitness(log, w.key, w.record()).Cosign(ctx, e.Note, proof, w.now())
		var fork *ledger.ForkError
		if errors.As(err, &fork) {
			return w.keepFork(fork, err)
		}
		return err
	})
	if err == nil {
		w.mu.Lock()
		w.latest = n
		w.mu.Unlock()
	}
	return n, err
}

// keepFork keeps the notes that contradict each other.
func (w *Witness) keepFork(fork *ledger.ForkError, err error) error {
	name := fmt.Sprintf("fork-%d-%d-%x.txt", fork.Before.Size, fork.Asked.Size, fork.Asked.Root[:4])
	text := append(append(fork.Before.Bytes(), '\n'), fork.Note.Bytes()...)
	if writeErr := writeFile(filepath.Join(w.dir, name), text); writeErr != nil {
		return errors.Join(err, writeErr)
	}
	return fmt.Errorf("%w; both checkpoints are kept in %s", err, filepath.Join(w.dir, name))
}

// ServeHTTP answers GET /checkpoint with the latest note that the witness cosigned.
func (w *Witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	n := w.latest
	w.mu.Unlock()
	switch {
	case r.URL.Path != "/checkpoint":
		http.NotFound(rw, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		rw.Header().Set("Allow", "GET, HEAD")
		http.Error(rw, "ask with GET", http.StatusMethodNotAllowed)
	case n == nil:
		http.Error(rw, "nothing is cosigned yet", http.StatusNotFound)
	default:
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		rw.Header().Set("Cache-Control", "no-store")
		_, _ = rw.Write(n.Bytes()) // the caller has gone
	}
}

// Source is a traga that a witness watches, at its address.
type Source struct {
	Server *url.URL
	Token  string // may be empty
	Client *http.Client
}

// Pull asks for the latest checkpoint, cosigns it and brings the cosignature back. A log that has become shorter is a
// *ledger.ForkError that matches ledger.ErrRollback.
func (w *Witness) Pull(ctx context.Context, log ledger.Key, s Source) (*ledger.Note, error) {
	last, err := w.Last(ctx)
	if err != nil {
		return nil, err
	}
	var old int64
	if last != nil {
		old = last.Size
	}
	b, status, err := s.ask(ctx, http.MethodGet, "old="+strconv.FormatInt(old, 10), "/v1/checkpoint", "")
	if err == nil && status == http.StatusConflict { // its latest is older than ours
		b, status, err = s.ask(ctx, http.MethodGet, "", "/v1/checkpoint", "")
	}
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("ask %s for its checkpoint: it answered %d", s.Server.Host, status)
	}
	e, err := ledger.ParseExtension(b)
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint of %s: %w", s.Server.Host, err)
	}
	n, err := w.Cosign(ctx, log, e)
	if err != nil {
		return nil, err
	}
	_, status, err = s.ask(ctx, http.MethodPost, "", "/v1/checkpoint/cosignatures", string(n.Bytes()))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("bring the cosignature to %s: it answered %d; its policy must name this witness", s.Server.Host, status)
	}
	return n, err
}

// ask sends one request. What is not an answer to it, such as trouble of the network, is an error.
func (s Source) ask(ctx context.Context, method, query, path, body string) (answer []byte, status int, err error) {
	u := s.Server.JoinPath(path)
	u.RawQuery = query
	req, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	if s.Token != "" {
		req.Header.Set("Authorization", "Bearer "+s.Token)
	}
	res, err := s.Client.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("ask %s: %w", s.Server.Host, errors.Unwrap(err))
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, 2*maxMessage))
	if err != nil {
		return nil, 0, fmt.Errorf("ask %s: %w", s.Server.Host, err)
	}
	return answer, res.StatusCode, nil
}
