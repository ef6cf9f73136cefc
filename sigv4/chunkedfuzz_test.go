package sigv4_test

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"postern.example/postern/sigv4"
)

// resign puts the signatures that belong there in the places of "=$" and ":$",
// as well as it can be said what belongs there: what is changed in a body that
// was encoded well is then still signed.
func resign(c *chain, encoded string) string {
	const chunk, trailer = ";chunk-signature=$", "x-amz-trailer-signature:$"
	out, fields := "", 0
	for {
		i, j := strings.Index(encoded, chunk), strings.Index(encoded, trailer)
		switch {
		case i >= 0 && (j < 0 || i < j):
			line := out + encoded[:i]
			line = line[strings.LastIndexByte(line, '\n')+1:]
			size, _ := strconv.ParseUint(line, 16, 31)
			rest := strings.TrimPrefix(encoded[i+len(chunk):], "\r\n")
			n := min(int(size), len(rest))
			out += encoded[:i] + chunk[:len(chunk)-1] + c.chunk(rest[:n])
			encoded = encoded[i+len(chunk):]
			fields = len(out)
			if strings.HasPrefix(encoded, "\r\n") {
				fields += 2
				out += "\r\n" + rest[:n]
				encoded = rest[n:]
			}
		case j >= 0:
			out += encoded[:j]
			text := strings.ReplaceAll(out[min(fields, len(out)):], "\r\n", "\n")
			out += trailer[:len(trailer)-1] + c.fields(strings.Replace(text, "\n\n", "\n", 1))
			encoded = encoded[j+len(trailer):]
		default:
			return out + encoded
		}
	}
}

// reference decodes as ChunkReader does, slowly: all at once and by the grammar
// in chunked.go, with the chain of these tests.
func reference(mode string, c *chain, encoded string, length int64, names []string) (body string, trailer map[string]string, ok bool) {
	cut := func(end string) string {
		line, rest, found := strings.Cut(encoded, end)
		if !found {
			panic(end)
		}
		encoded = rest
		return line
	}
	must := func(ok bool) {
		if !ok {
			panic("refused")
		}
	}
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	signed := mode != sigv4.StreamingUnsignedTrailer
	small := false
	for {
		line := cut("\r\n")
		if signed {
			must(strings.Count(line, ";chunk-signature=") == 1)
		}
		digits, signature, _ := strings.Cut(line, ";chunk-signature=")
		size, err := strconv.ParseUint(digits, 16, 60)
		must(err == nil && strings.EqualFold(digits, strconv.FormatUint(size, 16)) && int64(size) <= length-int64(len(body)))
		must(size == 0 || !small)
		small = size < 8192
		must(size <= uint64(len(encoded)))
		chunk := encoded[:size]
		encoded = encoded[size:]
		if size > 0 {
			must(cut("\r\n") == "")
		}
		if signed {
			must(c.chunk(chunk) == signature)
		} else {
			must(line == digits)
		}
		body += chunk
		if size == 0 {
			break
		}
	}
	must(int64(len(body)) == length)
	// Either spelling of the trailer, rewritten in Amazon's.
	fields := []string{}
	bare := false
	for range names {
		line := cut("\n")
		must(len(fields) == 0 || bare != strings.HasSuffix(line, "\r"))
		bare = !strings.HasSuffix(line, "\r")
		fields = append(fields, strings.TrimSuffix(line, "\r"))
	}
	if bare {
		must(cut("\r\n") == "")
	}
	trailer = map[string]string{}
	for _, f := range fields {
		name, value, found := strings.Cut(f, ":")
		must(found && slices.Contains(names, name) && trailer[name] == "" && value != "" && len(f) < 255)
		for _, b := range []byte(value) {
			must(b > ' ' && b < 0x7f)
		}
		trailer[name] = value
	}
	if mode == sigv4.StreamingPayloadTrailer {
		must(cut("\r\n") == "x-amz-trailer-signature:"+c.fields(strings.Join(fields, "\n")+"\n"))
	}
	return body, trailer, encoded == "\r\n"
}

// Whatever is sent, the reader and the reference agree on whether it is right
// and what it says; and what is wrong never gives its last byte.
func FuzzChunked(f *testing.F) {
	type request struct {
		id    sigv4.Identity
		chain chain
	}
	requests := map[string]request{}
	for _, mode := range streamingModes {
		id, c := streaming(f, mode, 0)
		requests[mode] = request{id, *c}
	}
	f.Fuzz(func(t *testing.T, mode, step byte, length int64, names, encoded string) {
		m := streamingModes[int(mode)%len(streamingModes)]
		request := requests[m]
		var announced []string
		if names != "" {
			announced = strings.Split(names, ",")
		}
		c := request.chain
		encoded = resign(&c, encoded)
		var in io.Reader = strings.NewReader(encoded)
		if step%2 == 1 {
			in = iotest.OneByteReader(in)
		}
		r, err := request.id.Chunked(in, length, announced)
		if err != nil {
			if codeOf(err) == "" || r != nil {
				t.Fatal(err)
			}
			return
		}
		for i, name := range announced {
			announced[i] = strings.ToLower(name)
		}
		c = request.chain
		want, wantTrailer, ok := reference(m, &c, encoded, length, announced)

		var got []byte
		p := make([]byte, 1+int(step)*16)
		for err == nil {
			var n int
			n, err = r.Read(p)
			got = append(got, p[:n]...)
		}
		if int64(len(got)) > length || len(got) > len(encoded) || r.Encoded() > int64(len(encoded)) {
			t.Fatalf("%d bytes of %d, from %d", len(got), length, r.Encoded())
		}
		if ended := errors.Is(err, io.EOF); ended != ok {
			t.Fatalf("the reader says %v, the reference %v", err, ok)
		} else if !ended {
			if code := codeOf(err); !slices.Contains([]string{"IncompleteBody", "SignatureDoesNotMatch", "InvalidChunkSizeError", "MalformedTrailerError"}, code) {
				t.Fatal(code)
			}
			if int64(len(got)) == length && length > 0 || r.Trailer() != nil {
				t.Fatalf("all %d bytes were given, then %v", length, err)
			}
		} else if string(got) != want || int64(len(got)) != length || !maps.Equal(r.Trailer(), wantTrailer) || r.Encoded() != int64(len(encoded)) {
			t.Fatalf("%q, %q; the reference %q, %q", got, r.Trailer(), want, wantTrailer)
		}
		if n, again := r.Read(p); n != 0 || again != err { //nolint:errorlint // it must be the very one
			t.Fatalf("%v, then %v", err, again)
		}
	})
}
