package esdbstore

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"traga.internal/events"
	"traga.internal/events/ledger"
)

// link is an event's place in the ledger, and the call that wrote it.
type link struct {
	tag      ledger.Tag
	previous ledger.Hash
	call     [8]byte
}

const (
	wrapBegin  = `{"~traga":["`
	wrapOf     = `"],"of":`
	wrapRaw    = `"],"raw":"`
	rawEnd     = `"}`
	wrapLength = len(wrapBegin) + len(wrapRaw) + 22 + 43 + 11 + 35 // and the prefix and the metadata, at most
)

var encoding = base64.RawURLEncoding.Strict()

// wrap makes the stored metadata of an event.
func wrap(prefix string, recordedAt time.Time, l link, metadata []byte) []byte {
	b := make([]byte, 0, wrapLength+len(prefix)+len(metadata))
	b = append(b, wrapBegin...)
	b = append(b, prefix...)
	b = append(b, `",`...)
	b = strconv.AppendInt(b, recordedAt.UnixMicro(), 10)
	b = append(b, `,"`...)
	b = encoding.AppendEncode(b, l.tag[:])
	b = append(b, `","`...)
	b = encoding.AppendEncode(b, l.previous[:])
	b = append(b, `","`...)
	b = encoding.AppendEncode(b, l.call[:])
	if json.Valid(metadata) && len(bytes.TrimSpace(metadata)) == len(metadata) {
		b = append(b, wrapOf...)
		b = append(b, metadata...)
		return append(b, '}')
	}
	b = append(b, wrapRaw...)
	b = base64.StdEncoding.AppendEncode(b, metadata)
	return append(b, rawEnd...)
}

// unwrap takes apart what wrap made. It answers false for what was not made by it, or for another prefix.
func unwrap(prefix string, stored []byte) (recordedAt time.Time, l link, metadata []byte, ok bool) {
	rest, ok := bytes.CutPrefix(stored, []byte(wrapBegin))
	if !ok || len(rest) < len(prefix) || string(rest[:len(prefix)]) != prefix {
		return recordedAt, l, nil, false
	}
	rest, ok = bytes.CutPrefix(rest[len(prefix):], []byte(`",`))
	if !ok {
		return recordedAt, l, nil, false
	}
	number, rest, ok := bytes.Cut(rest, []byte(`,"`))
	micros, err := strconv.ParseInt(string(number), 10, 64)
	if !ok || err != nil {
		return recordedAt, l, nil, false
	}
	for i, to := range [][]byte{l.tag[:], l.previous[:], l.call[:]} {
		if i > 0 {
			if rest, ok = bytes.CutPrefix(rest, []byte(`","`)); !ok {
				return recordedAt, l, nil, false
			}
		}
		n := encoding.EncodedLen(len(to))
		if len(rest) < n {
			return recordedAt, l, nil, false
		}
		if _, err := encoding.Decode(to, rest[:n]); err != nil {
			return recordedAt, l, nil, false
		}
		rest = rest[n:]
	}
	if metadata, ok = bytes.CutPrefix(rest, []byte(wrapOf)); ok && len(metadata) > 0 && metadata[len(metadata)-1] == '}' {
		return time.UnixMicro(micros).UTC(), l, metadata[: len(metadata)-1 : len(metadata)-1], true
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(wrapRaw)); !ok {
		return recordedAt, l, nil, false
	}
	if rest, ok = bytes.CutSuffix(rest, []byte(rawEnd)); !ok {
		return recordedAt, l, nil, false
	}
	metadata = make([]byte, base64.StdEncoding.DecodedLen(len(rest)))
	n, err := base64.StdEncoding.Strict().Decode(metadata, rest)
	return time.UnixMicro(micros).UTC(), l, metadata[:n], err == nil
}

// recorded is a stored event as traga knows it, with its place in the ledger; false when it is not traga's.
func (s *Store) recorded(e *esdb.RecordedEvent) (r events.Recorded, l link, ours bool) {
	if len(e.StreamID) <= len(s.prefix) || e.StreamID[:len(s.prefix)] != s.prefix || e.StreamID[0] == '$' {
		return r, l, false
	}
	recordedAt, l, metadata, ok := unwrap(s.prefix, e.UserMetadata)
	if !ok {
		return r, l, false
	}
	return events.Recorded{ID: e.EventID, Stream: e.StreamID[len(s.prefix):], Revision: e.EventNumber, Position: positionOf(e), RecordedAt: recordedAt,
		Type: e.EventType, Metadata: metadata, Data: e.Data}, l, true
}

func positionOf(e *esdb.RecordedEvent) events.Position {
	return events.Position{Commit: e.Position.Commit, Prepare: e.Position.Prepare}
}

// leafOf is the hash of an event's leaf.
func leafOf(l link, r *events.Recorded) (ledger.Hash, error) {
	leaf, err := ledger.NewLeaf(l.tag, l.previous, ledger.Entry{ID: r.ID, Revision: r.Revision, Type: r.Type, RecordedAt: r.RecordedAt,
		Metadata: r.Metadata, Data: r.Data})
	if err != nil {
		return ledger.Hash{}, err
	}
	return leaf.Hash(), nil
}
