package posterntest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestProxy(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Write(b) //nolint:errcheck // the client may have gone
	}))
	defer server.Close()
	p, err := NewProxy(t.Context(), strings.TrimPrefix(server.URL, "http://"))
	must(t, "proxy", err)
	defer func() { must(t, "close", p.Close()) }()
	client := &http.Client{Timeout: 500 * time.Millisecond, Transport: &http.Transport{}}
	echo := func(s string) error {
		res, err := client.Post("http://"+p.Addr(), "text/plain", strings.NewReader(s))
		if err != nil {
			return err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err == nil && string(b) != s {
			t.Errorf("%d bytes came back of %d", len(b), len(s))
		}
		return err
	}
	long := strings.Repeat("all of it ", 10_000)
	must(t, "at first", echo(long))
	for name, trouble := range map[string]func(){
		"refused": func() { p.Refuse(true) },
		"silent":  func() { p.Silence(true) },
		"slow":    func() { p.Slow(10_000) },
	} {
		trouble()
		if err := echo(long); err == nil {
			t.Errorf("%s: it went through", name)
		}
		p.Heal()
		p.Cut() // what the trouble left behind is nobody's
		must(t, "after "+name, echo(long))
	}
	p.Slow(1_000_000)
	began := time.Now()
	must(t, "at a pace", echo(long))
	if took := time.Since(began); took < 80*time.Millisecond {
		t.Errorf("200 kB at 1 MB/s took %s", took)
	}
}
