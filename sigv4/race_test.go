//go:build race

package sigv4_test

// raceEnabled says whether the race detector is at work.
const raceEnabled = true
