package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"
)

// healthTime is how long the answer may take: more than a copy gives its parts.
const healthTime = readyTime + 3*time.Second

func healthcheckCommand(stdout io.Writer, getenv func(string) string) *cli.Command {
	return &cli.Command{
		Name:      "healthcheck",
		Usage:     "ask a running copy whether it is ready, for container images that have no curl",
		ArgsUsage: "[URL]",
		Description: `It asks /readyz on the admin listener of the copy with the same settings, or
the URL given, and ends with 0 when the answer is 200. Else it says what is not
ready, and ends with 1.`,
		Flags: settingFlags("config", "admin-listen"),
		ArgValidator: func(_ context.Context, c *cli.Command) error {
			if c.Args().Len() > 1 {
				return misused(`"postern healthcheck --help" shows its use.`, "healthcheck takes one URL, but got %d", c.Args().Len())
			}
			return nil
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			address := c.Args().First()
			if address == "" {
				s, err := resolveAll(onCommandLine(c), getenv)
				if err != nil {
					return err
				}
				if address, err = s.readyURL(); err != nil {
					return err
				}
			} else if err := isURL(address); err != nil {
				return misused("", "%w", err)
			}
			ctx, cancel := context.WithTimeout(ctx, healthTime)
			defer cancel()
			if err := askReady(ctx, address); err != nil {
				return failed("", "ask %s: %w", address, err)
			}
			_, err := fmt.Fprintln(stdout, "ready")
			return err
		},
	}
}

// settingFlags are the flags of some settings.
func settingFlags(names ...string) []cli.Flag {
	return slices.DeleteFunc(flags(), func(f cli.Flag) bool { return !slices.Contains(names, f.Names()[0]) })
}

// readyURL is where a copy with these settings says whether it is ready. Who
// listens everywhere listens on loopback too.
func (s *settings) readyURL() (string, error) {
	host, port, err := net.SplitHostPort(s.adminListen)
	if err != nil || port == "0" {
		return "", misused("Give the URL as an argument.", "the port of --admin-listen (%s) is not known beforehand", s.from["admin-listen"])
	}
	if anywhere(s.adminListen) {
		if host = "127.0.0.1"; strings.HasPrefix(s.adminListen, "[") {
			host = "::1"
		}
	}
	return "http://" + net.JoinHostPort(host, port) + "/readyz", nil
}

// askReady wants a 200. It goes there itself, whatever proxies the environment
// names, and follows no redirect: another's "ready" says nothing.
func askReady(ctx context.Context, address string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	t := &http.Transport{DisableKeepAlives: true}
	res, err := t.RoundTrip(r)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	if res.StatusCode == http.StatusOK {
		return nil
	}
	var doc struct {
		Parts map[string]string `json:"parts"`
	}
	if json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&doc) != nil || len(doc.Parts) == 0 {
		return fmt.Errorf("it answers %s", res.Status)
	}
	var not []string
	for name, state := range doc.Parts {
		if state != "ready" {
			not = append(not, name)
		}
	}
	if len(not) == 0 {
		return errors.New("it is not ready")
	}
	slices.Sort(not)
	return fmt.Errorf("not ready: %s", strings.Join(not, ", "))
}
