package auth_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/handlers/auth"
)

// For whom an officer acts the directories say; two officers of one id in two jurisdictions are nobody.
func TestForWhomAnOfficerActs(t *testing.T) {
	h := newHouse(t, nil)
	officers := auth.NewOfficers(h.store)
	if who, err := officers.Appointed(t.Context(), "l.dimova"); !errors.Is(err, auth.ErrNotAppointed) {
		t.Errorf("nobody: %v %v", who, err)
	}
	h.record(&events.OfficerTrained{Officer: "l.dimova", Tool: "t"})
	if who, err := officers.Appointed(t.Context(), "l.dimova"); !errors.Is(err, auth.ErrNotAppointed) {
		t.Errorf("only trained: %v %v", who, err)
	}
	if who, err := officers.Confirm(t.Context(), dimova); who != dimova || err != nil {
		t.Errorf("only trained, with a token: %v %v", who, err)
	}
	h.appoint(dimova)
	if who, err := officers.Appointed(t.Context(), "L.Dimova "); who != dimova || err != nil {
		t.Errorf("appointed, spelt otherwise: %v %v", who, err)
	}
	elsewhere := events.Actor{Officer: "l.dimova", Role: events.CSW, Institution: "rs-csw-nis"}
	if who, err := officers.Confirm(t.Context(), elsewhere); !errors.Is(err, auth.ErrNotAppointed) {
		t.Errorf("an institution that nobody knows: %v %v", who, err)
	}
	for _, data := range []any{&events.InstitutionRegistered{Institution: "rs-csw-nis", Name: map[string]string{"en": "N"}, Role: []events.Role{events.CSW}},
		&events.OfficerAppointed{Officer: "l.dimova", Institution: "rs-csw-nis", Role: events.CSW}} {
		id, kind := uuid.New(), "InstitutionRegistered"
		if _, ok := data.(*events.OfficerAppointed); ok {
			kind = "OfficerAppointed"
		}
		e, err := events.Encode(&events.Event{ID: id, CorrelationID: id, Type: kind, Jurisdiction: "RS", OccurredAt: h.clock.Now(), Actor: registry, Data: data})
		if err == nil {
			_, err = h.store.Append(t.Context(), events.DirectoryStream("RS"), events.Any, e)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if who, err := officers.Appointed(t.Context(), "l.dimova"); !errors.Is(err, auth.ErrNotAppointed) {
		t.Errorf("two of them: %v %v", who, err)
	}
	for _, who := range []events.Actor{dimova, elsewhere} { // a token says which
		if got, err := officers.Confirm(t.Context(), who); got != who || err != nil {
			t.Errorf("%v: %v %v", who, got, err)
		}
	}
}
