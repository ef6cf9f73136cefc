package worker_test

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/internal/worker"
)

// The wrappers below stand between a worker and a real part and do what real
// parts do at the worst moment.

// troubledBucket asks before each verb; an error is answered in the bucket's place.
type troubledBucket struct {
	postern.Bucket
	before func(ctx context.Context, verb, key string) error
	after  func(ctx context.Context, verb, key string)
}

func (b *troubledBucket) around(ctx context.Context, verb, key string, do func() error) error {
	if b.before != nil {
		if err := b.before(ctx, verb, key); err != nil {
			return err
		}
	}
	err := do()
	if b.after != nil {
		b.after(ctx, verb, key)
	}
	return err
}

func (b *troubledBucket) Get(ctx context.Context, key string) (o postern.Object, body io.ReadCloser, err error) {
	err = b.around(ctx, "get", key, func() error { o, body, err = b.Bucket.Get(ctx, key); return err })
	return o, body, err
}

func (b *troubledBucket) Put(ctx context.Context, key, contentType string, body []byte) error {
	return b.around(ctx, "put", key, func() error { return b.Bucket.Put(ctx, key, contentType, body) })
}

func (b *troubledBucket) Delete(ctx context.Context, key string) error {
	return b.around(ctx, "delete", key, func() error { return b.Bucket.Delete(ctx, key) })
}

func (b *troubledBucket) List(ctx context.Context, prefix, after string, limit int) (list []postern.Object, err error) {
	err = b.around(ctx, "list", prefix, func() error { list, err = b.Bucket.List(ctx, prefix, after, limit); return err })
	return list, err
}

// troubledQueue asks before each verb; an error is answered in the queue's place.
type troubledQueue struct {
	worker.Queue
	before func(verb string) error
}

func (q *troubledQueue) Claim(ctx context.Context, lease time.Duration, limit int) ([]postern.Claim, error) {
	if err := q.before("claim"); err != nil {
		return nil, err
	}
	return q.Queue.Claim(ctx, lease, limit)
}

func (q *troubledQueue) Extend(ctx context.Context, c postern.Claim, lease time.Duration) (postern.Claim, error) {
	if err := q.before("extend"); err != nil {
		return postern.Claim{}, err
	}
	return q.Queue.Extend(ctx, c, lease)
}

func (q *troubledQueue) Settle(ctx context.Context, c postern.Claim, u postern.Upload) error {
	if err := q.before("settle"); err != nil {
		return err
	}
	return q.Queue.Settle(ctx, c, u)
}

func (q *troubledQueue) Retry(ctx context.Context, c postern.Claim, at time.Time) error {
	if err := q.before("retry"); err != nil {
		return err
	}
	return q.Queue.Retry(ctx, c, at)
}

func (q *troubledQueue) Release(ctx context.Context, c postern.Claim) error {
	if err := q.before("release"); err != nil {
		return err
	}
	return q.Queue.Release(ctx, c)
}

// troubledEngine has something happen before the real engine renders.
type troubledEngine struct {
	worker.Engine
	probe  func(src []byte)
	render func(ctx context.Context, src []byte) error
	after  func()
}

func (e *troubledEngine) Probe(src []byte, p *postern.Preset) (postern.Probe, error) {
	if e.probe != nil {
		e.probe(src)
	}
	return e.Engine.Probe(src, p)
}

func (e *troubledEngine) Render(ctx context.Context, src []byte, p *postern.Preset) (*postern.Rendering, error) {
	if e.render != nil {
		if err := e.render(ctx, src); err != nil {
			return nil, err
		}
	}
	if e.after != nil {
		defer e.after()
	}
	return e.Engine.Render(ctx, src, p)
}

// gate stops whoever passes until it is opened, and says that someone came.
type gate struct {
	came chan struct{} // receives once per visitor
	open chan struct{}
	once sync.Once
}

func newGate() *gate { return &gate{came: make(chan struct{}, 100), open: make(chan struct{})} }

func (g *gate) pass(ctx context.Context) error {
	g.came <- struct{}{}
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gate) release() { g.once.Do(func() { close(g.open) }) }

// waitFor waits for a visitor.
func (g *gate) waitFor(t *testing.T) {
	t.Helper()
	select {
	case <-g.came:
	case <-time.After(20 * time.Second):
		t.Fatal("nobody came to the gate")
	}
}

func isVariant(key string) bool { return strings.HasPrefix(key, postern.ImagesPrefix) }
