package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestWithProfile(t *testing.T) {
	key := profile{"photos-signer", "AKIANEW", "new/secret+="}
	for _, tc := range []struct{ name, text, want string }{
		{"nothing yet", "", "[photos-signer]\naws_access_key_id = AKIANEW\naws_secret_access_key = new/secret+=\n"},
		{
			"beside others", "# mine\n[default]\naws_access_key_id=A\naws_secret_access_key=S",
			"# mine\n[default]\naws_access_key_id=A\naws_secret_access_key=S\n\n[photos-signer]\naws_access_key_id = AKIANEW\naws_secret_access_key = new/secret+=\n",
		},
		{
			"in place of an older one", "[ photos-signer ]\r\n# kept\r\nAWS_ACCESS_KEY_ID=OLD\r\naws_secret_access_key=old\r\naws_session_token=t\r\nregion=x\r\n\r\n[photos-worker]\r\naws_access_key_id=W\r\n",
			"[ photos-signer ]\naws_access_key_id = AKIANEW\naws_secret_access_key = new/secret+=\n# kept\nregion=x\n\n[photos-worker]\naws_access_key_id=W\n",
		},
		{
			"where the section stands twice", "[photos-signer]\naws_access_key_id=A\n[x]\n[photos-signer]\naws_secret_access_key=B\n",
			"[photos-signer]\naws_access_key_id = AKIANEW\naws_secret_access_key = new/secret+=\n[x]\n[photos-signer]\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := withProfile(tc.text, key)
			if got != tc.want {
				t.Errorf("got\n%q\nwant\n%q", got, tc.want)
			}
			if again := withProfile(got, key); again != got {
				t.Errorf("written again it is another text:\n%q\n%q", got, again)
			}
			if id := keyOfProfile(got, "photos-signer"); id != "AKIANEW" {
				t.Errorf("the profile's key reads %q", id)
			}
		})
	}
}

func TestKeyOfProfile_NeedsItsSecret(t *testing.T) {
	if id := keyOfProfile("[a]\naws_access_key_id = X\n[b]\naws_secret_access_key = Y\n", "a"); id != "" {
		t.Errorf("a key without a secret reads %q", id)
	}
}

func TestPutProfile(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "real")
	if err := os.WriteFile(real, []byte("[default]\naws_access_key_id=A\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "link")
	if err := os.Symlink(real, path); err != nil {
		t.Skip(err)
	}
	if err := putProfile(path, profile{"p", "K", "S"}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v %v", info, err)
	}
	text, err := os.ReadFile(real)
	if err != nil || !strings.HasPrefix(string(text), "[default]\naws_access_key_id=A\n") || keyOfProfile(string(text), "p") != "K" {
		t.Errorf("%v\n%s", err, text)
	}
	if info, err := os.Stat(real); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o600) {
		t.Errorf("others may open it: %v %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if err := putProfile(dir, profile{"p", "K", "S"}); err == nil {
		t.Error("a folder was written to")
	}
	if err := writable(filepath.Join(dir, "nowhere", "file")); err == nil {
		t.Error("a folder that is not there counts as writable")
	}
}
