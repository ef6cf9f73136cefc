// Package provision sets up a bucket and the keys to it: it reads what is
// there, plans what is missing, and applies the plan.
//
// What is wanted stands in [Want]. The documents that follow from it (policies,
// CORS, lifecycle, trust) are pure functions, the same for setup itself, for
// what [Emit] writes and for docs/provision.md.
package provision
