package listen

import (
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// Patient gives a file all the time it needs as long as bytes keep coming, and
// a whole body or answer as long as the slowest line that is worth waiting for
// takes. Who is slower holds a connection and a file for nobody's good.
func Patient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		out := &patientAnswer{Answer: Answer{ResponseWriter: w}, control: http.NewResponseController(w)}
		_ = out.control.SetWriteDeadline(time.Time{}) // the connection may have an earlier answer's
		if r.Body != nil && r.ContentLength != 0 {
			b := &patientBody{ReadCloser: r.Body, control: out.control, began: now}
			b.extend(now)
			r.Body = b
		}
		next.ServeHTTP(out, r)
	})
}

// slowest is the least that a connection must carry on the whole, in bytes a
// second: a phone at the edge of its cell.
const slowest = 1 << 10

// allowance is the time that so many bytes may take at most.
func allowance(bytes int64) time.Duration {
	return standstill + time.Duration(bytes/slowest)*time.Second
}

type patientBody struct {
	io.ReadCloser
	control  *http.ResponseController
	began    time.Time
	read     atomic.Int64
	extended atomic.Int64 // when, in nanoseconds since 1970
}

func (b *patientBody) Read(p []byte) (int, error) {
	// A second's grain keeps the system call off the fast path.
	if now := time.Now(); now.UnixNano()-b.extended.Load() > int64(time.Second) {
		b.extend(now)
	}
	n, err := b.ReadCloser.Read(p)
	b.read.Add(int64(n))
	return n, err
}

func (b *patientBody) extend(now time.Time) {
	b.extended.Store(now.UnixNano())
	until := now.Add(standstill)
	if last := b.began.Add(allowance(b.read.Load())); last.Before(until) {
		until = last
	}
	_ = b.control.SetReadDeadline(until) // every connection of a server has deadlines
}

// patientAnswer bounds how long an answer may take by its length.
type patientAnswer struct {
	Answer
	control *http.ResponseController
}

func (a *patientAnswer) WriteHeader(status int) {
	length, err := strconv.ParseInt(a.Header().Get("Content-Length"), 10, 64)
	if err != nil {
		length = 0
	}
	_ = a.control.SetWriteDeadline(time.Now().Add(allowance(length))) // every connection of a server has deadlines
	a.Answer.WriteHeader(status)
}
