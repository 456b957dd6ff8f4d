package ledger

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// policyWith writes a policy whose quorum is told by the last lines.
func policyWith(log Key, lines string, witnesses ...*Cosigner) string {
	text := "# a comment\n\n\tlog  " + log.String() + " https://example.org\n"
	for i, w := range witnesses {
		text += fmt.Sprintf("witness W%d %s\n", i+1, w.Key())
	}
	return text + lines
}

func TestQuorum(t *testing.T) {
	signer, log := logKey(t, "example.org/log")
	var w []*Cosigner
	for i := range 5 {
		w = append(w, witnessKey(t, fmt.Sprintf("witness.example.org/%d", i+1)))
	}
	for _, c := range []struct {
		lines    string
		cosigned []int
		made     bool
		err      error
	}{
		{"quorum none", nil, false, nil},
		{"quorum none", []int{1}, false, nil},
		{"quorum W2", []int{2}, true, nil},
		{"quorum W2", []int{1, 3}, false, ErrQuorum},
		{"group G any W1 W2\nquorum G", []int{2}, true, nil},
		{"group G any W1 W2\nquorum G", []int{3}, false, ErrQuorum},
		{"group G all W1 W2\nquorum G", []int{2}, false, ErrQuorum},
		{"group G 2 W1 W2 W3\nquorum G", []int{1, 3}, true, nil},
		{"group G 2 W1 W2 W3\nquorum G\n", []int{1, 4, 5}, false, ErrQuorum},
		{"group G 2 W1 W2 W3\ngroup H any W4 W5\ngroup Q all G H\nquorum Q", []int{1, 2, 5}, true, nil},
		{"group G 2 W1 W2 W3\ngroup H any W4 W5\ngroup Q all G H\nquorum Q", []int{1, 2, 3}, false, ErrQuorum},
	} {
		p, err := ParsePolicy([]byte(policyWith(log, c.lines, w...)))
		if err != nil {
			t.Fatalf("%s: %v", c.lines, err)
		}
		n, err := Sign(Tree{Size: 1}, signer)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range c.cosigned {
			n = n.With(w[i-1].Cosign(n.Checkpoint, exampleTime))
		}
		e, err := p.Check(n)
		if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) || e.QuorumMade != c.made {
			t.Errorf("%q by %v: made %v, %v; want %v, %v", c.lines, c.cosigned, e.QuorumMade, err, c.made, c.err)
		}
		if e.Log != log || len(e.Cosigned) != len(c.cosigned) || e.Witnesses != 5 {
			t.Errorf("%q by %v: %+v", c.lines, c.cosigned, e)
		}
	}
}

func TestOneStrangerOrOneBadSignature(t *testing.T) {
	signer, log := logKey(t, "example.org/log")
	stranger, _ := logKey(t, "example.org/log")
	w := witnessKey(t, "w")
	p, err := ParsePolicy([]byte(policyWith(log, "quorum W1", w)))
	if err != nil {
		t.Fatal(err)
	}
	n, err := Sign(Tree{Size: 1}, stranger)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Check(n.With(w.Cosign(n.Checkpoint, exampleTime))); !errors.Is(err, ErrSignature) {
		t.Errorf("signed by a stranger of the same name: %v", err)
	}
	if n, err = Sign(Tree{Size: 1}, signer); err != nil {
		t.Fatal(err)
	}
	other := n.Checkpoint
	other.Size = 2
	if _, err := p.Check(n.With(w.Cosign(other, exampleTime))); !errors.Is(err, ErrSignature) {
		t.Errorf("a cosignature of another tree: %v", err)
	}
	// Another log's key, with its own name, does not speak for this origin.
	elsewhere, elsewhereKey := logKey(t, "example.org/elsewhere")
	p, err = ParsePolicy([]byte("log " + elsewhereKey.String() + "\nquorum none\n"))
	if err != nil {
		t.Fatal(err)
	}
	sig, err := elsewhere.Sign([]byte(n.Text()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Check(n.With(Signature{Name: elsewhere.Name(), ID: elsewhere.KeyHash(), Bytes: sig})); !errors.Is(err, ErrSignature) {
		t.Errorf("signed by a log for another origin: %v", err)
	}
}

func TestOddPoliciesAreRefusedWithTheirLine(t *testing.T) {
	_, log := logKey(t, "example.org/log")
	w, v := witnessKey(t, "w"), witnessKey(t, "v")
	renamed := w.Key()
	renamed.name = "another-name"
	asLog := w.Key()
	asLog.algorithm = algorithmLog
	for lines, want := range map[string]string{
		"quorum W1\nquorum W1":                   "second quorum",
		"":                                       "no quorum line",
		"quorum W9":                              "not defined above",
		"group G any W9\nquorum G":               "not defined above",
		"group G any G\nquorum G":                "not defined above",
		"group G any none\nquorum G":             "not defined above",
		"group G 0 W1\nquorum G":                 "threshold",
		"group G 2 W1\nquorum G":                 "threshold",
		"group G 01 W1\nquorum G":                "threshold",
		"group G all W1 W1\nquorum G":            "belongs to a group already",
		"group G any W1\ngroup H any W1\n":       "belongs to a group already",
		"group W1 any W2\nquorum W1":             "is taken",
		"group none any W1\nquorum none":         "is taken",
		"group G any\nquorum G":                  "expected",
		"witness X " + log.String():              "is a log's",
		"log " + w.Key().String():                "is a witness's",
		"witness X " + renamed.String():          "twice",
		"log " + asLog.String():                  "twice",
		"log " + log.String():                    "twice",
		"witness X " + log.String()[:20]:         "expected name+id+base64",
		"witness X w+00000000+AQ==":              "expected name+id+base64",
		"quorum W1\r":                            "control character",
		"Quorum W1":                              "expected log, witness",
		"quorum W1 W2":                           "expected",
		"quorum W1 # any":                        "expected",
		strings.Repeat("#\n", maxPolicyLines+10): "lines",
	} {
		_, err := ParsePolicy([]byte(policyWith(log, lines, w, v)))
		if !errors.Is(err, ErrFormat) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%q: %v, want %q", lines, err, want)
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte("log example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\nquorum none\n"))
	f.Add([]byte("# c\nwitness a w+1d1c1f5a+BAAA\ngroup g all a\nquorum g"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePolicy(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("error %v", err)
			}
			return
		}
		// A note that nobody signed is nobody's.
		if _, err := p.Check(&Note{}); !errors.Is(err, ErrSignature) {
			t.Fatalf("an unsigned note: %v", err)
		}
	})
}
