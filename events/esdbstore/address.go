package esdbstore

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/metadata"
)

// ErrAddress is matched by the error of a connection string that can't be used. The error never repeats the string,
// which may hold a password.
var ErrAddress = errors.New("the address of the event store is not as expected")

// address is a connection string, taken apart.
type address struct {
	conf   *esdb.Configuration
	seeds  []string    // host:port
	gossip bool        // seeds know who the leader is
	name   string      // of the connection
	prefix string      // of the streams
	wishes metadata.MD // what every call carries
}

// settings are the parameters that a connection string may have, in lower case.
var settings = []string{"connectionname", "streamprefix", "tls", "tlscafile", "tlsverifycert", "usercertfile", "userkeyfile",
	"keepaliveinterval", "keepalivetimeout", "gossiptimeout", "discoveryinterval", "maxdiscoverattempts", "nodepreference", "defaultdeadline"}

// IsAddress reports whether a text is meant as the address of an event store.
func IsAddress(s string) bool {
	scheme, _, found := strings.Cut(s, "://")
	return found && (scheme == "esdb" || scheme == "esdb+discover")
}

func parseAddress(s string) (*address, error) {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: %w", ErrAddress, fmt.Errorf(format, args...))
	}
	if !IsAddress(s) {
		return nil, wrong("expected esdb://HOST:PORT, esdb://HOST:PORT,HOST:PORT or esdb+discover://HOST:PORT")
	}
	a := &address{name: "traga"}
	rest, query, _ := strings.Cut(s, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, wrong("what follows the question mark can't be read")
	}
	for key, list := range values {
		value := list[0]
		switch lower := strings.ToLower(key); {
		case !slices.Contains(settings, lower):
			return nil, wrong("there is no setting %q; expected one of connectionName, streamPrefix, tls, tlsCaFile, tlsVerifyCert, userCertFile, "+
				"userKeyFile, keepAliveInterval, keepAliveTimeout, gossipTimeout, defaultDeadline", key)
		case len(list) > 1:
			return nil, wrong("%s is set twice", key)
		case lower == "connectionname":
			if a.name = value; value == "" || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
				return nil, wrong("connectionName: expected printable ASCII")
			}
			values.Del(key)
		case lower == "streamprefix":
			if a.prefix = value; strings.HasPrefix(value, "$") || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
				return nil, wrong("streamPrefix: expected printable ASCII that does not begin with $")
			}
			values.Del(key)
		case lower == "nodepreference" && !strings.EqualFold(value, "leader"):
			return nil, wrong("nodePreference: traga reads and writes at the leader only")
		case lower == "defaultdeadline":
			if n, err := strconv.Atoi(value); err != nil || n < 1 {
				return nil, wrong("defaultDeadline: expected milliseconds")
			}
		}
	}
	if len(values) > 0 {
		rest += "?" + values.Encode()
	}
	if a.conf, err = esdb.ParseConnectionString(rest); err != nil {
		var u *url.Error
		if errors.As(err, &u) { // its text is the whole string
			err = errors.New("expected HOST:PORT")
		}
		return nil, wrong("%w", err)
	}
	if err := a.conf.Validate(); err != nil {
		return nil, wrong("%w", err)
	}
	a.conf.Logger = nil
	a.wishes = metadata.Pairs("requires-leader", "true", "connection-name", a.name)
	for _, e := range a.conf.GossipSeeds {
		a.seeds = append(a.seeds, e.String())
	}
	a.gossip = a.conf.DnsDiscover || len(a.seeds) > 0
	if len(a.seeds) == 0 {
		a.seeds = []string{a.conf.Address}
	}
	// The store looks for the leader itself and hands the library that one node.
	a.conf.GossipSeeds, a.conf.DnsDiscover = nil, false
	a.conf.MaxDiscoverAttempts, a.conf.NodePreference = 1, esdb.NodePreferenceLeader
	a.conf.GossipTimeout = min(a.conf.GossipTimeout, int(connectPatience/time.Second))
	return a, nil
}

// at is the library's configuration for one node.
func (a *address) at(node string) *esdb.Configuration {
	conf := *a.conf
	conf.Address = node
	return &conf
}
