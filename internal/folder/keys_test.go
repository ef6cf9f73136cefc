package folder

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern.example/postern/sigv4"
)

func TestOpenKeys_MadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	made, err := OpenKeys(dir, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if len(made.Secrets) != 1 || len(made.Secrets[0]) < 32 || len(made.SecretAccessKey) < 40 {
		t.Errorf("keys are too short: %d secrets", len(made.Secrets))
	}
	again, err := OpenKeys(dir, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if again.Credentials() != made.Credentials() || !bytes.Equal(again.Secrets[0], made.Secrets[0]) {
		t.Error("the second run has other keys")
	}
	other, err := OpenKeys(t.TempDir(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if other.AccessKeyID == made.AccessKeyID || other.SecretAccessKey == made.SecretAccessKey || bytes.Equal(other.Secrets[0], made.Secrets[0]) {
		t.Error("two folders share keys")
	}
	if rest, _ := filepath.Glob(filepath.Join(dir, "*")); len(rest) != 1 {
		t.Errorf("folder holds %v, want the keys alone", rest)
	}
}

func TestOpenKeys_NoRandomnessNoKeys(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenKeys(dir, bytes.NewReader(make([]byte, 20))); err == nil {
		t.Fatal("keys were made of too few random bytes")
	}
	if rest, _ := filepath.Glob(filepath.Join(dir, "*")); len(rest) != 0 {
		t.Errorf("folder holds %v", rest)
	}
}

func TestOpenKeys_Damaged(t *testing.T) {
	for name, text := range map[string]string{
		"empty":   "",
		"cut":     `{"bucket_access_key":"PKXHUSH`,
		"partial": `{"bucket_access_key":"PKXHUSH"}`,
		"unknown": `{"bucket_access_key":"a","bucket_secret_key":"HUSH","sealing_secrets":["aGk="],"more":1}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, KeysFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := OpenKeys(dir, rand.Reader)
		if err == nil || strings.Contains(err.Error(), "HUSH") {
			t.Errorf("%s: error is %v", name, err)
		}
		if b, _ := os.ReadFile(filepath.Join(dir, KeysFile)); string(b) != text {
			t.Errorf("%s: the file was written over", name)
		}
	}
}

// Users' keys are the same each time, each another's, and tell nothing of the
// owner's.
func TestDerived(t *testing.T) {
	dir := t.TempDir()
	k, err := OpenKeys(dir, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenKeys(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, worker, owner := k.Derived("signer"), k.Derived("worker"), k.Credentials()
	if signer != again.Derived("signer") || worker != again.Derived("worker") {
		t.Error("the keys of users change")
	}
	seen := map[string]bool{}
	for _, c := range []sigv4.Credentials{signer, worker, owner} {
		seen[c.AccessKeyID], seen[c.SecretAccessKey] = true, true
		if len(c.SecretAccessKey) < 40 {
			t.Errorf("%s has a short secret", c.AccessKeyID)
		}
	}
	if len(seen) != 6 {
		t.Errorf("%d different texts in three keys", len(seen))
	}
}
