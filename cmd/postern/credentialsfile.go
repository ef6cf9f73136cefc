package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// profile is one section of a file of AWS's shared-credentials format, which
// every AWS tool reads:
// https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
type profile struct {
	name                         string
	accessKeyID, secretAccessKey string
}

// maxCredentialsFile bounds a credentials file; it is read whole.
const maxCredentialsFile = 1 << 20

// putProfile writes p into the file, and leaves everything else in it as it is.
// The file is replaced in one step, for its owner only: after a crash it is
// either the old or the new one.
func putProfile(path string, p profile) error {
	text, err := readCredentials(path)
	if err != nil {
		return err
	}
	return writeWhole(path, []byte(withProfile(text, p)), 0o600)
}

// readCredentials returns the file's text; a file that is not there is empty.
func readCredentials(path string) (string, error) {
	info, err := os.Stat(path) //nolint:gosec // the file that the caller names
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("read credentials: %w", err)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("read credentials: %s is not a file", path)
	case info.Size() > maxCredentialsFile:
		return "", fmt.Errorf("read credentials: %s has more than %d bytes", path, maxCredentialsFile)
	}
	text, err := os.ReadFile(path) //nolint:gosec // the file that the caller names
	if err != nil {
		return "", fmt.Errorf("read credentials: %w", err)
	}
	return string(text), nil
}

// withProfile is text with p in it. Other keys and the comments of its section
// stay, but for the session token, which belongs to another key.
func withProfile(text string, p profile) string {
	ours := []string{"aws_access_key_id = " + p.accessKeyID, "aws_secret_access_key = " + p.secretAccessKey}
	var out []string
	inside, written := false, false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if name, ok := sectionOf(line); ok {
			inside = name == p.name
			out = append(out, line)
			if inside && !written {
				out, written = append(out, ours...), true
			}
			continue
		}
		key, _, _ := strings.Cut(line, "=")
		if inside && slices.Contains([]string{"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}, strings.ToLower(strings.TrimSpace(key))) {
			continue
		}
		out = append(out, line)
	}
	if !written {
		if n := len(out); n > 0 && out[n-1] != "" {
			out = append(out, "")
		}
		out = append(append(out, "["+p.name+"]"), ours...)
	}
	return strings.Join(out, "\n") + "\n"
}

// sectionOf returns the name in a section's line: "[photos-signer]".
func sectionOf(line string) (string, bool) {
	name, ok := strings.CutPrefix(strings.TrimSpace(line), "[")
	if !ok {
		return "", false
	}
	name, _, ok = strings.Cut(name, "]")
	return strings.TrimSpace(name), ok
}

// keyOfProfile returns the access key id that a profile has together with a
// secret; empty: it has none.
func keyOfProfile(text, name string) string {
	found := map[string]string{}
	inside := false
	for line := range strings.Lines(text) {
		if section, ok := sectionOf(line); ok {
			inside = section == name
			continue
		}
		if key, value, ok := strings.Cut(line, "="); ok && inside {
			found[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
		}
	}
	if found["aws_secret_access_key"] == "" {
		return ""
	}
	return found["aws_access_key_id"]
}

// writeWhole replaces a file in one step. Where path is a link, what it points
// to is replaced.
func writeWhole(path string, text []byte, mode fs.FileMode) (err error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-") // made with mode 0600
	if err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write file: %w", errors.Join(err, f.Close(), os.Remove(f.Name())))
		}
	}()
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes the names in a folder durable, where the system can.
func syncFolder(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the folder of a file that the caller names
	if err != nil {
		return nil // it can be written to all the same
	}
	defer d.Close() //nolint:errcheck // it was only read
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}

// writable reports whether a file can be written where path says, before
// anything depends on it.
func writable(path string) error {
	if _, err := readCredentials(path); err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name())) //nolint:gosec // it was made just now
}
