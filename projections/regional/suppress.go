package regional

// fewest is how many there have to be for a number to be shown.
const fewest = 5

// few is a set of case ids of which only this is asked: whether it has the fewest. It keeps no more than that many.
type few struct {
	ids [fewest]int64
	n   int
}

func (f *few) add(id int64) {
	if f.n == fewest {
		return
	}
	for _, have := range f.ids[:f.n] {
		if have == id {
			return
		}
	}
	f.ids[f.n] = id
	f.n++
}

func (f *few) addAll(g *few) {
	for _, id := range g.ids[:g.n] {
		f.add(id)
	}
}

// tally counts things that belong to cases.
type tally struct {
	n     int
	cases few
	// hidden: the number is not shown.
	hidden bool
}

func (t *tally) add(id int64) {
	t.n++
	t.cases.add(id)
}

func (t *tally) addAll(u *tally) {
	t.n += u.n
	t.cases.addAll(&u.cases)
}

// small reports whether the number is about too few to be shown.
func (t *tally) small() bool { return t.n < fewest || t.cases.n < fewest }

// shown is the number, nil if it is hidden.
func (t *tally) shown() *int {
	if t.hidden {
		return nil
	}
	n := t.n
	return &n
}

// protect hides, below a total, the tallies that are small and those from which a small one could be found by
// subtraction. of picks the tally of a node; what is hidden already stays so.
func protect(total *node, of func(*node) *tally) {
	if of(total).small() {
		of(total).hidden = true
	}
	if of(total).hidden {
		for _, part := range total.parts {
			of(part).hidden = true
			protect(part, of)
		}
		return
	}
	for _, part := range total.parts {
		if of(part).small() {
			of(part).hidden = true
		}
	}
	for !restIsSafe(total, of) {
		var least *tally
		for _, part := range total.parts {
			if t := of(part); !t.hidden && (least == nil || t.n < least.n) {
				least = t
			}
		}
		if least == nil {
			break // nothing can be subtracted: all that is known is the total
		}
		least.hidden = true
	}
	for _, part := range total.parts {
		protect(part, of)
	}
}

// restIsSafe reports whether what the hidden parts have together, which anyone can find, may be known.
func restIsSafe(total *node, of func(*node) *tally) bool {
	var rest tally
	parts := 0
	for _, part := range total.parts {
		if t := of(part); t.hidden && t.n > 0 {
			rest.addAll(t)
			parts++
		}
	}
	return parts == 0 || parts > 1 && !rest.small()
}
