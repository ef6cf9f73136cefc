package folder

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"postern.example/postern/sigv4"
)

// Keys is what keys.json in the data folder holds: made on the first run,
// readable by its owner only.
type Keys struct {
	AccessKeyID     string   `json:"bucket_access_key"`
	SecretAccessKey string   `json:"bucket_secret_key"`
	Secrets         [][]byte `json:"sealing_secrets"` // base64 in the file; the first seals, all open
}

// Credentials is the embedded bucket's key.
func (k *Keys) Credentials() sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey}
}

// Derived is the key of a user of the embedded bucket, who may do less than its
// owner. It follows from the owner's key, so that nothing more has to be kept.
func (k *Keys) Derived(user string) sigv4.Credentials {
	derive := func(what string) []byte {
		mac := hmac.New(sha256.New, []byte(k.SecretAccessKey))
		mac.Write([]byte("embedded bucket, " + what + " of the user " + user))
		return mac.Sum(nil)
	}
	return sigv4.Credentials{
		AccessKeyID:     "PU" + strings.TrimRight(base32.StdEncoding.EncodeToString(derive("id")[:12]), "="),
		SecretAccessKey: base64.RawURLEncoding.EncodeToString(derive("secret")),
	}
}

// What is in the folder.
const (
	KeysFile    = "keys.json"
	RecordsFile = "postern.db"
	APIKeysFile = "keys-api.json" //nolint:gosec // a name
	BucketDir   = "bucket"
	lockFile    = "postern.lock"
)

// OpenKeys reads the keys in dir, or makes them when dir is new.
func OpenKeys(dir string, random io.Reader) (*Keys, error) {
	path := filepath.Join(dir, KeysFile)
	f, err := os.Open(path) //nolint:gosec // in the folder that the caller names
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(dir, RecordsFile)); err == nil {
			// New keys would disown every picture that the records know.
			return nil, failed("Put "+path+" back from a backup. To begin anew, move the folder away.",
				"read keys: %s is gone, but the folder holds records", path)
		}
		return makeKeys(path, random)
	}
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, failed("Run: chmod 600 "+path, "read keys: others on this machine may open %s (mode %04o)", path, mode)
	}
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	k := &Keys{}
	if err := d.Decode(k); err != nil {
		return nil, failed("Put it back from a backup.", "read keys: %s is damaged: %v", path, err)
	}
	if k.AccessKeyID == "" || k.SecretAccessKey == "" || len(k.Secrets) == 0 {
		return nil, failed("Put it back from a backup.", "read keys: %s is not complete", path)
	}
	return k, nil
}

func makeKeys(path string, random io.Reader) (*Keys, error) {
	b := make([]byte, 12+30+32)
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, fmt.Errorf("make keys: %w", err)
	}
	k := &Keys{
		AccessKeyID:     "PK" + strings.TrimRight(base32.StdEncoding.EncodeToString(b[:12]), "="),
		SecretAccessKey: base64.RawURLEncoding.EncodeToString(b[12:42]),
		Secrets:         [][]byte{b[42:]},
	}
	doc, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("make keys: %w", err)
	}
	if err := writeWhole(path, append(doc, '\n')); err != nil {
		return nil, fmt.Errorf("make keys: %w", err)
	}
	return k, nil
}

// writeWhole writes a file that is there whole or not at all, also after a
// power cut: temporary file, fsync, rename, fsync of the folder. Its mode is
// 0600, as os.CreateTemp makes it.
func writeWhole(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes renames in dir durable. Windows has no such call and needs none.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir) //nolint:gosec // in the folder that the caller names
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // it was only synced
	return d.Sync()
}
