package esdbstore

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever metadata is, it comes back to the byte, and what is stored is JSON.
func TestWrappedMetadataComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		metadata := rapid.OneOf(rapid.SliceOf(rapid.Byte()),
			rapid.Map(rapid.String(), func(s string) []byte { b, _ := json.Marshal(map[string]string{s: s}); return b }),
			rapid.SampledFrom([][]byte{nil, []byte("{}"), []byte(" {} "), []byte(`"],"raw":""}`), []byte("null"), []byte(`{ "a" : 1 }`)})).Draw(t, "metadata")
		prefix := rapid.SampledFrom([]string{"", "b.", `x"y`}).Draw(t, "prefix")
		l := link{}
		copy(l.tag[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "tag"))
		copy(l.previous[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "previous"))
		copy(l.call[:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "call"))
		at := time.UnixMicro(rapid.Int64Range(-1<<50, 1<<50).Draw(t, "at")).UTC()
		stored := wrap(prefix, at, l, metadata)
		if prefix != `x"y` && !json.Valid(stored) {
			t.Fatalf("%s is no JSON", stored)
		}
		gotAt, gotLink, got, ok := unwrap(prefix, stored)
		if !ok || !gotAt.Equal(at) || gotLink != l || !bytes.Equal(got, metadata) {
			t.Fatalf("%s gives %v %v %q %v", stored, gotAt, gotLink, got, ok)
		}
		if _, _, _, ok := unwrap(prefix+"z", stored); ok {
			t.Fatal("another prefix reads it")
		}
	})
}

// What is not traga's is told apart whatever it holds.
func FuzzUnwrap(f *testing.F) {
	f.Add([]byte(`{"x":1}`))
	f.Add(wrap("", time.UnixMicro(1), link{}, []byte(`{"a":1}`)))
	f.Add(wrap("", time.UnixMicro(1), link{}, nil))
	f.Fuzz(func(t *testing.T, stored []byte) {
		at, l, metadata, ok := unwrap("", stored)
		if !ok {
			return
		}
		again, l2, metadata2, ok := unwrap("", wrap("", at, l, metadata))
		if !ok || !again.Equal(at) || l2 != l || !bytes.Equal(metadata, metadata2) {
			t.Errorf("%q reads as %v %v %q, and that as %v %v %q", stored, at, l, metadata, again, l2, metadata2)
		}
	})
}
