package auth_test

import (
	"context"
	"errors"
	"testing"

	"traga.internal/aggregates/casefile"
	"traga.internal/events"
	"traga.internal/handlers/auth"
)

// Everyone records her own acts; a system those of its institution's officers in its role, and is named.
func TestWhoseEntryOneMayRecord(t *testing.T) {
	as := func(who auth.Identity) context.Context { return auth.WithIdentity(t.Context(), who) }
	colleague, wrongRole, elsewhere := dimova, dimova, dimova
	colleague.Officer, wrongRole.Role, elsewhere.Institution = "m.marku", events.Police, "mk-csw-tetovo"
	feed := auth.Identity{Actor: events.Actor{Officer: "csw-records", Role: events.CSW, Institution: dimova.Institution}, Machine: true}
	posing := auth.Identity{Actor: events.Actor{Officer: "x", Role: events.System, Institution: dimova.Institution}, Machine: true}
	for name, c := range map[string]struct {
		ctx   context.Context
		actor events.Actor
		by    string
		ok    bool
	}{
		"her own":                                  {as(auth.Identity{Actor: dimova}), dimova, "", true},
		"a colleague's":                            {as(auth.Identity{Actor: dimova}), colleague, "", false},
		"her own in another role":                  {as(auth.Identity{Actor: dimova}), wrongRole, "", false},
		"her own for another institution":          {as(auth.Identity{Actor: dimova}), elsewhere, "", false},
		"nobody's":                                 {t.Context(), dimova, "", false},
		"a system, an officer's of its own":        {as(feed), dimova, "csw-records", true},
		"a system, its own":                        {as(feed), feed.Actor, "", true},
		"a system, in another role":                {as(feed), wrongRole, "", false},
		"a system, for another institution":        {as(feed), elsewhere, "", false},
		"a system that calls itself traga":         {as(posing), dimova, "", false},
		"the owner of a traga without a sign-in":   {as(auth.Owner()), dimova, "", true},
		"traga itself, by the owner, record stops": {as(auth.Owner()), events.Actor{Officer: "traga", Role: events.System, Institution: "traga"}, "", true},
	} {
		by, err := auth.MayRecord(c.ctx, c.actor)
		var refusal *casefile.Refusal
		if (err == nil) != c.ok || by != c.by || err != nil && (!errors.As(err, &refusal) || refusal.Because[0] != casefile.NotAllowed || refusal.Field != "actor") {
			t.Errorf("%s: %q %v", name, by, err)
		}
	}
}
