// Package events is the language of the product: what can happen on the case of a violent extremist prisoner,
// as immutable events, and the port behind which they are kept.
//
// The catalogue (catalogue.go and its neighbours) has a Go type for every event. The codec turns action records
// and stored bytes into them, strictly: unknown, duplicate and case-variant keys, invalid UTF-8, wrong types and
// impossible dates are refused with the name of the field and what was expected. Older shapes of a type are
// upcast when read. Store (store.go) is the port to the log.
package events
