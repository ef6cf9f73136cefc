package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// conversation asks a person at a terminal.
type conversation struct {
	in  *bufio.Reader
	out io.Writer
}

// converse returns nil unless both ends are a terminal: what is asked where
// nobody reads would wait for ever.
func converse(in io.Reader, out io.Writer) *conversation {
	f, ok := in.(*os.File)
	if !ok || !isTerminal(f) || !isTerminal(out) {
		return nil
	}
	// The null device is a character device like a terminal, and says nothing.
	given, err := f.Stat()
	if null, nullErr := os.Stat(os.DevNull); err != nil || nullErr == nil && os.SameFile(given, null) {
		return nil
	}
	return &conversation{bufio.NewReader(in), out}
}

// errLeft says that the person has gone, by Ctrl-C or Ctrl-D.
var errLeft = errors.New("left at a question")

// line reads one. It ends with ctx; what is typed after that is nobody's.
func (c *conversation) line(ctx context.Context) (string, error) {
	type said struct {
		line string
		err  error
	}
	heard := make(chan said, 1)
	go func() {
		line, err := c.in.ReadString('\n')
		heard <- said{line, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(c.out)
		return "", errLeft
	case s := <-heard:
		if s.err != nil {
			fmt.Fprintln(c.out)
			return "", errLeft
		}
		return strings.TrimSpace(s.line), nil
	}
}

// ask asks until the answer passes check. An empty answer is initial.
func (c *conversation) ask(ctx context.Context, question, initial string, check func(string) error) (string, error) {
	for {
		fmt.Fprint(c.out, question)
		if initial != "" {
			fmt.Fprintf(c.out, " [%s]", initial)
		}
		fmt.Fprint(c.out, ": ")
		answer, err := c.line(ctx)
		if err != nil {
			return "", err
		}
		if answer == "" {
			answer = initial
		}
		if err := check(answer); err != nil {
			fmt.Fprintf(c.out, "  %v\n", err)
			continue
		}
		return answer, nil
	}
}

// yes asks for a yes; everything else is a no.
func (c *conversation) yes(ctx context.Context, question string) (bool, error) {
	fmt.Fprintf(c.out, "%s [y/N] ", question)
	answer, err := c.line(ctx)
	answer = strings.ToLower(answer)
	return answer == "y" || answer == "yes", err
}
