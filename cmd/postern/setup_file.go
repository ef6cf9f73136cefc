package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"postern.example/postern/internal/provision"
	"postern.example/postern/s3"
)

// The part of the settings file that is setup's. What stands around it is
// never touched.
const (
	partBegins = "# Written by \"postern setup\", and written anew by it down to the line that says so."
	partEnds   = "# Down to here."
)

// configLine is a setting that setup writes.
type configLine struct {
	key    string
	values []string
	list   bool
	bare   bool   // not a text: true or false
	note   string // before it, a comment
}

// name is the setting's name in the table.
func (l *configLine) name() string { return strings.ReplaceAll(l.key, "_", "-") }

func (l *configLine) text() string {
	var b strings.Builder
	if l.note != "" {
		b.WriteString(indented("# ", l.note))
	}
	if len(l.values) == 0 {
		return b.String()
	}
	b.WriteString(l.key + ":")
	if !l.list {
		v := scalar(l.values[0])
		if l.bare {
			v = l.values[0]
		}
		b.WriteString(" " + v + "\n")
		return b.String()
	}
	b.WriteString("\n")
	for _, v := range l.values {
		b.WriteString("  - " + scalar(v) + "\n")
	}
	return b.String()
}

// scalar writes a text as YAML: bare where that is read back as the same text,
// else in single quotes, in which only the quote is special (YAML 1.2.2, 7.3.2).
func scalar(v string) string {
	bare := v != "" && strings.Trim(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:") == ""
	first := v != "" && strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/", rune(v[0])) || strings.HasPrefix(v, "./")
	if bare && first && !strings.Contains(v, ": ") && !strings.HasSuffix(v, ":") && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(v)) {
		return v
	}
	return "'" + strings.ReplaceAll(v, "'", "''") + "'"
}

// configLines are the settings with which serve uses what setup has made.
func (r *setupRun) configLines() ([]configLine, error) {
	w := &r.want
	one := func(key, value, note string) configLine {
		return configLine{key: key, values: []string{value}, note: note}
	}
	lines := []configLine{one("bucket", w.Bucket, ""), one("region", w.Region, "")}
	if w.Endpoint != "" {
		style := configLine{key: "path_style", values: []string{fmt.Sprint(w.PathStyle)}, bare: true}
		lines = append(lines, one("endpoint", w.Endpoint, ""), one("provider", w.Provider.Name, ""), style)
	}
	lines = append(lines, configLine{key: "origin", values: w.Origins, list: true, note: "Pages that may upload; the bucket's CORS rule names the same."})
	address := s3.Config{Bucket: w.Bucket, Endpoint: w.Endpoint, PathStyle: w.PathStyle}.URL(w.Region)
	switch {
	case w.Public:
		lines = append(lines, one("images_url", address+"/images", "Anybody may read images/, so pictures need no signed links."))
	case w.Distribution != "":
		lines = append(lines, configLine{note: "The address of the CloudFront distribution:\nimages_url: https://NAME.cloudfront.net/images"})
	}
	switch {
	case r.makesKeys():
		file, err := r.credentialsForServe()
		if err != nil {
			return nil, err
		}
		lines = append(lines,
			one("credentials_file", file, "Two keys: one reads, writes and deletes; the other only signs uploads."),
			one("profile", w.UserName(provision.Worker), ""), one("signer_profile", w.UserName(provision.Signer), ""))
	case w.Role != "":
		lines = append(lines, configLine{note: "The gate has the role " + w.Role + " where it runs, so no key stands here."})
	default:
		name := w.User
		if name == "" {
			name = "NAME"
		}
		lines = append(lines, configLine{note: "No key of the gate's own was made. Make two, one for the worker and one that\nonly signs uploads; put them into a credentials file, and say below:\n" +
			fmt.Sprintf("credentials_file: %s\nprofile: %s-worker\nsigner_profile: %s-signer", r.credentials, name, name)})
	}
	return append(lines, configLine{note: "To repair or change it: " + r.sameCommand()}), nil
}

// credentialsForServe is the file of --credentials as serve finds it: a
// relative path is one from the folder that serve runs in, which is that of the
// settings file only if both are the current one.
func (r *setupRun) credentialsForServe() (string, error) {
	if filepath.IsAbs(r.credentials) || filepath.Dir(r.config) == "." {
		return filepath.ToSlash(r.credentials), nil
	}
	path, err := filepath.Abs(r.credentials)
	if err != nil {
		return "", fmt.Errorf("find credentials: %w", err)
	}
	return filepath.ToSlash(path), nil
}

// ourPart is what setup writes into the settings file.
func ourPart(lines []configLine) string {
	var b strings.Builder
	b.WriteString(partBegins + "\n")
	for i := range lines {
		b.WriteString(lines[i].text())
	}
	return b.String() + partEnds + "\n"
}

// writeConfig writes the settings file. Lines that are somebody else's are kept
// as they are; where they say something else about the same settings, the file
// is left alone and the lines to change are printed.
func (r *setupRun) writeConfig(lines []configLine) error {
	text, differs, err := r.mergeConfig(lines)
	if err != nil {
		return err
	}
	what := "written"
	switch {
	case len(differs) > 0:
		what = "differs"
		fmt.Fprintf(r.out, "\n%s %s is yours and stays as it is. For what was set up it should say:\n\n", r.ink.yellow("!"), r.config)
		for _, l := range differs {
			fmt.Fprint(r.out, indented("  ", l.text()))
		}
	case text == "":
		what = "kept"
		fmt.Fprintf(r.out, "\n%s says it already.\n", r.config)
	default:
		if err := writeWhole(r.config, []byte(text), 0o644); err != nil {
			return failed("Choose another file with --config.", "%w", err)
		}
		fmt.Fprintf(r.out, "\nSettings are in %s.\n", r.config)
	}
	r.doc.Files = append(r.doc.Files, fileJSON{r.config, what})
	return nil
}

// mergeConfig is the settings file as it should be, empty if it is so already,
// or the lines that differ from somebody else's.
func (r *setupRun) mergeConfig(lines []configLine) (text string, differs []configLine, err error) {
	old, err := os.ReadFile(r.config)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, failed("Choose another file with --config.", "read settings: %w", err)
	}
	text, differs, err = merged(r.config, string(old), lines)
	if text == string(old) {
		text = ""
	}
	return text, differs, err
}

// merged is the text of the settings file with lines in it, or the lines that
// differ from what somebody else has written.
func merged(path, old string, lines []configLine) (text string, differs []configLine, err error) {
	before, after, ours := cutPart(old)
	theirs, err := parseFile(path, []byte(before+after))
	if err != nil {
		return "", nil, err
	}
	said := 0
	for _, l := range lines {
		v, ok := theirs.values[l.key]
		if !ok || l.key == "" {
			continue
		}
		said++
		if !slices.Equal(v.raw, l.values) {
			differs = append(differs, l)
		}
	}
	switch {
	case len(differs) > 0:
		return "", differs, nil
	case said > 0:
		// The same is said by hand; the rest goes into our part.
		lines = slices.DeleteFunc(slices.Clone(lines), func(l configLine) bool {
			_, ok := theirs.values[l.key]
			return ok && l.key != ""
		})
		if !slices.ContainsFunc(lines, func(l configLine) bool { return l.key != "" }) && !ours {
			return old, nil, nil
		}
	}
	if !ours && before != "" {
		before = strings.TrimRight(before, "\n") + "\n\n"
	}
	text = before + ourPart(lines) + after
	if _, err := parseFile(path, []byte(text)); err != nil {
		return "", nil, fmt.Errorf("write settings: %w", err)
	}
	return text, nil, nil
}

// cutPart returns what stands before and after setup's part. Without one,
// everything is before it.
func cutPart(text string) (before, after string, found bool) {
	before, rest, ok := strings.Cut(text, partBegins+"\n")
	if !ok {
		return text, "", false
	}
	_, after, ok = strings.Cut(rest, partEnds+"\n")
	if !ok { // its end is gone, so nobody knows what is ours
		return text, "", false
	}
	return before, after, true
}
