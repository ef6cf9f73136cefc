package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"postern.example/postern"
)

// Config says where spans go.
type Config struct {
	// URL of the collector, https://collector.example:4318: "/v1/traces" is added
	// unless it ends with that. It has no password in it; Headers are for that.
	URL     string
	Headers map[string]string // sent with each request: secrets
	Service string            // how the program is called; default "postern"
	Version string
	// Transport carries the spans; default: one of its own, which heeds the
	// environment's proxies.
	Transport http.RoundTripper
	Logger    *slog.Logger // default: nothing is logged
}

// Tracer records spans. It is safe for concurrent use. Which of them are kept
// says OTEL_TRACES_SAMPLER, and how they are gathered OTEL_BSP_*, as the
// specification of OpenTelemetry's SDK has them; all are, by default.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// New makes a Tracer, or says what is wrong with c. Nothing is sent yet. Close it
// after use.
func New(ctx context.Context, c Config) (*Tracer, error) {
	client, err := newClient(c)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptrace.New(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	if c.Service == "" {
		c.Service = "postern"
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", c.Service), attribute.String("service.version", c.Version)),
		resource.WithHost(), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("trace: %w", err)
	}
	t := &Tracer{provider: sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))}
	t.tracer = t.provider.Tracer("postern.example/postern")
	return t, nil
}

// Close sends what was gathered, for as long as ctx lives.
func (t *Tracer) Close(ctx context.Context) error {
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send spans: %w", err)
	}
	return nil
}

var w3c propagation.TraceContext

// Handler records a span for each request, under the one that the header
// traceparent names. The header that next sees names ours.
func (t *Tracer) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := w3c.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := t.tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(attribute.String("http.request.method", r.Method)))
		defer span.End()
		inner := r.WithContext(ctx)
		inner.Header = r.Header.Clone()
		w3c.Inject(ctx, propagation.HeaderCarrier(inner.Header))
		out := &answer{ResponseWriter: w}
		next.ServeHTTP(out, inner)
		r.Pattern = inner.Pattern // for those around us
		if !span.IsRecording() {
			return
		}
		if r.Pattern != "" {
			span.SetName(r.Pattern)
			_, route, found := strings.Cut(r.Pattern, " ")
			if !found {
				route = r.Pattern
			}
			span.SetAttributes(attribute.String("http.route", route))
		}
		span.SetAttributes(attribute.Int("http.response.status_code", out.status()))
		if id := w.Header().Get("X-Request-Id"); id != "" {
			span.SetAttributes(attribute.String("postern.request_id", id))
		}
		for _, path := range []string{r.URL.Path, w.Header().Get("Location")} {
			if id := idIn(path); id != "" {
				span.SetAttributes(attribute.String("postern.upload", id))
				break
			}
		}
		if out.status() >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
	})
}

// idIn finds an upload's id in a path.
func idIn(path string) string {
	for part := range strings.SplitSeq(path, "/") {
		if _, ok := postern.ID(part).Granted(); ok {
			return part
		}
	}
	return ""
}

// answer learns the status.
type answer struct {
	http.ResponseWriter
	code int
}

func (a *answer) WriteHeader(status int) {
	if a.code == 0 && status >= http.StatusOK {
		a.code = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) status() int {
	if a.code == 0 {
		return http.StatusOK
	}
	return a.code
}

// Unwrap serves [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Job records a span for one attempt at an upload, under the request that
// announced it. What it returns ends the span; an outcome is a state, or how the
// attempt ended without one.
func (t *Tracer) Job(ctx context.Context, c postern.Claim) (context.Context, func(outcome string)) {
	u := &c.Upload
	name, since := "check", u.StoredAt
	if u.State == postern.Removed {
		name, since = "delete", u.SettledAt
	}
	ctx = w3c.Extract(ctx, propagation.MapCarrier{"traceparent": u.Trail.Parent})
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("postern.upload", string(u.ID)), attribute.String("postern.preset", u.Preset), attribute.Int("postern.attempt", c.Attempts),
		attribute.Int64("postern.size", u.Size), attribute.Int64("postern.waited_ms", time.Since(since).Milliseconds()),
	))
	if id := u.Trail.RequestID; id != "" {
		span.SetAttributes(attribute.String("postern.request_id", id))
	}
	return ctx, func(outcome string) {
		span.SetAttributes(attribute.String("postern.outcome", outcome))
		if outcome == string(postern.Failed) {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}
