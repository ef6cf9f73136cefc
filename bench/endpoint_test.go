package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"postern.example/postern"
	"postern.example/postern/sigv4"
)

// BenchmarkGrantEndpoint asks for grants over HTTP on loopback, beside a bare
// net/http handler that decodes the same JSON and answers as many bytes.
func BenchmarkGrantEndpoint(b *testing.B) {
	service, err := postern.New(postern.Config{
		Secrets: [][]byte{bytes.Repeat([]byte("s"), 32)},
		Bucket:  struct{ postern.Bucket }{}, Records: struct{ postern.Records }{}, // a grant needs neither
		Target: postern.Target{
			URL: "https://photos.s3.eu-central-1.amazonaws.com", Bucket: bucket, Region: region,
			Credentials: func(context.Context) (sigv4.Credentials, error) {
				return sigv4.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}, nil
			},
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	gate, err := postern.NewHandler(service, postern.HandlerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	ask := []byte(`{"preset":"photos","filename":"cat.jpg","type":"image/jpeg","size":2190194}`)
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/uploads", bytes.NewReader(ask))
	r.Header.Set("Content-Type", "application/json")
	gate.ServeHTTP(w, r)
	if w.Code != http.StatusCreated {
		b.Fatalf("status %d: %s", w.Code, w.Body)
	}
	answer := w.Body.Bytes()
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in postern.Request
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		w.Write(answer) //nolint:errcheck // the client has gone
	})
	for _, c := range []struct {
		name    string
		handler http.Handler
	}{{"postern", gate}, {"net/http", bare}} {
		b.Run(c.name, func(b *testing.B) {
			server := httptest.NewServer(c.handler)
			defer server.Close()
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			b.SetParallelism(16)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					res, err := client.Post(server.URL+"/uploads", "application/json", bytes.NewReader(ask))
					if err != nil {
						b.Error(err)
						return
					}
					io.Copy(io.Discard, res.Body) //nolint:errcheck // only its end matters
					res.Body.Close()
					if res.StatusCode != http.StatusCreated {
						b.Errorf("status %d", res.StatusCode)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "grants/s")
		})
	}
}
