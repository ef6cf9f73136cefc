//go:build race

package decoder

// raced is a build whose every byte of memory has several that the race
// detector keeps about it, and that would count.
const raced = true
