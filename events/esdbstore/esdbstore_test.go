package esdbstore_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"traga.internal/events"
	"traga.internal/events/esdbstore"
	"traga.internal/events/esdbtest"
)

func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"":                       "expected esdb://",
		"http://127.0.0.1:2113":  "expected esdb://",
		"esdb://":                "host",
		"esdb://u:s3cret@h:port": "HOST:PORT",
		"esdb://u:s3cret@127.0.0.1:2113?nodepreference=follower": "leader only",
		"esdb://u:s3cret@127.0.0.1:2113?tsl=false":               `"tsl"`,
		"esdb://u:s3cret@127.0.0.1:2113?tls=maybe":               "true or false",
		"esdb://u:s3cret@127.0.0.1:2113?connectionName=":         "connectionName",
		"esdb://u:s3cret@127.0.0.1:2113?streamPrefix=$a":         "streamPrefix",
		"esdb://u:s3cret@127.0.0.1:2113?defaultDeadline=soon":    "milliseconds",
		"esdb://u:s3cret@127.0.0.1:2113?tlsCaFile=/not/there":    "/not/there",
		"esdb://u:s3cret@127.0.0.1:2113?userCertFile=/a":         "userKeyFile",
		"esdb://u:s3cret@127.0.0.1:2113/path":                    "path",
		"esdb://u:s3cret@127.0.0.1:2113?tls=false&tls=true":      "twice",
	} {
		s, err := esdbstore.Open(t.Context(), address)
		if err == nil {
			t.Errorf("%s was opened", address)
			s.Close()
			continue
		}
		if !errors.Is(err, esdbstore.ErrAddress) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v; want it to name %s, and no password", address, err, want)
		}
	}
	for _, address := range []string{"esdb://a", "esdb://a:1,b:2", "esdb+discover://a:1?tls=false", "esdb://u:p@a:1,b:2,c:3?tlsVerifyCert=false&KeepAliveInterval=10000&connectionName=x"} {
		s, err := esdbstore.Open(t.Context(), address)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		s.Close()
	}
}

// certificate makes a server's certificate and the file that its clients trust it by.
func certificate(t *testing.T) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, file
}

// Over TLS everyone must say who they are. An ordinary user may append, but not follow the log.
func TestUsersOverTLS(t *testing.T) {
	conf, ca := certificate(t)
	server := start(t, esdbtest.Options{TLS: conf, Users: map[string]string{"admin": "changeit", "ann": "pw"}})
	address := func(user string) string {
		return "esdb+discover://" + user + server.Address() + "?tlsCaFile=" + url.QueryEscape(ca)
	}
	s := open(t, address("admin:changeit@"))
	appendTo(t, s, "case-1", events.NoStream, proposed(2)...)
	if list := readAll(t, s); len(list) != 2 {
		t.Errorf("%d events", len(list))
	}
	if err := s.Health(t.Context()); err != nil {
		t.Error(err)
	}
	ann := open(t, address("ann:pw@"))
	appendTo(t, ann, "case-2", events.NoStream, proposed(1)...)
	if _, err := ann.ReadAll(t.Context(), events.Start, 1, events.Filter{}); !errors.Is(err, esdbstore.ErrDenied) {
		t.Errorf("ann reads the log: %v", err)
	}
	for who, user := range map[string]string{"nobody": "", "a wrong password": "admin:no@"} {
		began := time.Now()
		s := open(t, address(user))
		_, err := s.Append(t.Context(), "case-3", events.Any, proposed(1)...)
		if !errors.Is(err, esdbstore.ErrDenied) || time.Since(began) > 5*time.Second {
			t.Errorf("%s: %v after %v", who, err, time.Since(began))
		}
	}
	// Without the certificate it is not this server.
	s = open(t, "esdb://admin:changeit@"+server.Address(), esdbstore.WithPatience(200*time.Millisecond))
	if _, err := s.Append(t.Context(), "case-3", events.Any, proposed(1)...); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("a server with a strange certificate: %v", err)
	}
}

// The index finds every event by its id, those of other nodes and the newest included; on another log it begins anew.
func TestLookupAndPositionAt(t *testing.T) {
	dir := t.TempDir()
	var hands atomic.Int64
	hands.Store(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).Unix())
	clock := esdbstore.WithClock(func() time.Time { return time.Unix(hands.Load(), 0) })
	for round := range 2 {
		server := start(t, esdbtest.Options{})
		begin := time.Unix(hands.Add(24*3600), 0)
		other := open(t, server.URL(), clock)
		var all []events.Proposed
		var positions []events.Position
		add := func() {
			p := proposed(1)
			positions = append(positions, appendTo(t, other, "case-1", events.Any, p...).Position)
			all = append(all, p...)
			hands.Add(3600)
		}
		for range 5 {
			add()
		}
		for range 2 { // also after it was closed
			s, err := esdbstore.Open(t.Context(), server.URL(), clock, esdbstore.WithIndex(dir))
			if err != nil {
				t.Fatal(err)
			}
			add()
			for i, p := range all {
				r, found, err := s.Lookup(t.Context(), p.ID)
				if err != nil || !found || r.ID != p.ID || r.Position != positions[i] {
					t.Errorf("round %d, event %d: %+v, %v, %v", round, i, r, found, err)
				}
			}
			if _, found, err := s.Lookup(t.Context(), proposed(1)[0].ID); found || err != nil {
				t.Errorf("an id that nobody used: %v, %v", found, err)
			}
			for after, want := range map[time.Duration]events.Position{-1: events.Start, 0: positions[0], 3*time.Hour - 1: positions[2], 99 * time.Hour: positions[len(positions)-1]} {
				if p, err := s.PositionAt(t.Context(), begin.Add(after)); err != nil || p != want {
					t.Errorf("round %d, %v after the first: %v, %v; want %v", round, after, p, err, want)
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	s := open(t, start(t, esdbtest.Options{}).URL())
	if _, _, err := s.Lookup(t.Context(), proposed(1)[0].ID); !errors.Is(err, esdbstore.ErrNoIndex) {
		t.Errorf("without an index: %v", err)
	}
}
