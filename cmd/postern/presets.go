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
		Usage:       "show the presets: what may be uploaded, how it travels and what is made of it",
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
				return printJSON(stdout, presetsJSON(list, s.target()))
			}
			return printPresets(stdout, list, s.target())
		},
	}
}

// fullPresets returns the presets with their defaults filled in, or what is
// wrong with them, on their own or on the bucket's server.
func fullPresets(s *settings) ([]postern.Preset, error) {
	list, err := postern.CheckPresets(s.presets)
	if err != nil {
		return nil, misused("", "%s: %w", s.from["presets"].name, err)
	}
	for i := range list {
		if err := list[i].CheckTransfers(s.server); err != nil {
			return nil, misused("Set the preset's transfer to auto, or to put.", "%s: %w", s.from["presets"].name, err)
		}
	}
	return list, nil
}

// target is what is known of the bucket without asking anybody.
func (s *settings) target() *postern.Target {
	return &postern.Target{Provider: s.server, Apart: s.bucket != "" && (s.signerAccessKey != "" || s.signerProfile != "")}
}

// travel says the same for people: "POST; in parts from 64 MiB".
func travel(p *postern.Preset, to *postern.Target) string {
	var words []string
	for _, t := range p.Transfers(to) {
		if t != postern.Multi {
			words = append(words, strings.ToUpper(string(t)))
		} else if len(words) > 0 {
			words = append(words, "in parts from "+inMebibytes(p.MultipartFrom))
		} else {
			words = append(words, "in parts")
		}
	}
	return strings.Join(words, "; ")
}

// inMebibytes says sizes of parts in the unit that they are set in.
func inMebibytes(n int64) string {
	const mib = 1 << 20
	if n%mib != 0 {
		return postern.Bytes(n)
	}
	return fmt.Sprintf("%d MiB", n/mib)
}

func printPresets(w io.Writer, list []postern.Preset, to *postern.Target) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PRESET\tTYPES\tFROM\tUP TO\tSENT BY\tPIXELS\tGRANT\tVARIANTS")
	for i := range list {
		p := &list[i]
		types := make([]string, len(p.Types))
		for j, mt := range p.Types {
			types[j] = strings.TrimPrefix(mt, "image/")
		}
		variants := make([]string, len(p.Variants))
		for j, v := range p.Variants {
			variants[j] = fmt.Sprintf("%s %d", v.Name, v.Box)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, strings.Join(types, " "),
			postern.Bytes(p.MinBytes), postern.Bytes(p.MaxBytes), travel(p, to), megapixels(p.Pixels.MaxPixels), lifetime(p.Life), strings.Join(variants, ", "))
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
	Life          string             `json:"life"` // "10m0s", where Preset would say nanoseconds
	MultipartLife string             `json:"multipart_life"`
	Provider      string             `json:"provider"`
	Transfers     []postern.Transfer `json:"transfers"` // those used there: whole files first, then parts
}

func presetsJSON(list []postern.Preset, to *postern.Target) []presetJSON {
	out := make([]presetJSON, len(list))
	for i, p := range list {
		out[i] = presetJSON{p, p.Life.String(), p.MultipartLife.String(), to.Provider.Name, p.Transfers(to)}
	}
	return out
}
