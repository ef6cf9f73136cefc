//go:build !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

func terminalScript(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("terminal works on Linux only; ask for [linux]")
}
