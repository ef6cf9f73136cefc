//go:build linux && !amd64 && !arm64

package decoder

import "errors"

func forbidCalls() error { return errors.New("the list is not known for this processor") }
