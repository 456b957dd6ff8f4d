// Package regional is what the regional working group compares: the protocols of the six jurisdictions side by
// side with how their duties are met (Matrix), and which screening and assessment tools are in use where (Tools).
// Both are figures over many people, never about one: small numbers are left out.
//
// # What is measured
//
// An obligation counts once it was decided or is overdue, as known at the asked instant. It fell due if it is met,
// met-late, missed (still undone when the case was closed) or overdue; these four are the whole of which the
// shares are parts. An overdue one counts as not met for as long as it stands undone; one met before its day
// counts as met at once. Waived and cancelled obligations did not fall due: they are told apart and are in no
// share. Obligations that are not due yet count nowhere. An obligation belongs to the quarter of its due date, as
// known then.
//
// The lead time is how many calendar days before its due date a duty was done: positive before it, 0 on the day,
// negative after it. The median is over the met and met-late ones, of an even number the mean of the two in the
// middle.
//
// # Small numbers
//
// A cell is one rule in one jurisdiction over one period (a quarter, a year, or all time), or one rule in all
// jurisdictions over all time. It shows figures only for 5 obligations or more, of 5 cases or more (one case may
// have many obligations of a rule, and is one person); otherwise all its figures are null and suppressed is true.
// None is fewer than five too, so a suppressed cell does not say whether it is empty. Waived and cancelled have to
// be 5 of 5 cases each for themselves, and so have the duties done of which a median is shown. What is guarded is the
// number of people that a figure is about: within a cell that is shown, met, late or missed may well be one.
//
// A cell must not be found by subtracting either. Cells make a tree: all jurisdictions together, of which each
// jurisdiction is a part, of which each year, of which each quarter. From a total that is shown, those of its
// parts that are shown can be subtracted; what is left is what its suppressed parts have together. That has to be
// nothing, or at least two of them and together again 5 obligations of 5 cases; while it is not, the smallest part
// that is still shown is suppressed too (of equal ones the first). The parts of a suppressed cell are all
// suppressed. So no sum or difference of what is shown, over years and quarters alike, is about fewer than five.
// A year at either end in which all jurisdictions and rules together had fewer is not listed at all.
//
// What is suppressed depends on the whole table as known at the instant, never on which part of it is asked for:
// asking twice, each time for another part, tells no more than asking once for everything. Asking as of two instants
// tells what became known between them; whoever may ask so sees the cases anyway.
package regional
