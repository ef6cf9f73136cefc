package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v3"

	"postern.example/postern"
	"postern.example/postern/auth"
	"postern.example/postern/internal/folder"
)

func keyCommand(stdout, stderr io.Writer, getenv func(string) string) *cli.Command {
	return &cli.Command{
		Name:  "key",
		Usage: "make, list and revoke the API keys of your backend (serve --auth keys)",
		Description: `A key lets your backend upload, ask what became of uploads, and make upload
tokens for browsers. It is shown once; what is kept is its hash, in
keys-api.json in the data folder. A running gate takes up every change.`,
		Commands: []*cli.Command{
			keyAddCommand(stdout, stderr, getenv),
			keyListCommand(stdout, getenv),
			keyRevokeCommand(stderr, getenv),
		},
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return misused(`"postern key --help" lists the commands.`, "there is no command %q", "key "+c.Args().First())
			}
			return cli.ShowSubcommandHelp(c)
		},
	}
}

// keyFlags are the settings that say where the keys are.
func keyFlags(more ...cli.Flag) []cli.Flag {
	return append(settingFlags("config", "data", "keys-file"), more...)
}

func oneName(_ context.Context, c *cli.Command) error {
	if c.Args().Len() != 1 {
		return misused(fmt.Sprintf("%q shows its use.", c.FullName()+" --help"), "%s takes the name of one key, but got %d", c.FullName(), c.Args().Len())
	}
	return nil
}

func keyAddCommand(stdout, stderr io.Writer, getenv func(string) string) *cli.Command {
	return &cli.Command{
		Name: "add", ArgsUsage: "NAME",
		Usage: "make a key and print it, this once",
		Description: `The key alone goes to standard output: KEY=$(postern key add shop). What is
uploaded with it belongs to "key/OWNER"; two keys of one owner see the same
uploads, so a key is replaced by making a second one and revoking the first.`,
		Flags: keyFlags(
			&cli.StringSliceFlag{Name: "preset", Usage: "let it upload by this `preset` only; may be given more than once", Local: true},
			&cli.Int64Flag{Name: "max-bytes", Usage: "let it upload files of up to this `number` of bytes, if the preset allows more", Local: true, HideDefault: true},
			&cli.StringFlag{Name: "owner", Usage: "whose uploads they are, a `name`; without it the key's own", Local: true},
		),
		ArgValidator: oneName,
		Action: func(_ context.Context, c *cli.Command) error {
			s, err := resolve(onCommandLine(c), getenv)
			if err != nil {
				return err
			}
			k := auth.Key{Name: c.Args().First(), Owner: c.String("owner"), Presets: c.StringSlice("preset"), Limits: postern.Limits{MaxBytes: c.Int64("max-bytes")}}
			if len(k.Presets) == 0 {
				k.Presets = nil
			}
			if c.IsSet("max-bytes") && k.Limits.MaxBytes < 1 {
				return misused("", "--max-bytes: must be a number of bytes, 1 or more")
			}
			if err := knownPresets(s, k.Presets); err != nil {
				return err
			}
			text, err := addKey(s.keysPath(), k)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintln(stdout, text); err != nil {
				return err
			}
			fmt.Fprintf(stderr, "This is the key %q. It is not kept and cannot be shown again.\n", k.Name)
			return nil
		},
	}
}

// knownPresets refuses names that no preset has.
func knownPresets(s *settings, names []string) error {
	list, err := fullPresets(s)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.ContainsFunc(list, func(p postern.Preset) bool { return p.Name == name }) {
			return misused(`"postern presets" lists them.`, "--preset: there is no preset %q", name)
		}
	}
	return nil
}

func addKey(path string, k auth.Key) (text string, err error) {
	made, text, err := auth.NewKey(k, time.Now(), rand.Reader)
	if err != nil {
		return "", misused("", "%w", err)
	}
	return text, changeKeys(path, func(keys []auth.Key) ([]auth.Key, error) {
		if slices.ContainsFunc(keys, func(k auth.Key) bool { return k.Name == made.Name }) {
			return nil, failed("Choose another name, with --owner "+made.Owner+" to see the same uploads, or revoke it first.", "there is a key called %q already", made.Name)
		}
		return append(keys, made), nil
	})
}

// changeKeys rewrites the file of keys.
func changeKeys(path string, change func([]auth.Key) ([]auth.Key, error)) error {
	return folder.Rewrite(path, func(old []byte) ([]byte, error) {
		var keys []auth.Key
		var err error
		if old != nil {
			if keys, err = auth.ParseKeys(old); err != nil {
				return nil, failed("Put it back from a backup, or move it away: its keys are dead then.", "read %s: %w", path, err)
			}
		}
		if keys, err = change(keys); err != nil {
			return nil, err
		}
		return auth.FormatKeys(keys)
	})
}

func keyRevokeCommand(stderr io.Writer, getenv func(string) string) *cli.Command {
	return &cli.Command{
		Name: "revoke", ArgsUsage: "NAME",
		Usage:        "make a key worthless, and the upload tokens that were made with it",
		Description:  "It counts from the next request on. What was uploaded with the key stays.",
		Flags:        keyFlags(),
		ArgValidator: oneName,
		Action: func(_ context.Context, c *cli.Command) error {
			s, err := resolve(onCommandLine(c), getenv)
			if err != nil {
				return err
			}
			name := c.Args().First()
			err = changeKeys(s.keysPath(), func(keys []auth.Key) ([]auth.Key, error) {
				rest := slices.DeleteFunc(slices.Clone(keys), func(k auth.Key) bool { return k.Name == name })
				if len(rest) == len(keys) {
					return nil, failed(`"postern key list" lists them.`, "there is no key called %q", name)
				}
				return rest, nil
			})
			if err == nil {
				fmt.Fprintf(stderr, "The key %q is revoked.\n", name)
			}
			return err
		},
	}
}

type keyJSON struct {
	Name      string    `json:"name"`
	Principal string    `json:"principal"`
	Presets   []string  `json:"presets,omitempty"`
	MaxBytes  int64     `json:"max_bytes,omitempty"`
	Made      time.Time `json:"made"`
}

func keyListCommand(stdout io.Writer, getenv func(string) string) *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "list the keys, what each may do, and since when",
		Flags: keyFlags(jsonFlag()), ArgValidator: noArguments,
		Action: func(_ context.Context, c *cli.Command) error {
			s, err := resolve(onCommandLine(c), getenv)
			if err != nil {
				return err
			}
			keys, err := auth.NewKeys(auth.KeysConfig{Path: s.keysPath()})
			if err != nil {
				return failed("", "%w", err)
			}
			list := []keyJSON{}
			for _, k := range keys.List() {
				list = append(list, keyJSON{k.Name, k.Principal(), k.Presets, k.Limits.MaxBytes, k.Made})
			}
			if c.Bool("json") {
				return printJSON(stdout, list)
			}
			t := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "NAME\tPRINCIPAL\tPRESETS\tMAX BYTES\tMADE")
			for _, k := range list {
				presets, most := "all", "as the preset has it"
				if k.Presets != nil {
					presets = strings.Join(k.Presets, ",")
				}
				if k.MaxBytes > 0 {
					most = strconv.FormatInt(k.MaxBytes, 10)
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", k.Name, k.Principal, presets, most, k.Made.Format(time.DateOnly))
			}
			return t.Flush()
		},
	}
}
