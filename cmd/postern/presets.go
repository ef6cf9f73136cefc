package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v3"

	"postern.example/postern"
)

func presetsCommand(stdout io.Writer, getenv func(string) string) *cli.Command {
	return &cli.Command{
		Name:        "presets",
		Usage:       "show the presets: what may be uploaded and what is made of it",
		Description: "Presets are set in the settings file, below \"presets\".",
		Flags:       append(flags(), jsonFlag()),
		Action: func(_ context.Context, c *cli.Command) error {
			s, err := resolve(onCommandLine(c), getenv)
			if err != nil {
				return err
			}
			list, err := fullPresets(s)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(stdout, presetsJSON(list))
			}
			return printPresets(stdout, list)
		},
	}
}

// fullPresets returns the presets with their defaults filled in, or what is
// wrong with them.
func fullPresets(s *settings) ([]postern.Preset, error) {
	list, err := postern.CheckPresets(s.presets)
	if err != nil {
		return nil, misused("", "%s: %w", s.from["presets"].name, err)
	}
	return list, nil
}

func printPresets(w io.Writer, list []postern.Preset) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PRESET\tTYPES\tFROM\tUP TO\tPIXELS\tGRANT\tVARIANTS")
	for _, p := range list {
		types := make([]string, len(p.Types))
		for i, mt := range p.Types {
			types[i] = strings.TrimPrefix(mt, "image/")
		}
		variants := make([]string, len(p.Variants))
		for i, v := range p.Variants {
			variants[i] = fmt.Sprintf("%s %d", v.Name, v.Box)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, strings.Join(types, " "),
			postern.Bytes(p.MinBytes), postern.Bytes(p.MaxBytes), megapixels(p.Pixels.MaxPixels), lifetime(p.Life), strings.Join(variants, ", "))
	}
	return t.Flush()
}

// lifetime says "10m" where Duration says "10m0s".
func lifetime(d time.Duration) string {
	if s := d.String(); strings.HasSuffix(s, "m0s") {
		return strings.TrimSuffix(s, "0s")
	}
	return d.String()
}

func megapixels(n int64) string {
	if n < 1e6 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%.4g MP", float64(n)/1e6)
}

type presetJSON struct {
	postern.Preset
	Life string `json:"life"` // "10m0s", where Preset would say nanoseconds
}

func presetsJSON(list []postern.Preset) []presetJSON {
	out := make([]presetJSON, len(list))
	for i, p := range list {
		out[i] = presetJSON{p, p.Life.String()}
	}
	return out
}
