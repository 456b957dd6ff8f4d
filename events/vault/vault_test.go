package vault_test

import (
	"testing"
	"time"

	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/events/sqlitestore"
	"traga.internal/events/storetest"
	"traga.internal/events/vault"
)

func open(t testing.TB, dir string, opts ...vault.Option) *vault.Vault {
	t.Helper()
	v, err := vault.Open(t.Context(), dir, nil, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// Whatever a store promises, it promises behind the vault too.
func TestContract(t *testing.T) {
	features := storetest.Features{GapFree: true, OneClock: true, UniqueIDs: true}
	t.Run("memstore", func(t *testing.T) {
		storetest.Run(t, features, func(t *testing.T, clock func() time.Time) (events.Store, func() events.Store) {
			return open(t, "").Wrap(memstore.New(clock)), nil
		})
	})
	t.Run("sqlitestore", func(t *testing.T) {
		storetest.Run(t, features, func(t *testing.T, clock func() time.Time) (events.Store, func() events.Store) {
			dir, keys := t.TempDir(), t.TempDir()
			var (
				v *vault.Vault
				s *vault.Store
			)
			reopen := func() events.Store {
				if s != nil {
					if err := s.Close(); err != nil {
						t.Error(err)
					}
					if err := v.Close(); err != nil {
						t.Error(err)
					}
				}
				var err error
				if v, err = vault.Open(t.Context(), keys, nil); err != nil {
					t.Fatal(err)
				}
				inner, err := sqlitestore.Open(t.Context(), dir, sqlitestore.WithClock(clock))
				if err != nil {
					t.Fatal(err)
				}
				s = v.Wrap(inner)
				return s
			}
			t.Cleanup(func() { s.Close(); v.Close() })
			return reopen(), reopen
		})
	})
}
