package trace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// client sends spans to a collector. OpenTelemetry's own client does the same
// with all of gRPC linked in, 8 MB that nobody would use: the request is the
// message of the specification, whose one field TracesData has as well.
type client struct {
	url     string
	headers map[string]string
	http    *http.Client
	log     *slog.Logger
	pause   func(attempt int, asked time.Duration) time.Duration

	away atomic.Bool // it was said that the collector does not take them
}

const (
	tracesPath = "/v1/traces"
	sendTime   = 10 * time.Second
	// tries of one batch. What waits behind it is bounded, and dropped.
	tries    = 4
	maxPause = 5 * time.Second
)

// CheckURL says what is wrong with the address of a collector.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("the collector's URL must look like https://collector.example:4318")
	case u.User != nil:
		return errors.New("the collector's URL must not hold a password; give it as a header")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("the collector's URL has neither a query nor a fragment")
	}
	return nil
}

func newClient(c Config) (*client, error) {
	if err := CheckURL(c.URL); err != nil {
		return nil, err
	}
	x := &client{url: strings.TrimSuffix(c.URL, "/"), headers: c.Headers, log: c.Logger, pause: pause}
	if !strings.HasSuffix(x.url, tracesPath) {
		x.url += tracesPath
	}
	if x.log == nil {
		x.log = slog.New(slog.DiscardHandler)
	}
	x.http = &http.Client{Transport: c.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if c.Transport == nil {
		x.http.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConns: 2, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: sendTime, ForceAttemptHTTP2: true}
	}
	return x, nil
}

// Start implements otlptrace.Client: nothing is to be begun.
func (c *client) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (c *client) Stop(context.Context) error {
	c.http.CloseIdleConnections()
	return nil
}

// UploadTraces implements otlptrace.Client. A batch that cannot be delivered is
// dropped, and the first of several said so: nobody waits for it.
func (c *client) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return fmt.Errorf("write spans: %w", err)
	}
	for attempt := 1; ; attempt++ {
		asked, again, err := c.send(ctx, body)
		if err == nil {
			if c.away.Swap(false) {
				c.log.InfoContext(ctx, "the collector takes spans again")
			}
			return nil
		}
		if !again || attempt == tries || !wait(ctx, c.pause(attempt, asked)) {
			if !c.away.Swap(true) {
				c.log.WarnContext(ctx, "the collector does not take spans; they are dropped", "error", err)
			}
			return nil
		}
	}
}

// send makes one try; again says that another may help (OTLP/HTTP, "Failures").
func (c *client) send(ctx context.Context, body []byte) (asked time.Duration, again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return 0, false, errors.New("the collector's URL is not usable")
	}
	for name, value := range c.headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("User-Agent", "postern")
	res, err := c.http.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return 0, true, err
	}
	defer res.Body.Close()                                //nolint:errcheck // it was only read
	io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) //nolint:errcheck // what it says does not matter; a short one lets the connection be used again
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		again = true
	}
	if res.StatusCode/100 == 2 {
		return 0, false, nil
	}
	seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // a date is none of our business: the pause is short
	return time.Duration(max(seconds, 0)) * time.Second, again, fmt.Errorf("status %d", res.StatusCode)
}

// pause is how long to leave the collector alone.
func pause(attempt int, asked time.Duration) time.Duration {
	return min(max(asked, 500*time.Millisecond<<attempt), maxPause)
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// ParseHeaders reads headers as OTEL_EXPORTER_OTLP_HEADERS has them: names and
// values as in a URL, "authorization=Bearer%20x,tenant=a". Errors do not repeat
// the text, which is a secret.
func ParseHeaders(text string) (map[string]string, error) {
	list := map[string]string{}
	for i, pair := range strings.Split(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || name == "" || err != nil || strings.ContainsAny(name, " \t\r\n:") || strings.ContainsAny(value, "\r\n\x00") {
			return nil, fmt.Errorf("the %d. header for the collector must look like name=value, with anything but letters and digits as in a URL", i+1)
		}
		list[name] = value
	}
	return list, nil
}
