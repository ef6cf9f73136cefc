//go:build !linux

package decoder

import (
	"os"
	"os/exec"
)

func executable() (string, error) { return os.Executable() }

func separate(*exec.Cmd, bool) {}

func keepThread() (free func()) { return func() {} }

const canSeparate = false

func widen(*os.File) {}
