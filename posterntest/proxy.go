package posterntest

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// Proxy hands TCP connections on to a server, and makes trouble when told to:
// it is what stands for a bad network. It is safe for concurrent use.
type Proxy struct {
	target   string
	listener net.Listener

	mu      sync.Mutex
	conns   map[net.Conn]struct{}
	refuses bool
	silent  bool
	pace    int // bytes a second of each direction of each connection; 0: as they come
	done    sync.WaitGroup
}

// NewProxy listens on a free loopback port for the server at target, host:port.
// Close it after use.
func NewProxy(ctx context.Context, target string) (*Proxy, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{target: target, listener: l, conns: map[net.Conn]struct{}{}}
	p.done.Go(p.accept)
	return p, nil
}

// Addr is where the proxy listens, host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut ends every connection that there is; new ones are taken.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close() //nolint:errcheck // that is the trouble
	}
}

// Refuse ends every connection and, until told otherwise, each new one at once.
func (p *Proxy) Refuse(yes bool) {
	p.set(func() { p.refuses = yes })
	if yes {
		p.Cut()
	}
}

// Silence swallows what is sent, both ways, and ends nothing. What was swallowed
// is lost: once there is sound again, the connections that were silent are cut.
func (p *Proxy) Silence(yes bool) {
	p.set(func() { p.silent = yes })
	if !yes {
		p.Cut()
	}
}

// Slow lets so many bytes a second through, each way of each connection; 0 as
// they come.
func (p *Proxy) Slow(pace int) { p.set(func() { p.pace = pace }) }

// Heal ends all trouble.
func (p *Proxy) Heal() {
	p.set(func() { p.refuses, p.pace = false, 0 })
	p.mu.Lock()
	silent := p.silent
	p.mu.Unlock()
	if silent {
		p.Silence(false)
	}
}

func (p *Proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// Close ends the proxy and its connections.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.Cut()
	p.done.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		refuses := p.refuses
		if !refuses {
			p.conns[c] = struct{}{}
		}
		p.mu.Unlock()
		if refuses {
			c.Close() //nolint:errcheck // that is the trouble
			continue
		}
		p.done.Go(func() { p.relay(c) })
	}
}

func (p *Proxy) relay(c net.Conn) {
	defer p.forget(c)
	s, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.target)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.conns[s] = struct{}{}
	p.mu.Unlock()
	defer p.forget(s)
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{c, s}, {s, c}} {
		both.Go(func() {
			p.pump(way[1], way[0])
			// One way ended: what is left of the other still goes through.
			if half, ok := way[1].(*net.TCPConn); ok {
				half.CloseWrite() //nolint:errcheck // it may be closed
			}
		})
	}
	both.Wait()
}

func (p *Proxy) forget(c net.Conn) {
	c.Close() //nolint:errcheck // it may be closed
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *Proxy) pump(to, from net.Conn) {
	b := make([]byte, 16<<10)
	for {
		p.mu.Lock()
		pace := p.pace
		p.mu.Unlock()
		room := len(b)
		if pace > 0 { // twenty times a second
			room = min(max(pace/20, 1), room)
		}
		n, err := from.Read(b[:room])
		p.mu.Lock()
		silent := p.silent
		p.mu.Unlock()
		if silent {
			io.Copy(io.Discard, from) //nolint:errcheck // lost
			return
		}
		if pace > 0 {
			time.Sleep(time.Duration(n) * time.Second / time.Duration(pace))
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
