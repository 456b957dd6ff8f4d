// Package access says who may see what of a case, and masks what may not be seen. It is pure; handlers/consult asks it for
// every read, and records what it decided.
//
// The need-to-know matrix and who may open a case are policies in the Cedar language: policies/*.cedar, one file for each
// role and one for what holds for all. The id of a policy names the cell that it is: csw.health. A jurisdiction puts its
// own in their place by id; see Load.
//
// A case may be opened by an institution that has a part in it (see Parts), and by oversight and coordination in their own
// jurisdiction. Whoever may open it may know of its entries: who did what and when, which categories were shared with
// whom and on what basis: the envelope (the cell A is that alone). What an entry says of the person is shown by category:
//
//   - F, in full: everything under the category.
//   - S, summarised: that something is recorded, and values from a closed list: the level of risk or need, the result of a
//     screening, the kind of accommodation, the group. Never a name, a date of birth, a reason, or any text.
//   - C: in full while a consent covers category and role, else nothing. N: in full for a stated need, else nothing.
//   - –: nothing but that something is hidden, under which category, and whom to ask.
//
// A field is under the category that the catalogue protects it by; the content of an act of sharing under all the categories
// that it names, so that a summary of identity and health is shown to those only who see both. Text that the catalogue does
// not protect (a reason, grounds, a remedy) may hold anything: it is under the categories that its event names, and where it
// names none under identity. A few fields that are not protected tell of a category all the same: see telling.
//
// What an office recorded itself it sees in full: the same institution in the same role; one role of a prison does not see
// what another wrote. A confidential complaint's grounds are hidden from the institution that it is about.
//
// Contacts with the monitor, and what is said of them, are not shown as hidden: to a prison role the case is as if they had
// not been recorded (HR24).
package access
