// Package bench measures Postern beside named peers, in one run: `make bench`.
// Programs of their own are sign (`make bench-sign`), peers (`make bench-peers`:
// the endpoint), bucket (`make bench-bucket`) and web (`make bench-web`: the
// element, in real Chromium).
//
// It is a module of its own so that the peers never enter Postern's go.mod.
// Read ratios between the lines of one run, not absolute figures of two.
package bench
