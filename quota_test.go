package postern_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/internal/imaging/photo"
	"postern.example/postern/posterntest"
)

func presetWith(q postern.Quota) []postern.Preset {
	return []postern.Preset{{Name: "photos", MaxBytes: 1_000_000, Quota: q}}
}

// The grant after the last is 429, names the limit and says when to come back;
// a hundred at once do not pass it.
func TestThreat19_QuotaOverHTTP(t *testing.T) {
	for name, tc := range map[string]struct {
		quota postern.Quota
		want  int64
		code  postern.Code
		field string
		limit int64
		words string
	}{
		"grants":  {postern.Quota{GrantsPerMinute: 30}, 30, "rate_limited", "quota.grants_per_minute", 30, "30 uploads a minute"},
		"uploads": {postern.Quota{UploadsPerDay: 9}, 9, "quota_exceeded", "quota.uploads_per_day", 9, "9 files a day"},
		"day":     {postern.Quota{BytesPerDay: 2_000_000}, 20, "quota_exceeded", "quota.bytes_per_day", 2_000_000, "2 MB a day"},
		"at once": {postern.Quota{BytesOutstanding: 1_000_000}, 10, "quota_exceeded", "quota.bytes_outstanding", 1_000_000, "1 MB on their way"},
	} {
		t.Run(name, func(t *testing.T) {
			noon := time.Now().Truncate(24 * time.Hour).Add(12 * time.Hour) // no minute ends meanwhile
			g := posterntest.Start(t, posterntest.Config{Presets: presetWith(tc.quota), NoWorker: true, Now: func() time.Time { return noon }})
			size := int64(100_000)
			var granted, refused atomic.Int64
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() {
					_, err := g.Ask(t.Context(), postern.Request{Filename: "a.jpg", Type: "image/jpeg", Size: &size})
					var p *posterntest.Problem
					switch {
					case err == nil:
						granted.Add(1)
					case errors.As(err, &p) && p.Status == http.StatusTooManyRequests && p.Code == tc.code && p.Field == tc.field && p.Limit == tc.limit &&
						p.RetryAfter >= 1 && p.RetryAfter <= 24*3600 && strings.Contains(p.Detail, tc.words):
						refused.Add(1)
					default:
						t.Errorf("%v (%+v)", err, p)
					}
				})
			}
			all.Wait()
			if granted.Load() != tc.want || refused.Load() != 100-tc.want {
				t.Errorf("%d granted, %d refused; want %d", granted.Load(), refused.Load(), tc.want)
			}
			if n := g.Service.Stats().Limited[tc.field]; n != refused.Load() {
				t.Errorf("%d hits were counted, of %d", n, refused.Load())
			}
		})
	}
}

// What is left stands in the limits, and what arrived counts by its own size.
func TestQuota_Limits(t *testing.T) {
	type left struct{ Limit, Left int64 }
	var l struct {
		Quota map[string]left
	}
	g := posterntest.Start(t, posterntest.Config{Presets: presetWith(postern.Quota{GrantsPerMinute: 60, UploadsPerDay: 3, BytesPerDay: 5_000_000, BytesOutstanding: 2_000_000})})
	limits := func() map[string]left {
		t.Helper()
		l.Quota = nil
		if err := g.Do(t.Context(), http.MethodGet, "/limits", nil, &l); err != nil {
			t.Fatal(err)
		}
		return l.Quota
	}
	if q := limits(); len(q) != 4 || q["uploads_per_day"] != (left{3, 3}) || q["bytes_per_day"] != (left{5_000_000, 5_000_000}) {
		t.Errorf("at first: %+v", q)
	}
	// Without a size the largest is promised.
	up, err := g.Ask(t.Context(), postern.Request{Filename: "a.jpg", Type: "image/jpeg"})
	if err != nil {
		t.Fatal(err)
	}
	if q := limits(); q["bytes_outstanding"].Left != 1_000_000 || q["uploads_per_day"].Left != 2 || q["bytes_per_day"].Left != 4_000_000 {
		t.Errorf("after a grant: %+v", q)
	}
	file := photo.JPEG(photo.Options{Width: 300, Height: 200})
	if status, body, err := g.Send(t.Context(), up.Grant, file); err != nil || status/100 != 2 {
		t.Fatal(status, body, err)
	}
	if _, err := g.Complete(t.Context(), up.ID); err != nil {
		t.Fatal(err)
	}
	if u := g.Wait(t, up.ID); u.State != postern.Ready {
		t.Fatalf("%+v", u)
	}
	if q := limits(); q["bytes_outstanding"].Left != 2_000_000 || q["uploads_per_day"].Left != 2 || q["bytes_per_day"].Left != 5_000_000-int64(len(file)) {
		t.Errorf("after the arrival: %+v", q)
	}
	// Removing gives nothing back: the permission could be used until its end.
	for _, id := range []string{up.ID, g.Grant(t, "b.jpg", "image/jpeg", file).ID} {
		if err := g.Do(t.Context(), http.MethodDelete, "/uploads/"+id, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if q := limits(); q["uploads_per_day"].Left != 1 || q["bytes_outstanding"].Left != 2_000_000-int64(len(file)) {
		t.Errorf("after removals: %+v", q)
	}
}

func TestQuota_Validation(t *testing.T) {
	for _, tc := range []struct {
		quota postern.Quota
		want  string
	}{
		{postern.Quota{GrantsPerMinute: -1}, "quota.grants_per_minute: -1 is below 0"},
		{postern.Quota{BytesPerDay: 999_999}, "quota.bytes_per_day: 999999 is below max_bytes 1000000"},
		{postern.Quota{BytesOutstanding: 1}, "quota.bytes_outstanding"},
	} {
		if _, err := postern.CheckPresets(presetWith(tc.quota)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v", tc.quota, err)
		}
	}
}
