package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/events/ledger"
)

var sealedBegin = []byte(`{"~sealed":["`)

// reveal puts the values of an event's protected fields back, and in the place of an erased one what says so. The first
// time it looks what the log says was erased, so that a keystore from a backup brings nothing back.
func (s *Store) reveal(ctx context.Context, r *events.Recorded) error {
	if !bytes.Contains(r.Data, sealedBegin) {
		return nil
	}
	if !s.settled.Load() {
		if _, err := s.Settle(ctx); err != nil {
			return err
		}
	}
	v := s.vault
	out := make([]byte, 0, len(r.Data))
	at := 0
	err := sealedFields(r.Data, func(f sealedField) error {
		value, err := v.value(ctx, r.ID, f)
		if err != nil {
			return err
		}
		out = append(append(out, r.Data[at:f.start]...), value...)
		at = f.end
		return nil
	})
	if err != nil {
		return fmt.Errorf("reveal event %s: %w", r.ID, err)
	}
	r.Stored, r.Data = r.Data, append(out, r.Data[at:]...)
	return nil
}

// Conceal is an event as it reads to someone without the keys: what is protected is withheld, and that it is written as it
// should be is all that can be said of it. It is for those who check a log that they can't read.
func Conceal(stored *events.Recorded) (events.Recorded, error) {
	r := *stored
	if !bytes.Contains(r.Data, sealedBegin) {
		return r, nil
	}
	r.Data = nil
	at := 0
	err := sealedFields(stored.Data, func(f sealedField) error {
		hidden, err := events.Withheld{Reason: events.Hidden}.MarshalJSON()
		r.Data = append(append(r.Data, stored.Data[at:f.start]...), hidden...)
		at = f.end
		return err
	})
	if err != nil {
		return events.Recorded{}, fmt.Errorf("read event %s without the keys: %w", r.ID, err)
	}
	r.Data = append(r.Data, stored.Data[at:]...)
	return r, nil
}

// value is what stands in a field's place for a reader.
func (v *Vault) value(ctx context.Context, event uuid.UUID, f sealedField) ([]byte, error) {
	k, err := v.key(ctx, f.Key)
	if err != nil {
		return nil, err
	}
	if k.aead == nil {
		return events.Withheld{Category: k.category, Reason: events.Erased, Receipt: k.receipt, At: k.at}.MarshalJSON()
	}
	_, value, err := unseal(k.aead, event, f.pointer, f.Box)
	if err != nil {
		return nil, fmt.Errorf("%w: the field at %s: %w", events.ErrDamaged, f.pointer, err)
	}
	return value, nil
}

// sealedField is a protected field as it stands in stored data.
type sealedField struct {
	ledger.Sealed
	pointer    string
	start, end int
}

// sealedFields hands out the protected fields of stored data in the order in which they stand.
func sealedFields(data []byte, each func(sealedField) error) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(data))
	for {
		if d.PeekKind() == '{' && bytes.HasPrefix(bytes.TrimLeft(data[d.InputOffset():], " \t\r\n:,"), sealedBegin) {
			text, err := d.ReadValue()
			if err != nil {
				return notJSON()
			}
			before, sealed, after, found, err := ledger.NextSealed(text)
			if err != nil || !found || len(before)+len(after) > 0 {
				return fmt.Errorf("%w: the protected field at %s is not written as it should be", events.ErrDamaged, d.StackPointer())
			}
			end := int(d.InputOffset())
			if err := each(sealedField{sealed, string(d.StackPointer()), end - len(text), end}); err != nil {
				return err
			}
			continue
		}
		if _, err := d.ReadToken(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return notJSON()
		}
	}
}

func notJSON() error { return fmt.Errorf("%w: its data is no JSON", events.ErrDamaged) }

// Field is a protected field of an event, opened.
type Field struct {
	Pointer    string
	Category   events.Category
	Commitment ledger.Commitment
	// Value is the field's JSON, and Salt what opens the commitment to whoever has both. Both are empty when it is erased.
	Value jsontext.Value
	Salt  ledger.Salt
	// Receipt, of an erased field, is the id of the PersonalDataErased event.
	Receipt uuid.UUID
}

// Plain counts the fields of an event, as it is stored, that should be protected and stand in plain: those of a log that was
// made before there was a vault. They can't be erased. typeOf finds the type of another event by its id.
func Plain(stored *events.Recorded, typeOf func(uuid.UUID) (string, error)) (n int, err error) {
	k, ok := events.KindOf(stored.Type)
	if !ok || !k.Protects() {
		return 0, nil
	}
	fields, err := k.ProtectedFields(stored.Data, typeOf)
	if err != nil {
		return 0, err
	}
	for _, f := range fields {
		if !bytes.HasPrefix(stored.Data[f.Start:], sealedBegin) {
			n++
		}
	}
	return n, nil
}

// Fields opens the protected fields of an event as it is stored, before it is revealed: so that a reader can be shown
// single fields, and check them against the ledger. It fails with events.ErrDamaged when a value does not match its
// commitment.
func (v *Vault) Fields(ctx context.Context, stored *events.Recorded) ([]Field, error) {
	if err := v.look(ctx, 0); err != nil {
		return nil, err
	}
	var list []Field
	err := sealedFields(stored.Data, func(s sealedField) error {
		k, err := v.key(ctx, s.Key)
		if err != nil {
			return err
		}
		f := Field{Pointer: s.pointer, Category: k.category, Commitment: s.Commitment, Receipt: k.receipt}
		if k.aead != nil {
			if f.Salt, f.Value, err = unseal(k.aead, stored.ID, s.pointer, s.Box); err == nil && ledger.Commit(f.Salt, stored.ID, s.pointer, f.Value) != s.Commitment {
				err = errors.New("its value is not the one that was committed to")
			}
			if err != nil {
				return fmt.Errorf("%w: the field at %s: %w", events.ErrDamaged, s.pointer, err)
			}
		}
		list = append(list, f)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("open the fields of event %s: %w", stored.ID, err)
	}
	return list, nil
}
