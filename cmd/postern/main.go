// Command postern is the gate as one program: the API, the page, the worker
// and, when no bucket is named, a bucket of its own.
//
// It is the only place where the parts meet. Each command has a file of its
// own; gate.go ties the parts together; settings.go lists every setting once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v3"

	"postern.example/postern/gate"
	"postern.example/postern/internal/folder"
)

func main() {
	children := gate.Hook() // first of all: this process may be one of them
	os.Exit(mainCode(children))
}

func mainCode(children gate.Children) int {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		// The second one has its usual effect: the process ends at once, whatever it
		// is waiting for. This comes before anybody hears of the first.
		signal.Reset(os.Interrupt, syscall.SIGTERM)
		stop()
	}()
	return run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr, os.Getenv, children)
}

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// run is the whole program. Nothing below it exits or reads globals.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string, children gate.Children) int {
	err := root(stdin, stdout, stderr, getenv, children).Run(ctx, args)
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(stderr, "postern: error: %v\n", err)
	var f *fault
	if data := new(folder.Fault); errors.As(err, &data) {
		f = &fault{err, data.Hint, exitFailed}
	} else if !errors.As(err, &f) {
		return exitFailed
	}
	if f.hint != "" {
		fmt.Fprintf(stderr, "postern: hint: %s\n", f.hint)
	}
	return f.exit
}

// fault is an error with what to do about it.
type fault struct {
	err  error
	hint string // one sentence; may be empty
	exit int
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// failed says that something could not be done, and what may help.
func failed(hint, format string, args ...any) error {
	return &fault{fmt.Errorf(format, args...), hint, exitFailed}
}

// misused says that the command or its settings are not usable as given.
func misused(hint, format string, args ...any) error {
	return &fault{fmt.Errorf(format, args...), hint, exitUsage}
}

const description = `With no settings at all, "postern serve" keeps everything in ./postern-data and
listens on this machine only. Every setting is a flag, a variable and a key of
./postern.yaml; a flag goes before a variable, a variable before the file.

Exit codes: 0 done, 1 failed, 2 wrong usage or settings.`

func root(stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string, children gate.Children) *cli.Command {
	cmd := &cli.Command{
		Name:        "postern",
		Usage:       "image uploads from the browser straight into your bucket: signed, checked, shown",
		Description: description,
		Reader:      stdin, Writer: stdout, ErrWriter: stderr,
		HideVersion: true, // there is a command for it
		Commands: []*cli.Command{
			serveCommand(stdout, stderr, getenv, children),
			bucketCommand(stdout, stderr, getenv),
			setupCommand(stdin, stdout, stderr, getenv),
			doctorCommand(stdout, getenv),
			signCommand(stdout, getenv),
			presetsCommand(stdout, getenv),
			keyCommand(stdout, stderr, getenv),
			webhooksCommand(stdout, getenv),
			sweepCommand(stdout, stderr, getenv),
			migrateCommand(stdout, getenv),
			healthcheckCommand(stdout, getenv),
			configCommand(stdout, getenv, children),
			versionCommand(stdout),
		},
		Action: func(_ context.Context, c *cli.Command) error { return cli.ShowRootCommandHelp(c) },
		// Errors come back to run; without this the library would exit.
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
		ArgValidator:   noArguments,
	}
	completion(cmd)
	onUsageErrors(cmd)
	return cmd
}

// onUsageErrors has c and all commands below it say what is wrong as we do.
func onUsageErrors(c *cli.Command) {
	c.OnUsageError = usageError
	for _, below := range c.Commands {
		onUsageErrors(below)
	}
}

func usageError(_ context.Context, c *cli.Command, err error, _ bool) error {
	return misused(fmt.Sprintf("%q lists what is known.", c.FullName()+" --help"), "%w", err)
}

func noArguments(_ context.Context, c *cli.Command) error {
	switch {
	case c.Name == "help" || !c.Args().Present():
		return nil
	case c == c.Root():
		return misused(`"postern --help" lists the commands.`, "there is no command %q", c.Args().First())
	}
	return misused(fmt.Sprintf("%q shows its use.", c.FullName()+" --help"), "%s takes no argument, but got %q", c.FullName(), c.Args().First())
}
