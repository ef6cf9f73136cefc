package records

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern"
)

// line is a cable between records and their server, which can be pulled.
type line struct {
	addr, server string
	mu           sync.Mutex
	silent       bool // nothing goes through any more
	listener     net.Listener
	conns        []net.Conn
}

// through puts a line before the server of p.
func (p *place) through(t *testing.T) *line {
	t.Helper()
	u, err := url.Parse(p.conf.URL)
	if err != nil {
		t.Fatal(err)
	}
	l := &line{server: u.Host, addr: "127.0.0.1:0"}
	l.plug(t)
	u.Host = l.addr
	p.conf.URL = u.String()
	t.Cleanup(l.pull)
	return l
}

// plug connects, at the address that it had before.
func (l *line) plug(t *testing.T) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", l.addr)
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addr, l.listener, l.silent = listener.Addr().String(), listener, false
	go func() {
		for {
			a, err := listener.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", l.server)
			if err != nil {
				a.Close()
				return
			}
			l.mu.Lock()
			l.conns = append(l.conns, a, b)
			l.mu.Unlock()
			go l.relay(a, b)
			go l.relay(b, a)
		}
	}()
}

func (l *line) relay(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		l.mu.Lock()
		silent := l.silent
		l.mu.Unlock()
		if silent {
			_, _ = io.Copy(io.Discard, from) // what is sent is lost
			return
		}
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pull ends everything: connections are refused.
func (l *line) pull() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener.Close()
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
}

// hush loses what is sent, and says nothing about it.
func (l *line) hush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silent = true
}

func impatientServer() tuning {
	t := serverDefaults()
	t.patience, t.opening = 300*time.Millisecond, 0
	return t
}

// While the server is away, everybody is told so, soon; when it is back, all
// goes on by itself. What was told to be durable is there.
func TestServerAwayAndBack(t *testing.T) {
	for name, away := range map[string]func(*line){"refused": (*line).pull, "silent": (*line).hush} {
		t.Run(name, func(t *testing.T) {
			p := newServerPlace(t)
			l := p.through(t)
			r := openTuned(t, p.conf, impatientServer())
			u := arrive(t, r, arrival(1))
			c := claimOne(t, r)
			for range 2 {
				away(l)
				for what, call := range everyCall(t.Context(), r, u, c) {
					start := time.Now()
					err := call()
					want(t, what, err, postern.ErrRecordsUnavailable)
					noDriver(t, what, err)
					if d := time.Since(start); d > 5*time.Second {
						t.Errorf("%s took %s to say so", what, d)
					}
				}
				l.pull()
				l.plug(t)
				if got, err := r.Upload(t.Context(), u.ID); err != nil || got.ID != u.ID {
					t.Fatalf("Upload after it came back: %v", err)
				}
				if err := r.Ping(t.Context()); err != nil {
					t.Fatalf("Ping after it came back: %v", err)
				}
			}
		})
	}
}

// Nobody waits longer than he said.
func TestCallerLeavesWhileTheServerIsSilent(t *testing.T) {
	p := newServerPlace(t)
	l := p.through(t)
	r := openTuned(t, p.conf, serverDefaults())
	u := arrive(t, r, arrival(1))
	c := claimOne(t, r)
	l.hush()
	for name, call := range everyCallWithin(t, 50*time.Millisecond, r, u, c) {
		start := time.Now()
		err := call()
		want(t, name, err, postern.ErrRecordsUnavailable)
		want(t, name, err, context.DeadlineExceeded)
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%s took %s", name, d)
		}
	}
	l.pull() // so that Close need not wait
}

func everyCallWithin(t *testing.T, d time.Duration, r *Records, u postern.Upload, c postern.Claim) map[string]func() error {
	calls := map[string]func() error{}
	for name := range everyCall(t.Context(), r, u, c) {
		calls[name] = func() error {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			return everyCall(ctx, r, u, c)[name]()
		}
	}
	return calls
}

// A row that somebody else keeps locked fails the change that wants it, not
// the others that wait with it.
func TestLockedRow(t *testing.T) {
	p := newServerPlace(t)
	tune := impatientServer()
	tune.writers = 1
	r := openTuned(t, p.conf, tune)
	arrive(t, r, arrival(1))
	arrive(t, r, arrival(2))
	admin := p.asAdmin(t)
	tx, err := admin.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT id FROM uploads WHERE id = $1 FOR UPDATE", string(madeID(1))); err != nil {
		t.Fatal(err)
	}
	release := hold(t, r)
	errs := make(chan error, 3)
	go func() { errs <- r.Remove(t.Context(), "alice", madeID(1)) }()
	eventually(t, "it waits", func() bool { return r.queue.len() == 1 })
	others := make(chan error, 2)
	go func() { others <- r.Remove(t.Context(), "alice", madeID(2)) }()
	go func() { _, _, err := r.Arrive(t.Context(), arrival(3)); others <- err }()
	eventually(t, "they wait", func() bool { return r.queue.len() == 3 })
	release()
	for range 2 {
		if err := <-others; err != nil {
			t.Errorf("another change: %v", err)
		}
	}
	err = <-errs
	want(t, "Remove of the locked row", err, postern.ErrRecordsUnavailable)
	noDriver(t, "Remove of the locked row", err)
	if claims, err := r.Claim(t.Context(), time.Minute, 10); err != nil || len(claims) != 2 {
		t.Errorf("Claim passes over the locked row: %d, %v; want 2", len(claims), err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Remove(t.Context(), "alice", madeID(1)); err != nil {
		t.Errorf("Remove once it is free: %v", err)
	}
}

// Whatever a copy is told to use, a commit is durable when it is answered.
func TestCommitsOnAServerAreSynced(t *testing.T) {
	p := newServerPlace(t)
	if _, err := p.asAdmin(t).Exec(t.Context(), "ALTER DATABASE "+testDatabase+" SET synchronous_commit = off"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := p.asAdmin(t).Exec(context.Background(), "ALTER DATABASE "+testDatabase+" RESET synchronous_commit"); err != nil {
			t.Error(err)
		}
	}()
	r := p.open(t, nil)
	for setting, value := range map[string]string{"synchronous_commit": "on", "statement_timeout": "5s", "application_name": "postern"} {
		var got string
		if _, err := r.write(t.Context(), change{query: "SELECT current_setting('" + setting + "')", into: one(&got)}); err != nil || got != value {
			t.Errorf("%s is %q, %v; want %q", setting, got, err, value)
		}
	}
}

// What waits together is one transaction, and so one sync of the disk.
func TestWaitingWritesShareATransaction(t *testing.T) {
	p := newServerPlace(t)
	p.writers = 1
	r, _ := p.openNew(t)
	release := hold(t, r)
	const n = 200
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if _, _, err := r.Arrive(t.Context(), arrival(i)); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "all wait", func() bool { return r.queue.len() == n })
	release()
	all.Wait()
	var transactions int
	if err := p.asAdmin(t).QueryRow(t.Context(), "SELECT count(DISTINCT xmin::text) FROM uploads").Scan(&transactions); err != nil || transactions != 1 {
		t.Errorf("%d transactions, %v; want 1", transactions, err)
	}
}

func TestOpenServerSaysWhatIsWrong(t *testing.T) {
	p := newServerPlace(t)
	const secret = "s3cr3t/%@!"
	spoiled := func(spoil func(*url.URL)) string {
		u, err := url.Parse(p.conf.URL)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(u.User.Username(), secret)
		spoil(u)
		return u.String()
	}
	parameter := func(name, value string) func(*url.URL) {
		return func(u *url.URL) {
			q := u.Query()
			q.Set(name, value)
			u.RawQuery = q.Encode()
		}
	}
	mine := os.Getenv(serverVariable)
	for _, tc := range []struct {
		name, url, says string
		away            bool
	}{
		{"wrong password", spoiled(func(*url.URL) {}), "password authentication failed", false},
		{"no such database", strings.Replace(mine, "/postgres?", "/none_such?", 1), "does not exist", false},
		{"nobody there", spoiled(func(u *url.URL) { u.Host = "127.0.0.1:1" }), "refused", true},
		{"another scheme", "mysql://u:" + url.PathEscape(secret) + "@h/d", "postgres://", false},
		{"not a URL", "postgres://u:" + secret + "@h:x/d", "postgres://", false},
		{"words", "host=h password=" + secret, "postgres://", false},
		{"unknown sslmode", spoiled(parameter("sslmode", secret)), "parameter", false},
		{"bad port", spoiled(func(u *url.URL) { u.Host = "h:99999" }), "parameter", false},
		{"two schemas", spoiled(parameter("search_path", `a, b`)), "search_path", false},
		{"hostile schema", spoiled(parameter("search_path", `a"; DROP SCHEMA public; --`)), "search_path", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := open(t.Context(), Config{URL: tc.url}, impatientServer())
			if err == nil {
				t.Fatalf("it was opened; closing: %v", r.Close())
			}
			if errors.Is(err, postern.ErrRecordsUnavailable) != tc.away {
				t.Errorf("unavailable: %v; %v", !tc.away, err)
			}
			if !strings.Contains(err.Error(), tc.says) {
				t.Errorf("the error does not say %q: %v", tc.says, err)
			}
			for _, s := range []string{secret, url.PathEscape(secret), url.QueryEscape(secret), "s3cr3t"} {
				if strings.Contains(err.Error(), s) {
					t.Errorf("the error tells the password: %v", err)
				}
			}
			noDriver(t, "Open", err)
		})
	}
	if _, err := Open(t.Context(), Config{Path: "x", URL: mine}); err == nil {
		t.Error("both a path and a URL: no error")
	}
}

// A server that is started together with us is waited for.
func TestOpenWaitsForTheServer(t *testing.T) {
	p := newServerPlace(t)
	l := p.through(t)
	l.pull()
	opened := make(chan error, 1)
	var r *Records
	go func() {
		var err error
		r, err = Open(context.Background(), p.conf)
		opened <- err
	}()
	select {
	case err := <-opened:
		t.Fatalf("Open did not wait: %v", err)
	case <-time.After(300 * time.Millisecond): // several tries
	}
	l.plug(t)
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	arrive(t, r, arrival(1))
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// Ids sort by their bytes, also in a database whose language has another order.
func TestIDsSortByBytes(t *testing.T) { onEach(t, testIDsSortByBytes) }

func testIDsSortByBytes(t *testing.T, p *place) {
	r, _ := p.openNew(t)
	base := string(madeID(0))
	var ids []postern.ID
	for _, end := range []string{"ca", "ch", "d", "h", "i"} { // "ch" comes after "h" in Czech
		u := arrival(0)
		u.ID = postern.ID(base[:10] + end)
		ids = append([]postern.ID{arrive(t, r, u).ID}, ids...)
	}
	before := postern.ID("")
	for _, id := range ids {
		list, err := r.Uploads(t.Context(), postern.Query{Principal: "alice", Before: before, Limit: 1})
		if err != nil || len(list) != 1 || list[0].ID != id {
			t.Fatalf("before %q: %v, %v; want %q", before, list, err, id)
		}
		before = id
	}
}
