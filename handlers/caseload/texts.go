package caseload

import "math/rand/v2"

// pick is one of the values.
func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// What the invented files say. Nothing here describes anyone.
var (
	offences = []string{"dissemination of extremist material", "membership of an extremist group", "preparing an attack motivated by hatred",
		"arson of a place of worship", "participation in a foreign armed conflict", "threats against an official", "financing of a prohibited group"}
	facts = []string{"letters from a former associate, 3 in two months", "attended every session of the group", "two disciplinary entries, none for violence",
		"shared extremist videos before the arrest", "visited weekly by his family"}
	opinions     = []string{"the grievance is receding", "open to conversation", "easily led by older inmates", "wants to work again", "reserved, but reliable"}
	goals        = []string{"complete vocational course", "weekly counselling", "finish secondary school", "restore contact with the family", "work in the kitchen", "conversations with the imam"}
	outcomes     = []string{"goals kept, counselling extended", "course completed, a new goal set", "goals kept", "one goal reached, the other kept"}
	programmes   = []string{"vocational course: welding", "vocational course: cooking", "counselling, individual", "literacy course", "sport and teamwork", "digital skills"}
	afterGoals   = []string{"stable lodging", "regular work", "contact with the children", "treatment continued", "debts settled step by step"}
	services     = []string{"social assistance", "help with documents", "counselling", "family mediation", "job interview arranged", "clothing and food parcel"}
	tasks        = []string{"visit the family home and confirm the address", "find a place in the shelter", "speak with the former employer", "prepare the application for assistance"}
	housingNotes = []string{"cannot return to the former flat", "will live with his parents", "a room is promised, not confirmed", "no lodging known"}
	workNotes    = []string{"welder, certificate lapsed", "worked on building sites", "never employed", "cook, wants to return to it"}
	schoolNotes  = []string{"second year of secondary school", "primary school completed", "vocational school completed"}
	familyNotes  = []string{"mother supportive, lives alone", "sister is willing to take him in", "no contact with the family", "married, two children"}
	healthNotes  = []string{"asthma, inhaler prescribed; no other treatment", "no chronic illness", "type 2 diabetes, diet and tablets", "old fracture, physiotherapy advised"}
)
