package decoder

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// What passes between the two processes is frames: a kind, the number of the
// question, the lengths of head and body, the head in JSON, the body as it is.
//
//	kind 1 byte | number 4 | head 4 | body 8 | head | body      big-endian
//
// An answer has its question's number, so that nobody takes it for another's.
const (
	kindHello     = 'H' // child: its limits are set. Head: greeting
	kindProbe     = 'P' // parent: head preset, body file
	kindRender    = 'R' // parent: the same
	kindProbed    = 'p' // child: head postern.Probe
	kindRendering = 'r' // child: head rendering, body its files
	kindRefused   = 'e' // child: head refusal
	frameHeader   = 17
	maxHead       = 1 << 20
	version       = 1 // of all this; a child of a replaced program may have another
)

var errFrame = errors.New("not a frame")

// frame is the beginning of what was received; its body is still to be read.
type frame struct {
	kind   byte
	number uint32
	head   []byte
	body   int64 // bytes that follow
}

func writeFrame(w io.Writer, kind byte, number uint32, head []byte, body ...[]byte) error {
	if len(head) > maxHead {
		return fmt.Errorf("write frame: head of %d bytes", len(head))
	}
	n := 0
	for _, b := range body {
		n += len(b)
	}
	out := make([]byte, frameHeader, frameHeader+len(head))
	out[0] = kind
	binary.BigEndian.PutUint32(out[1:], number)
	binary.BigEndian.PutUint32(out[5:], uint32(len(head))) //nolint:gosec // at most maxHead
	binary.BigEndian.PutUint64(out[9:], uint64(n))
	for _, b := range append([][]byte{append(out, head...)}, body...) {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// readFrame reads a frame up to its body. The error is io.EOF only between
// frames.
func readFrame(r io.Reader) (f frame, err error) {
	var h [frameHeader]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return f, err
	}
	n := binary.BigEndian.Uint32(h[5:])
	body := binary.BigEndian.Uint64(h[9:])
	if n > maxHead || body > 1<<62 {
		return f, errFrame
	}
	f = frame{kind: h[0], number: binary.BigEndian.Uint32(h[1:]), body: int64(body)}
	f.head, err = readBytes(r, nil, int64(n))
	return f, err
}

// atOnce is how much room is made for bytes that are only announced.
const atOnce = 4 << 20

// readBytes reads n bytes, into buf as far as it has room. Room is made as
// they come and not as they are announced.
func readBytes(r io.Reader, buf []byte, n int64) ([]byte, error) {
	buf = buf[:0]
	for int64(len(buf)) < n {
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), min(n, max(atOnce, 2*int64(len(buf)))))
			copy(grown, buf)
			buf = grown
		}
		from := len(buf)
		buf = buf[:min(n, int64(cap(buf)))]
		if _, err := io.ReadFull(r, buf[from:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return buf, nil
}
