package reactions

import (
	"testing"

	"traga.internal/events"
)

// A broker's readers are not known to traga, and no prison may learn that the monitor met the person (HR24).
func TestNoFeedTellsOfMonitoringContacts(t *testing.T) {
	out := published()
	for _, k := range events.Standard().Kinds() {
		stream := map[events.StreamFamily]string{events.CaseFamily: events.CaseStream("MK-2026-0001"), events.AccessFamily: events.AccessStream("MK-2026-0001"),
			events.DirectoryFamily: events.DirectoryStream("MK"), events.ProtocolFamily: events.ProtocolStream("MK"), events.StoreFamily: events.StoreStream}[k.Family]
		if want := k.Family == events.CaseFamily && k.Type != "MonitoringContactHeld"; out.Passes(stream, k.Type) != want {
			t.Errorf("%s goes out: %v", k.Type, !want)
		}
	}
}
