package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"postern.example/postern/bench/asker"
	"postern.example/postern/internal/imaging/photo"
)

const (
	uploaders   = 4
	sampleEvery = time.Second
	wantGrowth  = 1.10
	growthRoom  = 4.0 // MiB
)

type upload struct {
	ID    string
	State string
	Grant struct {
		URL    string
		Fields map[string]string
	}
}

func call(ctx context.Context, method, address string, body []byte, mediaType string, want int, out any) error {
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", mediaType)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode != want:
		return fmt.Errorf("%s: status %d: %.200s", method, res.StatusCode, text)
	case out != nil:
		return json.Unmarshal(text, out)
	}
	return nil
}

func grant(ctx context.Context, p *asker.Process) (string, error) {
	var u upload
	err := call(ctx, http.MethodPost, "http://"+p.Address+"/uploads", []byte(`{"filename":"a.jpg","type":"image/jpeg"}`), "application/json", http.StatusCreated, &u)
	return u.ID, err
}

// once takes one photo all the way, and away again.
func once(ctx context.Context, p *asker.Process, file []byte) error {
	api := "http://" + p.Address + "/uploads"
	var u upload
	if err := call(ctx, http.MethodPost, api, fmt.Appendf(nil, `{"filename":"a.jpg","type":"image/jpeg","size":%d}`, len(file)), "application/json", http.StatusCreated, &u); err != nil {
		return err
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for name, value := range u.Grant.Fields {
		w.WriteField(name, value) //nolint:errcheck // a buffer never fails
	}
	part, err := w.CreateFormFile("file", "a.jpg")
	if err != nil {
		return err
	}
	part.Write(file) //nolint:errcheck // a buffer never fails
	w.Close()        //nolint:errcheck // a buffer never fails
	if err := call(ctx, http.MethodPost, u.Grant.URL, form.Bytes(), w.FormDataContentType(), http.StatusNoContent, nil); err != nil {
		return err
	}
	if err := call(ctx, http.MethodPost, api+"/"+u.ID+"/complete", nil, "application/json", http.StatusAccepted, nil); err != nil {
		return err
	}
	if err := watch(ctx, api+"/"+u.ID+"/events"); err != nil {
		return err
	}
	return call(ctx, http.MethodDelete, api+"/"+u.ID, nil, "application/json", http.StatusNoContent, nil)
}

// watch reads events to their end, which is "ready".
func watch(ctx context.Context, address string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(res.Body)
	if err == nil && !bytes.Contains(text, []byte(`"state":"ready"`)) {
		err = fmt.Errorf("it ended as %.300s", text)
	}
	return err
}

// uploads sends photos for a while, and holds the memory at the end against
// that of the second quarter.
func (l *load) uploads(ctx context.Context) error {
	p, err := l.copyOf(ctx, "soak", "")
	if err != nil {
		return err
	}
	defer p.Stop() //nolint:errcheck // it was ours to end
	file := photo.JPEG(photo.Options{Width: 800, Height: 600, Orientation: 6, GPS: true})
	soaking, stop := context.WithTimeout(ctx, l.soak)
	defer stop()
	var done atomic.Int64
	errs := make([]error, uploaders)
	var wg sync.WaitGroup
	for i := range uploaders {
		wg.Go(func() {
			for soaking.Err() == nil && errs[i] == nil {
				if errs[i] = once(soaking, p, file); errs[i] == nil {
					done.Add(1)
				}
			}
		})
	}
	var samples []float64
	for t := time.NewTicker(min(sampleEvery, l.soak/20)); soaking.Err() == nil; {
		select {
		case <-soaking.Done():
		case <-t.C:
			mib, err := p.ResidentMiB()
			if err != nil {
				return err
			}
			samples = append(samples, mib)
		}
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil && soaking.Err() == nil {
		return err
	}
	n := len(samples)
	if n < 8 || done.Load() == 0 {
		return fmt.Errorf("%d uploads and %d samples say nothing", done.Load(), n)
	}
	early, late := middle(samples[n/4:n/2]), middle(samples[3*n/4:])
	fmt.Fprintf(os.Stdout, "soak of %s   %d uploads, %.0f/s   resident %.1f MiB in the second quarter, %.1f in the last\n",
		l.soak, done.Load(), float64(done.Load())/l.soak.Seconds(), early, late)
	l.want(late <= early*wantGrowth+growthRoom, "memory grew from %.1f to %.1f MiB", early, late)
	return nil
}
