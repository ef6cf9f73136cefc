package s3d

import "testing"

// A name is lowered as ASCII: U+212A KELVIN SIGN is no "k".
func TestFieldNamesAreLoweredAsASCII(t *testing.T) {
	for in, want := range map[string]string{"Key": "key", "X-AMZ-Date": "x-amz-date", "\u212aey": "\u212aey", "É": "É"} {
		if got := lowerASCII(in); got != want {
			t.Errorf("lowerASCII(%q) = %q, want %q", in, got, want)
		}
	}
}
