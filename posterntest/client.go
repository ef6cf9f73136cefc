package posterntest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern.example/postern"
)

// Upload is the wire contract's upload, as a client sees it.
type Upload struct {
	ID          string
	State       postern.State
	Preset      string
	Filename    string
	Type        string
	Size        int64
	SHA256      string
	Width       int
	Height      int
	Placeholder string
	Color       string
	Metadata    map[string]string
	Variants    []Variant
	Problem     *Problem
	CreatedAt   time.Time `json:"created_at"`
	ExpiresAt   time.Time `json:"expires_at"`
	Grant       *Grant
}

// Variant is one picture of an upload.
type Variant struct {
	Name, Type, URL string
	Width, Height   int
	Size            int64
}

// Problem is a problem document.
type Problem struct {
	Type, Title, Detail, Instance, Field string
	Code                                 postern.Code
	Status                               int
	Limit                                int64
	Allowed                              []string
	RetryAfter                           int `json:"retry_after"`
}

// Error makes a Problem an error.
func (p *Problem) Error() string { return string(p.Code) + ": " + p.Detail }

// Do sends one request to the API and decodes the answer into out, if that is
// not nil. A problem document comes back as *Problem.
func (g *Gate) Do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, g.URL+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := g.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") {
		p := &Problem{}
		if err := json.Unmarshal(b, p); err != nil {
			return err
		}
		return p
	}
	if res.StatusCode >= 400 {
		return fmt.Errorf("%s %s: status %d: %.200q", method, path, res.StatusCode, b)
	}
	if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			return fmt.Errorf("%s %s: %w in %.200q", method, path, err, b)
		}
	}
	return nil
}

// Get reads one upload.
func (g *Gate) Get(ctx context.Context, id string) (Upload, error) {
	var up Upload
	err := g.Do(ctx, http.MethodGet, "/uploads/"+id, nil, &up)
	return up, err
}

// Grant asks for the grant of file, declared as type, or fails the test.
func (g *Gate) Grant(t testing.TB, filename, contentType string, file []byte) Upload {
	t.Helper()
	size := int64(len(file))
	up, err := g.Ask(t.Context(), postern.Request{Filename: filename, Type: contentType, Size: &size})
	must(t, "grant "+filename, err)
	return up
}

// Put grants and sends file without saying complete, or fails the test.
func (g *Gate) Put(t testing.TB, filename, contentType string, file []byte) Upload {
	t.Helper()
	up := g.Grant(t, filename, contentType, file)
	status, body, err := g.Send(t.Context(), up.Grant, file)
	must(t, "send "+filename, err)
	if status/100 != 2 {
		t.Fatalf("send %s: status %d: %s", filename, status, body)
	}
	return up
}

// Upload grants, sends and completes file, or fails the test.
func (g *Gate) Upload(t testing.TB, filename, contentType string, file []byte) Upload {
	t.Helper()
	up := g.Put(t, filename, contentType, file)
	up, err := g.CompleteTicket(t.Context(), up.ID, up.Grant.Ticket)
	must(t, "complete "+filename, err)
	return up
}

// Wait returns the upload once its state is final, by the event stream.
func (g *Gate) Wait(t testing.TB, id string) Upload {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	events, err := g.Events(ctx, id)
	must(t, "watch "+id, err)
	if len(events) == 0 || !events[len(events)-1].State.Final() {
		t.Fatalf("upload %s did not come to an end: %+v", id, events)
	}
	return events[len(events)-1]
}

// Events reads the event stream of an upload to its end.
func (g *Gate) Events(ctx context.Context, id string) ([]Upload, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.URL+"/uploads/"+id+"/events", nil)
	if err != nil {
		return nil, err
	}
	res, err := (&http.Client{}).Do(r) // no time-out but ctx's
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("events: status %d: %s", res.StatusCode, b)
	}
	var list []Upload
	for event := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n\n") {
		_, data, ok := strings.Cut(event, "event: state\ndata: ")
		if !ok {
			return nil, fmt.Errorf("events: %q is not an event", event)
		}
		var up Upload
		if err := json.Unmarshal([]byte(data), &up); err != nil {
			return nil, err
		}
		list = append(list, up)
	}
	return list, nil
}

// Image fetches a URL that the gate gave out, and fails the test unless it is there.
func (g *Gate) Image(t testing.TB, url string) ([]byte, http.Header) {
	t.Helper()
	if strings.HasPrefix(url, "/") {
		url = g.URL + url
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	must(t, "request", err)
	res, err := g.HTTP.Do(r)
	must(t, "get "+url, err)
	defer res.Body.Close() //nolint:errcheck // it was only read
	b, err := io.ReadAll(res.Body)
	must(t, "read "+url, err)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("get %s: status %d", url, res.StatusCode)
	}
	return b, res.Header
}

// Eventually waits until ok holds, or fails the test after a minute.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for pause := time.Millisecond; !ok(); pause = min(2*pause, 100*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never came: %s", what)
		}
		time.Sleep(pause)
	}
}

// Incoming lists what lies below incoming/.
func (g *Gate) Incoming(t testing.TB) []postern.Object {
	t.Helper()
	list, err := g.S3.List(t.Context(), postern.IncomingPrefix, "", 1000)
	must(t, "list incoming", err)
	return list
}
