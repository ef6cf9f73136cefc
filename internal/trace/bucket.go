package trace

import (
	"context"
	"errors"
	"io"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"postern.example/postern"
)

// Bucket records a span for each call of b that is part of something: of a
// request or of a job. Sweeps and checks of health make none.
func (t *Tracer) Bucket(b postern.Bucket) postern.Bucket { return &bucket{b, t} }

type bucket struct {
	postern.Bucket
	t *Tracer
}

// begin starts a span below another one, and returns how it ends.
func (b *bucket) begin(ctx context.Context, name string, attrs ...attribute.KeyValue) (context.Context, func(error)) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, func(error) {}
	}
	ctx, span := b.t.tracer.Start(ctx, "bucket "+name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
	return ctx, func(err error) {
		switch {
		case errors.Is(err, postern.ErrNotFound):
			span.SetAttributes(attribute.Bool("postern.found", false))
		case err != nil: // its words may have a key in them
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// Head implements [postern.Bucket].
func (b *bucket) Head(ctx context.Context, key string) (postern.Object, error) {
	ctx, end := b.begin(ctx, "HeadObject")
	o, err := b.Bucket.Head(ctx, key)
	end(err)
	return o, err
}

// Get implements [postern.Bucket]. The span ends with the body.
func (b *bucket) Get(ctx context.Context, key string) (postern.Object, io.ReadCloser, error) {
	ctx, end := b.begin(ctx, "GetObject")
	o, body, err := b.Bucket.Get(ctx, key)
	if err != nil {
		end(err)
		return o, body, err
	}
	return o, &endsWith{ReadCloser: body, end: end}, nil
}

// endsWith is a body whose reading is part of the call.
type endsWith struct {
	io.ReadCloser
	end func(error)
	err error
}

func (e *endsWith) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		e.err = err
	}
	return n, err
}

func (e *endsWith) Close() error {
	err := e.ReadCloser.Close()
	e.end(e.err)
	e.end = func(error) {} // a second one changes nothing
	return err
}

// Put implements [postern.Bucket].
func (b *bucket) Put(ctx context.Context, key, contentType string, body []byte) error {
	ctx, end := b.begin(ctx, "PutObject", attribute.Int("postern.size", len(body)))
	err := b.Bucket.Put(ctx, key, contentType, body)
	end(err)
	return err
}

// Delete implements [postern.Bucket].
func (b *bucket) Delete(ctx context.Context, key string) error {
	ctx, end := b.begin(ctx, "DeleteObject")
	err := b.Bucket.Delete(ctx, key)
	end(err)
	return err
}

// List implements [postern.Bucket].
func (b *bucket) List(ctx context.Context, prefix, after string, limit int) ([]postern.Object, error) {
	ctx, end := b.begin(ctx, "ListObjectsV2")
	list, err := b.Bucket.List(ctx, prefix, after, limit)
	end(err)
	return list, err
}

// CreateMultipart implements [postern.Bucket].
func (b *bucket) CreateMultipart(ctx context.Context, key, contentType string, metadata map[string]string) (string, error) {
	ctx, end := b.begin(ctx, "CreateMultipartUpload")
	id, err := b.Bucket.CreateMultipart(ctx, key, contentType, metadata)
	end(err)
	return id, err
}

// Parts implements [postern.Bucket].
func (b *bucket) Parts(ctx context.Context, key, uploadID string) ([]postern.Part, error) {
	ctx, end := b.begin(ctx, "ListParts")
	list, err := b.Bucket.Parts(ctx, key, uploadID)
	end(err)
	return list, err
}

// CompleteMultipart implements [postern.Bucket].
func (b *bucket) CompleteMultipart(ctx context.Context, key, uploadID string, parts []postern.Part) error {
	ctx, end := b.begin(ctx, "CompleteMultipartUpload", attribute.Int("postern.parts", len(parts)))
	err := b.Bucket.CompleteMultipart(ctx, key, uploadID, parts)
	end(err)
	return err
}

// AbortMultipart implements [postern.Bucket].
func (b *bucket) AbortMultipart(ctx context.Context, key, uploadID string) error {
	ctx, end := b.begin(ctx, "AbortMultipartUpload")
	err := b.Bucket.AbortMultipart(ctx, key, uploadID)
	end(err)
	return err
}

// Multiparts implements [postern.Bucket].
func (b *bucket) Multiparts(ctx context.Context, prefix string, after postern.MultipartUpload, limit int) ([]postern.MultipartUpload, error) {
	ctx, end := b.begin(ctx, "ListMultipartUploads")
	list, err := b.Bucket.Multiparts(ctx, prefix, after, limit)
	end(err)
	return list, err
}
