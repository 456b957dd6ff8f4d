package auth

import (
	"context"

	"traga.internal/aggregates/casefile"
	"traga.internal/events"
)

// MayRecord checks whose entry the one who asks may record: an officer her own; a system those of its institution's
// officers in its own role, and then by is its name, which the entry carries as recordedBy; the Owner anyone's. Else it
// fails with a *casefile.Refusal of the reason not-allowed.
func MayRecord(ctx context.Context, actor events.Actor) (by string, err error) {
	who, ok := IdentityOf(ctx)
	refuse := func(message string) (string, error) {
		return "", &casefile.Refusal{Because: []string{casefile.NotAllowed}, Field: "actor", Message: message}
	}
	switch {
	case !ok:
		return refuse("nobody has signed in")
	case !who.Machine && who.Actor.Role == events.System, actor == who.Actor:
		return "", nil
	case !who.Machine:
		return refuse("an entry is recorded by the officer who acts: expected the one who is signed in, with the institution and the role that the directory has")
	case actor.Institution != who.Actor.Institution || actor.Role != who.Actor.Role:
		return refuse("a system records for its own institution and role only: expected those that it is signed in with")
	}
	return who.Actor.Officer, nil
}
