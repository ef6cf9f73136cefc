package listen

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// onServer serves h as our servers do.
func onServer(t *testing.T, h http.Handler) (s *http.Server, address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = NewServer(h, slog.New(slog.DiscardHandler))
	go s.Serve(l) //nolint:errcheck // it ends by Close
	t.Cleanup(func() { s.Close() })
	return s, l.Addr().String()
}

// deadlines is a connection that only notes what it is told.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error  { d.read = t; return nil }
func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = t; return nil }

// A body that trickles is given up, however steadily it does; one at the pace of
// a bad line has all the time it needs.
func TestThreat28_TricklingBody(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name  string
		since time.Duration // the body began
		read  int64         // bytes so far
		late  bool
	}{
		{"just begun", 0, 0, false},
		{"a byte a second for two minutes", 2 * time.Minute, 120, true},
		{"2 KiB a second for an hour", time.Hour, 3600 * 2048, false},
		{"half a KiB a second for an hour", time.Hour, 3600 * 512, true},
	} {
		d := &deadlines{}
		b := &patientBody{ReadCloser: io.NopCloser(strings.NewReader("x")), control: http.NewResponseController(d), began: now.Add(-c.since)}
		b.read.Store(c.read)
		b.extend(now)
		if late := d.read.Before(now); late != c.late {
			t.Errorf("%s: the deadline is %v from now", c.name, d.read.Sub(now))
		}
		if d.read.After(now.Add(standstill)) {
			t.Errorf("%s: it may stand still for %v", c.name, d.read.Sub(now))
		}
	}
}

// Who does not read an answer is given up after what the answer's length takes
// at the slowest; the next answer of the connection begins without a deadline.
func TestThreat28_AnswerNobodyReads(t *testing.T) {
	var begun time.Time
	d := &deadlines{ResponseRecorder: httptest.NewRecorder(), write: time.Now()}
	h := Patient(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		begun = d.write
		w.Header().Set("Content-Length", "1048576")
		w.WriteHeader(http.StatusOK)
	}))
	now := time.Now()
	h.ServeHTTP(d, httptest.NewRequest(http.MethodGet, "/b/k", nil))
	if !begun.IsZero() {
		t.Error("an earlier answer's deadline was kept")
	}
	if took := d.write.Sub(now); took < standstill+1024*time.Second || took > standstill+1025*time.Second {
		t.Errorf("the deadline is %v from now", took)
	}
}

// TestPatient_StandstillEndsTheRead shows that a body in which nothing moves
// is given up: the deadline is set before the first read, and in the past here.
func TestPatient_StandstillEndsTheRead(t *testing.T) {
	read := make(chan error, 1)
	_, address := onServer(t, Patient(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b := r.Body.(*patientBody)
		b.extend(time.Now().Add(-2 * standstill)) // as if the last byte had come long ago
		_, err := b.ReadCloser.Read(make([]byte, 10))
		read <- err
	})))
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
	select {
	case err := <-read:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("the read still waits")
	}
}

// TestPatient_MovingBodyIsExtended shows that each read moves the deadline on.
func TestPatient_MovingBodyIsExtended(t *testing.T) {
	_, address := onServer(t, Patient(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := r.Body.(*patientBody)
		b.extend(time.Now().Add(-2 * standstill))
		n, err := io.Copy(io.Discard, b)
		if n != 5 || err != nil {
			t.Errorf("read %d bytes, %v", n, err)
		}
	})))
	res, err := http.Post("http://"+address, "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
}
