package decoder

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"runtime"
	"testing"

	"postern.example/postern"
	"postern.example/postern/internal/imaging"
)

// questions and answers are what passes in earnest; the fuzzers begin there.
func questions(t testing.TB) [][]byte {
	head, err := json.Marshal(preset())
	if err != nil {
		t.Fatal(err)
	}
	var list [][]byte
	for _, kind := range []byte{kindProbe, kindRender} {
		for _, src := range [][]byte{good(), []byte("%PDF-"), nil} {
			var b bytes.Buffer
			if err := writeFrame(&b, kind, 1, head, src); err != nil {
				t.Fatal(err)
			}
			list = append(list, b.Bytes())
		}
	}
	return list
}

func answers(t testing.TB) [][]byte {
	var list [][]byte
	for _, q := range questions(t) {
		f, p, src, err := readQuestion(bytes.NewReader(q), nil)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := reply(&b, f, src, p, imaging.Engine{}); err != nil {
			t.Fatal(err)
		}
		list = append(list, b.Bytes())
	}
	return list
}

// FuzzAnswer is a hostile child: whatever it says, its parent either believes
// something that is within the rules, or nothing, and makes no room for more
// than what was sent.
func FuzzAnswer(f *testing.F) {
	for _, a := range answers(f) {
		f.Add(a)
	}
	p := preset()
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, asked := range []byte{kindProbe, kindRender} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a, err := readAnswer(bytes.NewReader(b), asked, 1, p)
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > uint64(64*len(b))+4*atOnce {
				t.Fatalf("%d bytes had %d allocated", len(b), n)
			}
			if err != nil {
				continue
			}
			e, problem := postern.ProblemOf(a.refused)
			switch {
			case a.refused != nil && problem.Status < 500 && (e.Detail == "" || len(e.Detail) > 300 || legible(e.Detail, 300) != e.Detail):
				t.Fatalf("people would read %q", e.Detail)
			case a.probe != nil && (asked != kindProbe || a.probe.Pixels() > p.Pixels.MaxPixels || a.probe.Pixels() < 1):
				t.Fatalf("%+v", a.probe)
			case a.rendering != nil:
				for _, v := range a.rendering.Image.Variants {
					file := a.rendering.Files[v.Name]
					if asked != kindRender || int64(len(file)) != v.Size || !looksLike(v.Type, file) || bytes.HasPrefix(file, []byte("<")) {
						t.Fatalf("%+v", v)
					}
				}
				if len(a.rendering.Files) != len(p.Variants) {
					t.Fatalf("%d files", len(a.rendering.Files))
				}
			}
		}
	})
}

// FuzzQuestion is what a child reads before it opens a picture.
func FuzzQuestion(f *testing.F) {
	for _, q := range questions(f) {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		q, p, src, err := readQuestion(bytes.NewReader(b), nil)
		if err != nil {
			return
		}
		head, err := json.Marshal(p)
		if err != nil {
			t.Skip() // a preset that only a fuzzer writes
		}
		var again bytes.Buffer
		if err := writeFrame(&again, q.kind, q.number, head, src); err != nil {
			t.Fatal(err)
		}
		q2, p2, src2, err := readQuestion(&again, nil)
		if err != nil || q2.kind != q.kind || q2.number != q.number || !bytes.Equal(src, src2) {
			t.Fatalf("%v: %+v, was %+v", err, q2, q)
		}
		if head2, err := json.Marshal(p2); err != nil || !bytes.Equal(head, head2) {
			t.Fatalf("%s, was %s", head2, head)
		}
	})
}

// What a hostile child might say instead, one lie at a time.
func TestThreat12_LiesOfADecoder(t *testing.T) {
	r, err := imaging.Engine{}.Render(t.Context(), good(), preset())
	if err != nil {
		t.Fatal(err)
	}
	say := func(kind byte, number uint32, head any, body ...[]byte) []byte {
		b, err := json.Marshal(head)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := writeFrame(&out, kind, number, b, body...); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	lie := func(change func(m *rendering, files [][]byte)) []byte {
		m, files := renderingOf(r)
		m.Image.Variants = append([]postern.Variant(nil), m.Image.Variants...)
		files = append([][]byte(nil), files...)
		change(&m, files)
		return say(kindRendering, 1, m, files...)
	}
	page := []byte("<script>alert(1)</script>")
	for name, b := range map[string][]byte{
		"another number":     say(kindRefused, 2, refusal{Code: "corrupt", Detail: "x"}),
		"another kind":       say(kindProbed, 1, postern.Probe{Type: "image/png", Width: 1, Height: 1, Frames: 1}),
		"a fault of ours":    say(kindRefused, 1, refusal{Code: "internal", Detail: "x"}),
		"an unknown code":    say(kindRefused, 1, refusal{Code: "<b>", Detail: "x"}),
		"no words":           say(kindRefused, 1, refusal{Code: "corrupt"}),
		"a novel":            say(kindRefused, 1, refusal{Code: "corrupt", Detail: string(bytes.Repeat([]byte("x"), 301))}),
		"control characters": say(kindRefused, 1, refusal{Code: "corrupt", Detail: "x\x1b[2J\n"}),
		"a body too many":    say(kindRefused, 1, refusal{Code: "corrupt", Detail: "x"}, page),
		"no JSON":            append([]byte{kindRefused, 0, 0, 0, 1, 0, 0, 0, 1}, append(make([]byte, 8), '{')...),
		"a page":             lie(func(m *rendering, f [][]byte) { m.one(f, page) }),
		"a page in a PNG":    lie(func(m *rendering, f [][]byte) { m.one(f, append([]byte("\x89PNG\r\n\x1a\n"), page...)) }),
		"another type":       lie(func(m *rendering, _ [][]byte) { m.Image.Variants[0].Type = "text/html" }),
		"PNG as JPEG":        lie(func(m *rendering, _ [][]byte) { m.Image.Variants[0].Type = "image/png" }),
		"a foreign name":     lie(func(m *rendering, _ [][]byte) { m.Image.Variants[0].Name = "../../x" }),
		"a name twice":       lie(func(m *rendering, _ [][]byte) { m.Image.Variants[0].Name = m.Image.Variants[1].Name }),
		"beyond its box":     lie(func(m *rendering, _ [][]byte) { m.Image.Variants[0].Width = 257 }),
		"no pixels":          lie(func(m *rendering, _ [][]byte) { m.Image.Variants[0].Height = 0 }),
		"too large":          lie(func(m *rendering, _ [][]byte) { m.Image.Width = 60000 }),
		"a disallowed type":  lie(func(m *rendering, _ [][]byte) { m.Image.Type = "image/svg+xml" }),
		"a colour":           lie(func(m *rendering, _ [][]byte) { m.Image.Color = "red;}" }),
		"no placeholder":     lie(func(m *rendering, _ [][]byte) { m.Image.Placeholder = nil }),
		"a placeholder":      lie(func(m *rendering, _ [][]byte) { m.Image.Placeholder = make([]byte, 65) }),
		"no such file":       lie(func(m *rendering, _ [][]byte) { m.Use[0] = 9 }),
		"a file before":      lie(func(m *rendering, _ [][]byte) { m.Use[0] = -1 }),
		"a size":             lie(func(m *rendering, _ [][]byte) { m.Files[0]++ }),
		"a huge size":        lie(func(m *rendering, _ [][]byte) { m.Files[0], m.Image.Variants[0].Size = 1<<40, 1<<40 }),
		"none":               lie(func(m *rendering, _ [][]byte) { m.Image.Variants, m.Use = nil, nil }),
	} {
		a, err := readAnswer(bytes.NewReader(b), kindRender, 1, preset())
		if lied := (*nonsense)(nil); !errors.As(err, &lied) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	a, err := readAnswer(bytes.NewReader(lie(func(*rendering, [][]byte) {})), kindRender, 1, preset())
	if err != nil || !reflect.DeepEqual(a.rendering, r) {
		t.Errorf("the truth is not believed: %v", err)
	}
	// A hash that a child says is not the file's.
	a, err = readAnswer(bytes.NewReader(lie(func(m *rendering, _ [][]byte) { m.Image.SHA256 = make([]byte, 32) })), kindRender, 1, preset())
	if err != nil || a.rendering.Image.SHA256 != nil {
		t.Errorf("%v", err)
	}
	for n := range len(lie(func(*rendering, [][]byte) {})) - 1 {
		if n > 2000 && n%997 != 0 {
			continue
		}
		cut := lie(func(*rendering, [][]byte) {})[:n]
		if _, err := readAnswer(bytes.NewReader(cut), kindRender, 1, preset()); err == nil || n > 0 && errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && n != frameHeader {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
}

// one gives the first variant another file.
func (m *rendering) one(files [][]byte, b []byte) {
	files[m.Use[0]] = b
	m.Files[m.Use[0]], m.Image.Variants[0].Size = int64(len(b)), int64(len(b))
}
