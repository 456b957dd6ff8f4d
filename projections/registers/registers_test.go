package registers_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/projections/registers"
)

func say(t *testing.T, store events.Store, j events.Jurisdiction, typ string, data any) {
	t.Helper()
	p, err := events.Encode(&events.Event{ID: events.DeriveID(fmt.Sprint(j, data), time.Now().String()), Type: typ, Jurisdiction: j, OccurredAt: time.Now(),
		Actor: events.Actor{Officer: "d", Role: events.Directorate, Institution: "des"}, Data: data})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Append(t.Context(), events.DirectoryStream(j), events.Any, p); err != nil {
		t.Fatal(err)
	}
}

func TestTheRegistersAreReadAsKnownNowAndThen(t *testing.T) {
	store := memstore.New(time.Now)
	defer store.Close()
	r := registers.New(store)
	stands := func(asOf events.AsOf) bool {
		t.Helper()
		d, err := r.At(t.Context(), "MK", asOf)
		if err != nil {
			t.Fatal(err)
		}
		o, _ := d.Officer("ana")
		return o.Stands
	}
	if stands(events.AsOf{}) {
		t.Error("in an empty log someone stands")
	}
	say(t, store, "MK", "InstitutionRegistered", &events.InstitutionRegistered{Institution: "mk-csw", Name: map[string]string{"en": "Centre"}, Role: []events.Role{events.CSW}, Place: "Skopje"})
	say(t, store, "MK", "OfficerAppointed", &events.OfficerAppointed{Officer: "ana", Institution: "mk-csw", Role: events.CSW})
	if !stands(events.AsOf{}) || stands(events.AsOf{Position: events.At(1)}) {
		t.Error("she stands from the second entry on")
	}
	say(t, store, "MK", "OfficerRevoked", &events.OfficerRevoked{Officer: "ana"})
	if stands(events.AsOf{}) || !stands(events.AsOf{Position: events.At(2)}) {
		t.Error("revoked means revoked at once, and then is then")
	}
	say(t, store, "RS", "OfficerTrained", &events.OfficerTrained{Officer: "Ana", Tool: "VERA-2R", Provider: "p", On: 740000})
	found, err := r.Officer(t.Context(), "ANA")
	if err != nil || len(found) != 2 || found[0].Jurisdiction != "MK" || !found[0].Revoked || found[1].Jurisdiction != "RS" || len(found[1].Training) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
	known, err := r.Institutions(t.Context(), events.AsOf{})
	if err != nil || len(known) != 1 || known["mk-csw"].Name("en") != "Centre" {
		t.Errorf("%+v, %v", known, err)
	}
	if _, err := r.At(t.Context(), "XX", events.AsOf{}); err == nil {
		t.Error("XX is no jurisdiction")
	}
}

// faulty fails in the middle of a stream, once.
type faulty struct {
	registers.Log
	after int
}

var errGone = errors.New("gone")

func (f *faulty) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[events.Recorded, error] {
	return func(yield func(events.Recorded, error) bool) {
		for e, err := range f.Log.ReadStream(ctx, stream, from) {
			if f.after--; f.after == 0 {
				yield(events.Recorded{}, errGone)
				return
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

func TestADirectoryThatCouldNotBeReadIsAnError(t *testing.T) {
	store := memstore.New(time.Now)
	defer store.Close()
	for i := range 3 {
		say(t, store, "MK", "OfficerTrained", &events.OfficerTrained{Officer: fmt.Sprint(i), Tool: "VERA-2R", Provider: "p", On: 740000})
	}
	r := registers.New(&faulty{store, 3})
	if _, err := r.At(t.Context(), "MK", events.AsOf{}); !errors.Is(err, errGone) {
		t.Errorf("a part of the stream passes for the whole: %v", err)
	}
	var wait sync.WaitGroup
	for range 4 { // then the whole is read, each entry once, whoever asks
		wait.Go(func() {
			if d, err := r.At(context.Background(), "MK", events.AsOf{}); err != nil || len(d.Officers()) != 3 {
				t.Errorf("%v", err)
			}
		})
	}
	wait.Wait()
	d, _ := r.At(t.Context(), "MK", events.AsOf{})
	if o, _ := d.Officer("0"); len(o.Training) != 1 {
		t.Errorf("read twice: %+v", o)
	}
}
