package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v3"

	"postern.example/postern"
	"postern.example/postern/gate"
)

func configCommand(stdout io.Writer, getenv func(string) string, children gate.Children) *cli.Command {
	return &cli.Command{
		Name:  "config",
		Usage: "show the settings in effect and where each comes from, secrets masked, and what the bucket's server can do",
		Flags: append(flags(), jsonFlag()),
		Action: func(ctx context.Context, c *cli.Command) error {
			s, err := resolve(onCommandLine(c), getenv)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(stdout, effective(s))
			}
			if err := printTable(stdout, effective(s)); err != nil {
				return err
			}
			if err := printServer(stdout, s); err != nil {
				return err
			}
			return printDecode(ctx, stdout, s, children)
		},
	}
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print JSON", HideDefault: true, Local: true}
}

type effectiveJSON struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Source string `json:"source"`       // flag, env, file, default, or recognised and provider for what follows from the bucket's server
	At     string `json:"at,omitempty"` // which flag, which variable, where in the file

	Bucket *bucketJSON `json:"bucket,omitempty"` // of the provider
}

type bucketJSON struct {
	postern.Provider
	URL string `json:"url"` // the bucket's, as browsers will have it; REGION where the AWS chain will say it
}

func effective(s *settings) []effectiveJSON {
	var list []effectiveJSON
	for _, x := range table() {
		from := s.from[x.name]
		list = append(list, effectiveJSON{Name: x.name, Value: x.shown(s), Source: from.kind, At: from.name})
		if x.name == "provider" {
			list[len(list)-1].Bucket = &bucketJSON{s.server, s.bucketAddress()}
		}
	}
	names := []string{}
	for _, p := range s.presets {
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		names = []string{"photos"}
	}
	from := s.from["presets"]
	return append(list, effectiveJSON{Name: "presets", Value: strings.Join(names, ","), Source: from.kind, At: from.name})
}

func printTable(w io.Writer, list []effectiveJSON) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SETTING\tVALUE\tSOURCE")
	for _, e := range list {
		if e.Value == "" {
			e.Value = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", e.Name, e.Value, origin{e.Source, e.At})
	}
	return t.Flush()
}

// printServer tells where the bucket is and what its server can do.
func printServer(w io.Writer, s *settings) error {
	list := map[postern.Support][]string{}
	for _, f := range s.server.Features() {
		list[f.Support] = append(list[f.Support], f.Title)
	}
	addressed := "its name in the host name"
	if s.bucket == "" || s.pathStyle {
		addressed = "its name in the path"
	}
	if s.bucketURL != "" {
		addressed = "as set"
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\nbucket\t%s (%s)\n", s.bucketAddress(), addressed)
	fmt.Fprintf(t, "server\t%s\n", s.server.Title)
	for _, l := range []struct {
		name string
		list []string
	}{{"has", list[postern.Yes]}, {"has not", list[postern.No]}, {"not known", list[postern.Unknown]}} {
		if len(l.list) > 0 {
			fmt.Fprintf(t, "%s\t%s\n", l.name, strings.Join(l.list, ", "))
		}
	}
	name := "mind"
	for _, trap := range s.server.Traps {
		fmt.Fprintf(t, "%s\t%s\n", name, trap)
		name = ""
	}
	fmt.Fprintf(t, "known from\t%s\n", s.server.Source)
	return t.Flush()
}

// printDecode tells where images are opened, and what holds it.
func printDecode(ctx context.Context, w io.Writer, s *settings, children gate.Children) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if s.decode != inChildren {
		fmt.Fprint(t, "\nimages\topened in the gate's own process\n")
		return t.Flush()
	}
	has, lacks, err := children.Limits(ctx, s.presets)
	if err != nil {
		return failed(`With "--decode process" images are opened in the gate's own process.`, "%w", err)
	}
	fmt.Fprint(t, "\nimages\topened in child processes\n")
	fmt.Fprintf(t, "held by\t%s\n", strings.Join(has, "; "))
	if len(lacks) > 0 {
		fmt.Fprintf(t, "not held by\t%s\n", strings.Join(lacks, "; "))
	}
	return t.Flush()
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printLine prints one line of JSON, for programs that wait for it.
func printLine(w io.Writer, v any) error {
	return json.NewEncoder(w).Encode(v)
}
