package main

import (
	"fmt"
	"path/filepath"
)

// show is dir as a person finds it: below the current folder as it was given.
func show(parts ...string) string {
	p := filepath.Join(parts...)
	if filepath.IsLocal(p) {
		return fmt.Sprintf(".%c%s", filepath.Separator, p)
	}
	return p
}
