package decoder

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern.example/postern"
)

var sink [][]byte

// deeds is what a decoder may be led to.
var deeds = map[string]func() error{
	"allocate": func() error {
		for {
			b := make([]byte, 8<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			sink = append(sink, b)
		}
	},
	"spin": func() error {
		for n := 0; ; n++ {
			if n < 0 {
				return nil
			}
		}
	},
	"recurse": func() error { return recurse(1) },
	"panic":   func() error { panic("index out of range") },
	"exit":    func() error { os.Exit(0); return nil },
	"hang":    func() error { select {} },
	"write":   func() error { return os.WriteFile("/tmp/postern-decoder-was-here", []byte("x"), 0o600) },
	"read":    func() error { _, err := os.ReadFile("/etc/passwd"); return err },
	"list":    func() error { _, err := os.ReadDir("/"); return err },
	"self":    func() error { _, err := os.ReadFile("/proc/self/environ"); return err },
	"fork":    func() error { return exec.Command("/bin/true").Run() },
	"exec":    func() error { return syscall.Exec("/bin/true", []string{"true"}, nil) },
	"environment": func() error {
		if env := os.Environ(); len(env) > 0 {
			return nil
		}
		return errors.New("empty")
	},
	"garbage": func() error { return shout([]byte(strings.Repeat("garbage ", 100))) },
	"head": func() error { // a head that is announced and too long
		return shout(append(binary.BigEndian.AppendUint32([]byte{kindRendering, 0, 0, 0, 1}, 1<<31), make([]byte, 8)...))
	},
	"flood": func() error {
		b := make([]byte, 1<<20)
		h := binary.BigEndian.AppendUint64(append([]byte{kindRefused}, 0, 0, 0, 1, 0, 0, 0, 2), 1<<40)
		if err := shout(append(h, "{}"...)); err != nil {
			return err
		}
		for {
			if err := shout(b); err != nil {
				return err
			}
		}
	},
	"chatter": func() error { // on the other pipe
		for range 200 {
			if _, err := os.Stderr.Write(make([]byte, 1<<20)); err != nil {
				return err
			}
		}
		panic("done")
	},
	"twice": func() error { // an answer before the answer
		return writeFrame(os.Stdout, kindRefused, 7, []byte(`{"Code":"corrupt","Detail":"first"}`))
	},
	"close": func() error {
		os.Stdout.Close()
		select {}
	},
}

func shout(b []byte) error {
	_, err := os.Stdout.Write(b)
	return err
}

func recurse(n int) error {
	var pad [1 << 10]byte
	pad[n%len(pad)] = 1
	if n < 0 {
		return nil
	}
	if err := recurse(n + int(pad[n%len(pad)])); err != nil {
		return err
	}
	return fmt.Errorf("%d", pad[0])
}

// Threat 12: a decoder that was taken over, or never ends, is ended. Its own
// picture is refused, in words; no other one is.
func TestThreat12_DecoderBreaksDown(t *testing.T) {
	d, log := begin(t, Config{Children: 1, Memory: 400e6, CPU: 2 * time.Second, Timeout: time.Minute})
	list := []struct{ deed, reason string }{
		{"panic", "crashed"},
		{"exit", "crashed"},
		{"garbage", "nonsense"},
		{"head", "nonsense"},
		{"flood", "nonsense"},
		{"chatter", "crashed"},
		{"close", "closed its pipe"},
		{"twice", "answer to question 7"},
	}
	if runtime.GOOS == "linux" && !raced {
		list = append(list, []struct{ deed, reason string }{
			{"allocate", "more memory than"}, {"spin", "more processor time"}, {"recurse", ""},
		}...)
	}
	for _, c := range list {
		t.Run(c.deed, func(t *testing.T) {
			before := d.Stats()
			var m0, m1 runtime.MemStats
			runtime.ReadMemStats(&m0)
			_, err := d.Render(t.Context(), []byte("!"+c.deed), preset())
			runtime.ReadMemStats(&m1)
			var e *postern.Error
			if !errors.As(err, &e) || e.Code != postern.ErrCorrupt.Code || e.Detail != errBreaks.Detail || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%v", err)
			}
			if s := d.Stats(); s.Guilty-before.Guilty != 2 || s.Deaths-before.Deaths != 2 {
				t.Errorf("%+v, before %+v\n%s", s, before, log)
			}
			if n := m1.TotalAlloc - m0.TotalAlloc; n > 4<<20 {
				t.Errorf("%d bytes were allocated over it", n)
			}
			works(t, d)
		})
	}
}

// A child that takes too long on a machine with much to do says nothing about
// the picture.
func TestThreat11_Slow(t *testing.T) {
	d, _ := begin(t, Config{Children: 1, Timeout: time.Second})
	_, err := d.Render(t.Context(), []byte("!hang"), preset())
	var died *death
	if !errors.As(err, &died) || died.guilty || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("%v", err)
	}
	if _, p := postern.ProblemOf(err); p.Status < 500 {
		t.Errorf("the file is blamed: %v", err)
	}
	works(t, d)
}

// A child that somebody kills says nothing about the picture.
func TestKilledByOthers(t *testing.T) {
	d, _ := begin(t, Config{Children: 1})
	p := <-d.ready
	d.ready <- p
	time.AfterFunc(50*time.Millisecond, func() { _ = p.cmd.Process.Kill() })
	_, err := d.Render(t.Context(), []byte("!hang"), preset())
	var died *death
	if !errors.As(err, &died) || died.guilty {
		t.Errorf("%v", err)
	}
	works(t, d)
	// One that is gone before it is asked is nobody's business.
	p = <-d.ready
	_ = p.cmd.Process.Kill() // it lives
	<-p.exited
	d.ready <- p
	works(t, d)
}
