package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/uuid"

	"traga.internal/events"
)

// Vault is an open keystore. Make it with Open, and the store that protects and reveals with Wrap. It is safe for
// concurrent use.
type Vault struct {
	dir      string // empty: in memory
	root     Root
	keys     *keystore // nil when there is none to read
	lock     *flock.Flock
	readOnly bool
	clock    func() time.Time
	index    []byte
	closed   atomic.Bool

	// using is held for reading while events are protected and appended, for writing while keys are destroyed: a field
	// that is stored after an erasure is never under a key that it destroyed.
	using sync.RWMutex

	settling sync.Mutex
	settled  events.Position // how far the log was looked through, guarded by settling

	mu      sync.RWMutex // guards what is remembered
	state   state
	version int64     // data_version of keys.db
	asked   time.Time // when it was last asked
	byID    map[string]*dataKey
	current map[lot]*dataKey
	streams map[string]owner
	// replayed are keys that the log says were destroyed, and that a keystore open for reading only can't destroy.
	replayed map[string]tombstone
}

// dataKey is a data key in memory: never changed once it is there.
type dataKey struct {
	row
	aead cipher.AEAD // nil once it is destroyed
}

// tombstone is what is left of a destroyed key: the id of the PersonalDataErased, and when.
type tombstone struct {
	receipt uuid.UUID
	at      time.Time
}

// owner is whose a stream is.
type owner struct{ person, relatives person }

// Option changes how Open opens a keystore.
type Option func(*options)

type options struct {
	readOnly bool
	clock    func() time.Time
}

// ReadOnly opens a keystore beside the process that writes to it. Where there is none, only events without protected
// fields can be read: others fail with ErrNoKeystore.
func ReadOnly() Option { return func(o *options) { o.readOnly = true } }

// WithClock says by which clock keys were destroyed; the default is time.Now.
func WithClock(clock func() time.Time) Option { return func(o *options) { o.clock = clock } }

// How many keys and streams are remembered; past it all are forgotten, and asked for again.
const maxRemembered = 1 << 16

// Open opens the keystore in a directory, and makes both where there is none. A nil root is the key in the file root.key
// there, which is made too. An empty dir is a keystore in memory, for a log that nobody needs to read later.
//
// It fails with ErrWrongRoot, ErrDamaged, ErrInUse while another process brings in a new root key, and events.ErrFull.
func Open(ctx context.Context, dir string, root Root, opts ...Option) (_ *Vault, err error) {
	o := options{clock: time.Now}
	for _, opt := range opts {
		opt(&o)
	}
	v := &Vault{dir: dir, root: root, readOnly: o.readOnly, clock: o.clock, replayed: map[string]tombstone{}}
	v.forget()
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open the vault: %w", err), v.Close())
		}
	}()
	path := ""
	if dir != "" {
		path = filepath.Join(dir, keysFile)
		if err := v.enter(); err != nil {
			return nil, err
		}
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && v.readOnly {
			return v, nil
		}
	}
	if v.root == nil {
		if err := v.openRoot(path); err != nil {
			return nil, err
		}
	}
	fresh := make([]byte, 32)
	rand.Read(fresh)
	// Two processes that begin a keystore at the same moment stand in each other's way, and SQLite does not wait then.
	for began := time.Now(); ; {
		v.keys, err = openKeystore(ctx, path, v.readOnly, func() ([]byte, error) { return v.root.Encrypt(fresh, indexData) })
		if !errors.Is(err, events.ErrUnavailable) || time.Since(began) > 10*time.Second || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if err := v.unlock(ctx); err != nil {
		return nil, err
	}
	return v, nil
}

// enter makes the directory and takes the shared lock.
func (v *Vault) enter() error {
	if v.readOnly {
		return nil
	}
	if err := os.MkdirAll(v.dir, 0o700); err != nil {
		return err
	}
	v.lock = flock.New(filepath.Join(v.dir, lockFile), flock.SetPermissions(0o600))
	locked, err := v.lock.TryRLock()
	if err == nil && !locked {
		err = ErrInUse
	}
	return err
}

// openRoot reads the root key's file. A new one is made for a new keystore only: for one that is there it would be wrong.
func (v *Vault) openRoot(keys string) (err error) {
	if v.dir == "" {
		key := make([]byte, 32)
		rand.Read(key)
		v.root, err = newFileRoot(key)
		return err
	}
	path := filepath.Join(v.dir, rootFile)
	v.root, err = readRoot(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(keys); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is missing beside it", ErrWrongRoot, rootFile)
	}
	v.root, err = writeRoot(path)
	return err
}

// unlock reads what the keystore says of itself, and proves the root key on it.
func (v *Vault) unlock(ctx context.Context) error {
	var (
		wrapped []byte
		err     error
	)
	if v.version, err = v.keys.dataVersion(ctx); err != nil {
		return explain("read the keystore", err)
	}
	if v.state, wrapped, err = v.keys.state(ctx); err != nil {
		return explain("read the keystore", err)
	}
	if v.index, err = v.root.Decrypt(wrapped, indexData); err == nil {
		return v.dropNewRoot()
	}
	// A crash while a new root key came in: the keystore is under it, and only its file's name is still to be changed.
	if v.dir != "" {
		if fresh, e := readRoot(filepath.Join(v.dir, newRootFile)); e == nil {
			if v.index, e = fresh.Decrypt(wrapped, indexData); e == nil {
				v.root = fresh
				if v.readOnly {
					return nil
				}
				return rename(filepath.Join(v.dir, newRootFile), filepath.Join(v.dir, rootFile))
			}
		}
	}
	return ErrWrongRoot
}

// dropNewRoot removes a new root key that never came into force.
func (v *Vault) dropNewRoot() error {
	if v.readOnly || v.dir == "" {
		return nil
	}
	if err := os.Remove(filepath.Join(v.dir, newRootFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Close closes the keystore. It does not close the stores that were wrapped. Closing again does nothing.
func (v *Vault) Close() error {
	if v.closed.Swap(true) {
		return nil
	}
	var err error
	if v.keys != nil {
		err = v.keys.close()
	}
	if v.lock != nil {
		err = errors.Join(err, v.lock.Unlock())
	}
	return explain("close the vault", err)
}

// forget empties what is remembered. The caller holds mu, or is alone.
func (v *Vault) forget() {
	v.byID, v.current, v.streams = map[string]*dataKey{}, map[lot]*dataKey{}, map[string]owner{}
}

// look notices what other processes changed, at most so long ago.
func (v *Vault) look(ctx context.Context, age time.Duration) error {
	if v.keys == nil || v.keys.version == nil {
		return nil
	}
	now := time.Now()
	if age > 0 {
		v.mu.RLock()
		recent := now.Sub(v.asked) < age
		v.mu.RUnlock()
		if recent {
			return nil
		}
	}
	version, err := v.keys.dataVersion(ctx)
	if err != nil {
		return explain("read the keystore", err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = now
	if version == v.version {
		return nil
	}
	return v.relook(ctx, version)
}

// relook reads the keystore's state again, and forgets what is remembered if that is not good any more. The caller holds mu.
func (v *Vault) relook(ctx context.Context, version int64) error {
	fresh, wrapped, err := v.keys.state(ctx)
	if err != nil {
		return explain("read the keystore", err)
	}
	if fresh.changes != v.state.changes {
		if _, err := v.root.Decrypt(wrapped, indexData); err != nil { // a new root key, which only those who open anew have
			return ErrWrongRoot
		}
		v.forget()
	}
	v.state, v.version = fresh, version
	return nil
}

// open makes the key of a row ready for use.
func (v *Vault) open(r *row) (*dataKey, error) {
	k := &dataKey{row: *r}
	k.wrapped = nil
	if r.wrapped == nil {
		return k, nil
	}
	key, err := v.root.Decrypt(r.wrapped, r.associated())
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("%w: key %s does not open with the root key", ErrDamaged, r.id)
	}
	k.aead, err = newAEAD(key)
	return k, err
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// key is the data key of an id.
func (v *Vault) key(ctx context.Context, id string) (*dataKey, error) {
	v.mu.RLock()
	k, changes := v.byID[id], v.state.changes
	grave, gone := v.replayed[id]
	v.mu.RUnlock()
	switch {
	case gone && k != nil && k.aead != nil:
		return &dataKey{row: row{lot: k.lot, id: id, receipt: grave.receipt, at: grave.at}}, nil
	case k != nil:
		return k, nil
	case v.keys == nil:
		return nil, ErrNoKeystore
	}
	r, err := v.keys.find(ctx, id)
	if err != nil {
		return nil, explain("read the keystore", err)
	}
	if r == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknownKey, id)
	}
	if gone {
		r.wrapped, r.receipt, r.at = nil, grave.receipt, grave.at
	}
	if k, err = v.open(r); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if changes == v.state.changes {
		v.remember(k)
	}
	return k, nil
}

// remember keeps a key in memory. The caller holds mu.
func (v *Vault) remember(k *dataKey) {
	if len(v.byID) >= maxRemembered {
		clear(v.byID)
		clear(v.current)
	}
	v.byID[k.id] = k
	if k.aead != nil && k.epoch == v.state.epoch {
		v.current[lot{k.person, k.category, k.epoch}] = k
	}
}

// person names a person, as the package comment says.
func (v *Vault) person(kind string, names ...string) (p person) {
	m := hmac.New(sha256.New, v.index)
	b := append([]byte("traga.internal/person/v1\n"), kind...)
	for _, n := range names {
		b = append(append(b, 0), n...)
	}
	m.Write(b)
	copy(p[:], m.Sum(nil))
	return p
}

// writing returns the keys for these lots, of which the epoch is set here; those that are not there yet are made, and are
// durable when it returns. told are cases that the keystore has to know of.
func (v *Vault) writing(ctx context.Context, lots []lot, told []ownership) ([]*dataKey, error) {
	keys := make([]*dataKey, len(lots))
	var missing []int
	v.mu.RLock()
	changes := v.state.changes
	for i := range lots {
		lots[i].epoch = v.state.epoch
		if keys[i] = v.current[lots[i]]; keys[i] == nil {
			missing = append(missing, i)
		}
	}
	v.mu.RUnlock()
	if missing == nil && told == nil {
		return keys, nil
	}
	o := &order{told: told}
	for _, i := range missing {
		r, err := v.newRow(lots[i])
		if err != nil {
			return nil, err
		}
		o.rows = append(o.rows, r)
	}
	if err := v.keys.make(o); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for n, i := range missing {
		k, err := v.open(o.rows[n])
		if err != nil {
			return nil, err
		}
		keys[i] = k
		if changes == v.state.changes {
			v.remember(k)
		}
	}
	return keys, nil
}

// newRow makes a new data key, wrapped.
func (v *Vault) newRow(l lot) (*row, error) {
	var id [16]byte
	key := make([]byte, 32)
	rand.Read(id[:])
	rand.Read(key)
	r := &row{lot: l, id: base64.RawURLEncoding.EncodeToString(id[:])}
	var err error
	if r.wrapped, err = v.root.Encrypt(key, r.associated()); err != nil {
		return nil, fmt.Errorf("wrap a new key under the root key: %w: %w", events.ErrUnavailable, err)
	}
	return r, nil
}
