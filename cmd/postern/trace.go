package main

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"postern.example/postern/gate"
	"postern.example/postern/internal/trace"
)

const seeing = "Seeing what happens"

// traceAnswers is what the settings say about traces.
type traceAnswers struct{ endpoint, headers, headersFile string }

// traceSettings are the rows of the table for who hears how long things took.
func traceSettings() []setting {
	return []setting{
		{
			name: "otlp-endpoint", env: []string{"POSTERN_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"}, category: seeing,
			usage: "send traces to the OpenTelemetry collector at this `URL`, by OTLP over HTTP, such as http://127.0.0.1:4318; without it there are none",
			check: isCollector, into: func(s *settings) any { return &s.traces.endpoint },
		},
		{
			name: "otlp-headers", env: []string{"POSTERN_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"}, secret: true, apart: true,
			usage: "headers for the collector: name=value,…",
			into:  func(s *settings) any { return &s.traces.headers },
		},
		{
			name: "otlp-headers-file", env: []string{"POSTERN_OTLP_HEADERS_FILE"}, category: seeing,
			usage: "`file` of headers that the collector asks for, name=value,…; or give them as POSTERN_OTLP_HEADERS",
			into:  func(s *settings) any { return &s.traces.headersFile },
		},
	}
}

func isCollector(v string) error {
	if v == "" {
		return nil
	}
	return trace.CheckURL(v)
}

func (s *settings) validateTraces() error {
	t := &s.traces
	switch {
	case t.headers != "" && t.headersFile != "":
		return misused("Keep one of them.", "the headers for the collector are given twice, by %s and by a file", s.from["otlp-headers"].name)
	case t.endpoint == "" && t.headersFile != "":
		return misused("Name it with --otlp-endpoint.", "there are headers for a collector of traces, and no collector")
	}
	return nil
}

// tracer is nil when nobody hears of it.
func (s *settings) tracer(ctx context.Context, logger *slog.Logger) (*trace.Tracer, error) {
	t := &s.traces
	if t.endpoint == "" {
		return nil, nil
	}
	text, err := secretFrom(t.headers, t.headersFile)
	if err != nil {
		return nil, err
	}
	headers, err := trace.ParseHeaders(text)
	if err != nil {
		return nil, misused("As OTEL_EXPORTER_OTLP_HEADERS has them: authorization=Bearer%%20…,tenant=a", "%w", err)
	}
	info, _ := debug.ReadBuildInfo()
	return trace.New(ctx, trace.Config{URL: t.endpoint, Headers: headers, Version: versionOf(info).Version, Logger: logger})
}

// traced records requests to next, if somebody hears of it.
func (p *program) traced(next http.Handler) http.Handler {
	if p.tracer == nil {
		return next
	}
	return p.tracer.Handler(next)
}

// tellTraces is as gate.Config takes it: an interface with nothing in it would
// be something.
func (p *program) tellTraces() gate.Tracer {
	if p.tracer == nil {
		return nil
	}
	return p.tracer
}

// lastSpans is how long a program that ends waits for its last spans to be sent.
const lastSpans = 2 * time.Second

// closeTracer sends the last spans. That they arrive is nobody's condition.
func (p *program) closeTracer(ctx context.Context, logger *slog.Logger) {
	if p.tracer == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lastSpans)
	defer cancel()
	if err := p.tracer.Close(ctx); err != nil {
		logger.LogAttrs(ctx, slog.LevelWarn, "the last spans were not sent", slog.String("cause", err.Error()))
	}
}
