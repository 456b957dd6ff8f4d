package esdbstore_test

import (
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/events/esdbstore"
	"traga.internal/events/esdbtest"
	"traga.internal/events/storetest"
)

// start starts a server that stops when the test ends.
func start(t testing.TB, o esdbtest.Options) *esdbtest.Server {
	t.Helper()
	s, err := esdbtest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// open opens a store that closes when the test ends.
func open(t testing.TB, address string, o ...esdbstore.Option) *esdbstore.Store {
	t.Helper()
	s, err := esdbstore.Open(t.Context(), address, o...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func contract(t *testing.T, address func(*testing.T) string) {
	storetest.Run(t, storetest.Features{}, func(t *testing.T, clock func() time.Time) (events.Store, func() events.Store) {
		a := address(t)
		s := open(t, a, esdbstore.WithClock(clock))
		return s, func() events.Store {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			return open(t, a, esdbstore.WithClock(clock))
		}
	})
}

func TestContract(t *testing.T) {
	contract(t, func(t *testing.T) string { return start(t, esdbtest.Options{}).URL() })
}

// TestContractUnderAPrefix shares one database with the streams of others, and with those of another installation.
func TestContractUnderAPrefix(t *testing.T) {
	server := start(t, esdbtest.Options{})
	contract(t, func(*testing.T) string { return server.URL() + "&streamPrefix=b." })
}

// TestContractOnARealServer runs against the server that TRAGA_TEST_ESDB names by its connection string, alone.
func TestContractOnARealServer(t *testing.T) {
	address := os.Getenv("TRAGA_TEST_ESDB")
	if address == "" {
		t.Skip("TRAGA_TEST_ESDB names no server")
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal("TRAGA_TEST_ESDB is no connection string")
	}
	q := u.Query()
	q.Set("streamPrefix", uuid.NewString()+".")
	u.RawQuery = q.Encode()
	contract(t, func(*testing.T) string { return u.String() })
}
