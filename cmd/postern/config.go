package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v3"
)

func configCommand(stdout io.Writer, getenv func(string) string) *cli.Command {
	return &cli.Command{
		Name:  "config",
		Usage: "show the settings in effect and where each comes from, secrets masked",
		Flags: append(flags(), jsonFlag()),
		Action: func(_ context.Context, c *cli.Command) error {
			s, err := resolve(onCommandLine(c), getenv)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(stdout, effective(s))
			}
			return printTable(stdout, effective(s))
		},
	}
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print JSON", HideDefault: true, Local: true}
}

type effectiveJSON struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Source string `json:"source"`       // flag, env, file or default
	At     string `json:"at,omitempty"` // which flag, which variable, where in the file
}

func effective(s *settings) []effectiveJSON {
	var list []effectiveJSON
	for _, x := range table() {
		from := s.from[x.name]
		list = append(list, effectiveJSON{x.name, x.shown(s), from.kind, from.name})
	}
	names := []string{}
	for _, p := range s.presets {
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		names = []string{"photos"}
	}
	from := s.from["presets"]
	return append(list, effectiveJSON{"presets", strings.Join(names, ","), from.kind, from.name})
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

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printLine prints one line of JSON, for programs that wait for it.
func printLine(w io.Writer, v any) error {
	return json.NewEncoder(w).Encode(v)
}
