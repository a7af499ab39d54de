package chaos_test

import (
	"net"
	"sync"
	"testing"
)

// proxy stands between an app and its database, and can cut them apart.
type proxy struct {
	listener net.Listener
	target   string

	mu      sync.Mutex
	refuses bool
	hangs   chan struct{} // closed when the bytes go on
	open    map[net.Conn]struct{}
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: target, open: map[net.Conn]struct{}{}, hangs: make(chan struct{})}
	close(p.hangs)
	go p.accept()
	t.Cleanup(func() {
		_ = listener.Close()
		p.serve()
		p.refuse()
	})
	return p
}

func (p *proxy) host() string { return p.listener.Addr().(*net.TCPAddr).IP.String() }
func (p *proxy) port() uint16 { return p.listener.Addr().(*net.TCPAddr).AddrPort().Port() }

// refuse ends every connection, and takes no more.
func (p *proxy) refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = true
	for conn := range p.open {
		_ = conn.Close()
	}
}

// hang lets no byte through.
func (p *proxy) hang() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hangs = make(chan struct{})
}

// serve ends the outage.
func (p *proxy) serve() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = false
	select {
	case <-p.hangs:
	default:
		close(p.hangs)
	}
}

func (p *proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		p.mu.Lock()
		if err != nil || p.refuses {
			_ = conn.Close()
			if err == nil {
				_ = server.Close()
			}
			p.mu.Unlock()
			continue
		}
		p.open[conn], p.open[server] = struct{}{}, struct{}{}
		p.mu.Unlock()
		go p.pass(conn, server)
		go p.pass(server, conn)
	}
}

func (p *proxy) pass(from, to net.Conn) {
	defer func() {
		_, _ = from.Close(), to.Close()
		p.mu.Lock()
		delete(p.open, from)
		p.mu.Unlock()
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		hangs := p.hangs
		p.mu.Unlock()
		<-hangs
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
