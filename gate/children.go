package gate

import (
	"context"
	"errors"
	"fmt"
	"os"

	"postern.example/postern"
	"postern.example/postern/internal/decoder"
	"postern.example/postern/internal/imaging"
)

// Children is the leave to open pictures in child processes of this program,
// which can do nothing else. The zero value has it not: pictures are opened in
// this process.
type Children struct{ hooked bool }

// Hook must be called first thing in main, by a program that wants its gate to
// open pictures in children:
//
//	func main() {
//		children := gate.Hook()
//		…
//		gate.Open(ctx, gate.Config{Children: children, …})
//
// A child is this very program, started again. Hook finds that out, opens
// pictures until the parent has no more, and does not return. In any other
// process it does nothing.
func Hook() Children {
	if code, child := decoder.Main(os.Args, os.Stdin, os.Stdout, os.Stderr, imaging.Engine{}); child {
		os.Exit(code)
	}
	return Children{hooked: true}
}

// Limits starts a child as these presets need it, and says what holds it on
// this system, and what does not and why, in words for people.
func (c Children) Limits(ctx context.Context, presets []postern.Preset) (has, lacks []string, err error) {
	if !c.hooked {
		return nil, nil, errors.New("pictures are opened in the process itself")
	}
	if presets, err = postern.CheckPresets(presets); err != nil {
		return nil, nil, err
	}
	d, err := decoder.New(ctx, decoder.Config{Children: 1, Memory: decoder.MemoryFor(presets)})
	if err != nil {
		return nil, nil, err
	}
	l := d.Limits()
	return l.Has, l.Lacks, d.Close()
}

// openEngine is what opens pictures for the worker.
func (g *Gate) openEngine(ctx context.Context, c *Config) error {
	g.engine = imaging.Engine{}
	if !c.Children.hooked {
		return nil
	}
	presets, err := postern.CheckPresets(c.Presets)
	if err != nil {
		return err
	}
	g.Decoder, err = decoder.New(ctx, decoder.Config{Children: c.Workers, Memory: decoder.MemoryFor(presets), Logger: c.Logger})
	if err != nil {
		return fmt.Errorf("open decoder: %w", err)
	}
	g.engine = g.Decoder
	g.closeLater(func(context.Context) error { return g.Decoder.Close() })
	return nil
}
