//go:build !race

package decoder

const raced = false
