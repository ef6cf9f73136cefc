package worker_test

import (
	"bytes"
	"context"
	"image"
	_ "image/gif"
	"image/jpeg"
	_ "image/png"
	"testing"

	"postern.example/postern"
	"postern.example/postern/internal/worker"
)

type interim struct{}

func newEngine(*testing.T) worker.Engine { return interim{} }

func (interim) Probe(src []byte, p *postern.Preset) (postern.Probe, error) {
	c, kind, err := image.DecodeConfig(bytes.NewReader(src))
	if err != nil {
		return postern.Probe{}, postern.ErrUnsupported.With("no picture").Because(err)
	}
	if c.Width > p.Pixels.MaxSide || c.Width*c.Height > int(p.Pixels.MaxPixels) || bytes.Count(src, []byte{0x2c}) > 300 {
		return postern.Probe{}, postern.ErrTooManyPixels.With("big")
	}
	return postern.Probe{Type: "image/" + kind, Width: c.Width, Height: c.Height, Frames: 1}, nil
}

func (interim) Render(ctx context.Context, src []byte, p *postern.Preset) (*postern.Rendering, error) {
	m, kind, err := image.Decode(bytes.NewReader(src))
	if err != nil {
		return nil, postern.ErrCorrupt.With("bad").Because(err)
	}
	r := &postern.Rendering{Image: postern.Image{Type: "image/" + kind, Width: m.Bounds().Dx(), Height: m.Bounds().Dy()}, Files: map[string][]byte{}}
	for _, v := range p.Variants {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, m, nil); err != nil {
			return nil, err
		}
		r.Files[v.Name] = b.Bytes()
		r.Image.Variants = append(r.Image.Variants, postern.Variant{Name: v.Name, Type: "image/jpeg", Width: m.Bounds().Dx(), Height: m.Bounds().Dy(), Size: int64(b.Len())})
	}
	return r, ctx.Err()
}
