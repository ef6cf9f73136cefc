package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"postern.example/postern"
	"postern.example/postern/gate"
	"postern.example/postern/internal/folder"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
)

func signCommand(stdout io.Writer, getenv func(string) string) *cli.Command {
	return &cli.Command{
		Name:      "sign",
		Usage:     "sign the permission for one upload: as JSON, as a line for curl, or as an HTML form",
		ArgsUsage: "[FILE]",
		Description: `It signs with the settings of "postern serve", which takes up what arrives. FILE
is the file to be sent: its name, type, size and SHA-256 are signed. Without one
the permission is for any file the preset allows, by a form (POST).

  postern sign cat.jpg                    the grant as JSON
  postern sign --format curl cat.jpg | sh send it, and have it checked
  postern sign --format html > form.html  a form that anybody can open and use once

Whoever has what this prints can upload once, until it runs out.`,
		Flags: append(flags(),
			&cli.StringFlag{Name: "format", Usage: "print `json`, curl or html", Value: "json", Local: true, Category: signing},
			&cli.StringFlag{Name: "preset", Usage: "sign by the rules of this `preset`; may be left out when there is one", Local: true, Category: signing},
			&cli.StringFlag{Name: "type", Usage: "media `type` of the file, when its bytes do not tell", Local: true, Category: signing},
			&cli.StringFlag{Name: "principal", Usage: "whose upload it is: a `name` as your sign-in gives it", Value: postern.Anonymous, Local: true, Category: signing},
			&cli.StringFlag{Name: "transfer", Usage: "post or put; by default what the bucket has", Local: true, Category: signing},
		),
		ArgValidator: func(_ context.Context, c *cli.Command) error {
			if c.Args().Len() > 1 {
				return misused(`"postern sign --help" shows its use.`, "postern sign takes one file, but got %d", c.Args().Len())
			}
			return nil
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			s, err := resolve(onCommandLine(c), getenv)
			if err != nil {
				return err
			}
			return sign(ctx, s, signAsk{
				format: c.String("format"), file: c.Args().First(), principal: c.String("principal"),
				preset: c.String("preset"), typ: c.String("type"), transfer: postern.Transfer(c.String("transfer")),
			}, stdout)
		},
	}
}

const signing = "Signing"

// signAsk is what is asked of the sign command.
type signAsk struct {
	format, file, preset, typ, principal string
	transfer                             postern.Transfer
}

func sign(ctx context.Context, s *settings, a signAsk, stdout io.Writer) error {
	for _, f := range []struct {
		name, value string
		check       func(string) error
	}{
		{"--format", a.format, oneOf("json", "curl", "html")},
		{"--transfer", string(a.transfer), oneOf("", "post", "put")},
	} {
		if err := f.check(f.value); err != nil {
			return misused("", "%s: %w", f.name, err)
		}
	}
	if a.format == "curl" && a.file == "" {
		return misused("Name the file: postern sign --format curl cat.jpg", "a line for curl needs the file that it sends")
	}
	r, err := a.request(s)
	if err != nil {
		return err
	}
	service, err := s.signingService(ctx)
	if err != nil {
		return err
	}
	g, err := service.Grant(ctx, postern.As(a.principal), r)
	if err != nil {
		return refused(err)
	}
	api := strings.TrimSuffix(s.pageURL(listenAddr(s.listen)), "/")
	switch a.format {
	case "curl":
		_, err = fmt.Fprintln(stdout, curlLine(g, a.file, api))
	case "html":
		preset, err := service.Preset(r.Preset)
		if err != nil {
			return refused(err)
		}
		return writeForm(stdout, g, &preset)
	default:
		var doc []byte
		if doc, err = g.MarshalJSON(); err == nil {
			_, err = fmt.Fprintf(stdout, "%s\n", doc)
		}
	}
	return err
}

// request describes the file, or any file when none is named.
func (a *signAsk) request(s *settings) (r postern.Request, err error) {
	r = postern.Request{Preset: a.preset, Type: a.typ, Transfer: a.transfer}
	if a.format == "html" {
		r.Transfer = postern.Post // which is what forms are
		r.RedirectURL = strings.TrimSuffix(s.pageURL(listenAddr(s.listen)), "/") + "/uploads/{id}"
		if slices.Contains(s.compat, "form") { // which has a page for people
			r.RedirectURL = strings.TrimSuffix(s.pageURL(listenAddr(s.listen)), "/") + "/form/done/{id}"
		}
	}
	if r.Transfer == "" {
		// In parts it would be more than one line, and longer than one life.
		r.Transfer = s.target().Whole()
	}
	if a.file == "" {
		r.AnyType = a.typ == ""
		return r, nil
	}
	content, err := os.ReadFile(a.file)
	if err != nil {
		return r, failed("", "read file: %w", err)
	}
	size, sum := int64(len(content)), sha256.Sum256(content)
	r.Filename, r.Size, r.SHA256 = filepath.Base(a.file), &size, base64.StdEncoding.EncodeToString(sum[:])
	if r.Type == "" {
		r.Type = http.DetectContentType(content)
	}
	return r, nil
}

// refused tells what a preset refuses as the API would, in one sentence.
func refused(err error) error {
	e, p := postern.ProblemOf(err)
	if p.Status >= http.StatusInternalServerError {
		return fmt.Errorf("sign: %w", err)
	}
	hint := ""
	switch {
	case e.Field == "preset":
		hint = `"postern presets" shows them.`
	case errors.Is(err, postern.ErrTransfer):
		hint = `"postern presets" shows how each travels here; the preset's own "transfer" decides, and a signing key of its own (--signer-profile) allows more.`
	}
	return misused(hint, "%s", e.Detail)
}

// signingService is a service that can sign and nothing else: signing asks
// neither the bucket nor the records.
func (s *settings) signingService(ctx context.Context) (*postern.Service, error) {
	secrets, err := s.sealing()
	if err != nil {
		return nil, err
	}
	var keys *folder.Keys
	if s.bucket == "" || secrets == nil {
		if _, err := os.Stat(filepath.Join(s.data, folder.KeysFile)); errors.Is(err, fs.ErrNotExist) {
			return nil, failed(`Run "postern serve" first, or choose its folder with --data.`, "there are no keys in %s", show(s.data))
		}
		if keys, err = folder.OpenKeys(s.data, nil); err != nil {
			return nil, err
		}
	}
	if secrets == nil {
		secrets = keys.Secrets
	}
	conf, target := &s3.Config{}, s.bucketURL
	if s.bucket == "" {
		conf = &s3.Config{
			Bucket: gate.EmbeddedBucket, Endpoint: "http://" + listenAddr(s.bucketListen).String(), PathStyle: true,
			Credentials: func(context.Context) (sigv4.Credentials, error) { return keys.Derived(gate.EmbeddedSigner), nil },
		}
	} else if conf, err = s.ownBucket(nil); err != nil {
		return nil, err
	}
	bucket, err := s3.New(ctx, *conf)
	if err != nil {
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	if target == "" {
		target = conf.URL(bucket.Region())
	}
	service, err := postern.New(postern.Config{
		Presets: s.presets, Secrets: secrets, Bucket: bucket, Records: struct{ postern.Records }{},
		Target: postern.Target{
			URL: target, Bucket: bucket.Name(), Region: bucket.Region(), Credentials: bucket.SigningCredentials,
			Provider: s.provider(), Apart: conf.Signer != nil,
		},
	})
	if err != nil {
		return nil, misused("", "%w", err)
	}
	return service, nil
}

// listenAddr is the address of a listener that is or will be elsewhere.
func listenAddr(address string) net.Addr {
	if anywhere(address) {
		if _, port, err := net.SplitHostPort(address); err == nil {
			address = net.JoinHostPort("127.0.0.1", port)
		}
	}
	return addr(address)
}

type addr string

func (a addr) Network() string { return "tcp" }
func (a addr) String() string  { return string(a) }

// curlLine is a command for a POSIX shell that sends the file and says so.
func curlLine(g *postern.Grant, file, api string) string {
	var b bytes.Buffer
	b.WriteString("curl -fsS -g -o /dev/null")
	if g.Method == http.MethodPut {
		for _, h := range g.Headers {
			b.WriteString(" -H " + quoted(h.Name+": "+h.Value))
		}
		// curl adds a folder's last slash and takes "-" and "." for itself.
		b.WriteString(" -T " + quoted(plainPath(file)) + " " + quoted(g.URL))
	} else {
		for _, f := range g.Fields {
			b.WriteString(" --form-string " + quoted(f.Name+"="+f.Value))
		}
		escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(plainPath(file))
		b.WriteString(" -F " + quoted(g.FileField+`=@"`+escaped+`"`) + " " + quoted(g.URL))
	}
	b.WriteString(" && curl -fsS -X POST " + quoted(api+"/uploads/"+string(g.Ticket.ID)+"/complete"))
	return b.String()
}

// plainPath is a path that no program takes for an option or standard input.
func plainPath(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return "./" + filepath.ToSlash(p)
}

// quoted is s as one word of a POSIX shell (IEEE Std 1003.1, 2.2.2).
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
