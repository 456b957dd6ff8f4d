package ledger

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrQuorum is matched by the error of a note that too few witnesses cosigned.
var ErrQuorum = errors.New("too few witnesses cosigned the checkpoint")

// Policy says whose checkpoints are believed: signed by any of these logs, and cosigned by a quorum of witnesses. It is
// read from the text form of C2SP tlog-policy, and comes from the hands of the one who checks.
type Policy struct {
	logs      []Key
	witnesses []witness
	groups    map[string]group // a group's members, by its name
	quorum    string           // of a witness or a group; "" for none
}

type witness struct {
	name string // in the policy
	key  Key
}

type group struct {
	threshold int
	members   []string
}

const (
	maxPolicy      = 1 << 20
	maxPolicyLines = 1000
	noQuorum       = "none"
)

// ParsePolicy reads a policy: lines log, witness, group and quorum. The same key twice is refused, be it under two names
// or as a log and as a witness, so that one key counts once. It fails with ErrFormat and names the line.
func ParsePolicy(text []byte) (*Policy, error) {
	if len(text) > maxPolicy {
		return nil, fmt.Errorf("%w: a policy of more than %d bytes", ErrFormat, maxPolicy)
	}
	p := policyParser{policy: &Policy{groups: make(map[string]group)}, free: make(map[string]bool), keys: make(map[[32]byte]bool)}
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("%w: the policy's line %d: %w", ErrFormat, i+1, err)
		}
		if i >= maxPolicyLines {
			return nil, fmt.Errorf("%w: a policy of more than %d lines", ErrFormat, maxPolicyLines)
		}
	}
	if !p.hasQuorum {
		return nil, fmt.Errorf("%w: the policy has no quorum line", ErrFormat)
	}
	return p.policy, nil
}

type policyParser struct {
	policy    *Policy
	free      map[string]bool // names that are defined; true while no group has them
	keys      map[[32]byte]bool
	hasQuorum bool
}

func (p *policyParser) line(line string) error {
	for _, c := range []byte(line) {
		if c < 0x20 && c != '\t' || c == 0x7f {
			return errors.New("holds a control character")
		}
	}
	words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
	if len(words) == 0 || words[0][0] == '#' {
		return nil
	}
	switch kind, words := words[0], words[1:]; kind {
	case "log":
		if len(words) != 1 && len(words) != 2 {
			return errors.New("expected “log KEY [URL]”")
		}
		key, err := p.key(words[0], false)
		p.policy.logs = append(p.policy.logs, key)
		return err
	case "witness":
		if len(words) != 2 && len(words) != 3 {
			return errors.New("expected “witness NAME KEY [URL]”")
		}
		if err := p.define(words[0]); err != nil {
			return err
		}
		key, err := p.key(words[1], true)
		p.policy.witnesses = append(p.policy.witnesses, witness{name: words[0], key: key})
		return err
	case "group":
		if len(words) < 3 {
			return errors.New("expected “group NAME all|any|NUMBER MEMBER…”")
		}
		return p.group(words[0], words[1], words[2:])
	case "quorum":
		if len(words) != 1 {
			return errors.New("expected “quorum NAME” or “quorum none”")
		}
		return p.quorum(words[0])
	default:
		return errors.New("expected log, witness, group or quorum")
	}
}

func (p *policyParser) key(text string, witness bool) (Key, error) {
	key, err := ParseKey(text)
	switch {
	case err != nil:
		return Key{}, err
	case witness && !key.IsWitness():
		return Key{}, errors.New("this key is a log's, expected a witness's")
	case !witness && key.IsWitness():
		return Key{}, errors.New("this key is a witness's, expected a log's")
	case p.keys[key.public]:
		return Key{}, errors.New("this key stands in the policy twice")
	}
	p.keys[key.public] = true
	return key, nil
}

func (p *policyParser) define(name string) error {
	if _, defined := p.free[name]; defined || name == noQuorum {
		return fmt.Errorf("the name %q is taken", name)
	}
	p.free[name] = true
	return nil
}

func (p *policyParser) group(name, threshold string, members []string) error {
	for _, member := range members {
		if free, defined := p.free[member]; !defined || !free {
			return fmt.Errorf("the member %q is not defined above, or belongs to a group already", member)
		}
		p.free[member] = false
	}
	n := len(members)
	switch threshold {
	case "all":
	case "any":
		n = 1
	default:
		k, err := strconv.Atoi(threshold)
		if err != nil || k < 1 || k > n || strconv.Itoa(k) != threshold {
			return fmt.Errorf("the threshold %q, expected all, any, or a number from 1 to %d", threshold, n)
		}
		n = k
	}
	if err := p.define(name); err != nil {
		return err
	}
	p.policy.groups[name] = group{threshold: n, members: members}
	return nil
}

func (p *policyParser) quorum(name string) error {
	if p.hasQuorum {
		return errors.New("a second quorum")
	}
	p.hasQuorum = true
	if name == noQuorum {
		return nil
	}
	if _, defined := p.free[name]; !defined {
		return fmt.Errorf("%q is not defined above", name)
	}
	p.policy.quorum = name
	return nil
}

// Endorsed says who stands behind a checkpoint.
type Endorsed struct {
	Log        Key
	Cosigned   []Cosigned // by witnesses of the policy, in its order
	Witnesses  int        // how many witnesses the policy has
	QuorumMade bool       // the policy asks for witnesses, and enough of them cosigned
}

// Cosigned is one witness's cosignature.
type Cosigned struct {
	Name string // in the policy
	Key  Key
	At   time.Time // whole seconds
}

// Logs are the keys of the logs that the policy believes.
func (p *Policy) Logs() []Key { return p.logs }

// Witnesses are the keys of the policy's witnesses, in its order.
func (p *Policy) Witnesses() []Key {
	keys := make([]Key, len(p.witnesses))
	for i, w := range p.witnesses {
		keys[i] = w.key
	}
	return keys
}

// Witness is the key of the witness by its name in a signature line, for those who take cosignatures in.
func (p *Policy) Witness(s Signature) (name string, key Key, known bool) {
	for _, w := range p.witnesses {
		if w.key.name == s.Name && w.key.KeyHash() == s.ID {
			return w.name, w.key, true
		}
	}
	return "", Key{}, false
}

// Check says who stands behind a checkpoint. It fails with ErrSignature when none of the policy's logs signed it, or
// when a signature under the name and id of one of its keys does not hold, and with ErrQuorum when too few witnesses
// cosigned; then the result is filled in nevertheless. Signatures by other keys are passed over.
func (p *Policy) Check(n *Note) (Endorsed, error) {
	e := Endorsed{Witnesses: len(p.witnesses)}
	logSigned := false
	for _, key := range p.logs {
		_, signed, err := key.Signed(n)
		if err != nil {
			return e, err
		}
		if signed && key.Name() == n.Origin && !logSigned {
			e.Log, logSigned = key, true
		}
	}
	if !logSigned {
		return e, fmt.Errorf("%w: no log of the policy signed it", ErrSignature)
	}
	by := make(map[string]bool)
	for _, w := range p.witnesses {
		at, signed, err := w.key.Signed(n)
		if err != nil {
			return e, err
		}
		if signed {
			by[w.name] = true
			e.Cosigned = append(e.Cosigned, Cosigned{Name: w.name, Key: w.key, At: at})
		}
	}
	if p.quorum == "" {
		return e, nil
	}
	if !p.made(p.quorum, by) {
		return e, fmt.Errorf("%w: %d of %d", ErrQuorum, len(by), len(p.witnesses))
	}
	e.QuorumMade = true
	return e, nil
}

// made reports whether a witness cosigned, or enough members of a group. Groups can't hold themselves: their members
// are defined before them.
func (p *Policy) made(name string, by map[string]bool) bool {
	g, ok := p.groups[name]
	if !ok {
		return by[name]
	}
	n := 0
	for _, member := range g.members {
		if p.made(member, by) {
			n++
		}
	}
	return n >= g.threshold
}
