package gate_test

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/gate"
	"postern.example/postern/internal/imaging/photo"
	"postern.example/postern/posterntest"
)

// Without the hook, pictures are opened in the process; with it, in children,
// which end with the gate.
func TestChildren(t *testing.T) {
	g, at := open(t, gate.Config{Dir: t.TempDir(), BucketListener: anyPort()})
	if g.Decoder != nil {
		t.Error("children without the hook")
	}
	once(t, at)
	if _, _, err := (gate.Children{}).Limits(t.Context(), nil); err == nil {
		t.Error("limits of children that there are not")
	}

	g, at = open(t, gate.Config{Dir: t.TempDir(), BucketListener: anyPort(), Children: children, Workers: 2})
	once(t, at)
	once(t, at)
	if s := g.Decoder.Stats(); s.Started < 1 || s.Deaths != 0 {
		t.Errorf("%+v", s)
	}
	has, _, err := children.Limits(t.Context(), nil)
	if err != nil || len(has) == 0 {
		t.Errorf("%v, %v", has, err)
	}
}

// bombs are the files of which decoders die, each with what is said of it.
func bombs() map[postern.Code][][]byte {
	claim := func(w, h uint16, sof byte) []byte {
		b := photo.JPEG(photo.Options{Width: 64, Height: 64})
		i := bytes.Index(b, []byte{0xFF, 0xC0})
		b[i+1] = sof
		binary.BigEndian.PutUint16(b[i+5:], h)
		binary.BigEndian.PutUint16(b[i+7:], w)
		return b
	}
	scans := photo.JPEG(photo.Options{Width: 16, Height: 16})
	i := bytes.Index(scans, []byte{0xFF, 0xDA})
	scan := scans[i : len(scans)-2]
	scans = append(append(bytes.Clone(scans[:i]), bytes.Repeat(scan, 1000)...), 0xFF, 0xD9)
	webp := append([]byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\xfe\x3f\x00\xfe\x3f\x00"), "VP8L\x05\x00\x00\x00\x2f\x00\x00\x00\x00\x00"...)
	binary.LittleEndian.PutUint32(webp[4:], uint32(len(webp)-8))
	large := photo.JPEG(photo.Options{Width: 4032, Height: 3024, Quality: 90})
	return map[postern.Code][][]byte{
		postern.ErrSideTooLong.Code:   {claim(65500, 65500, 0xC0), photo.PNGHeader(20000, 20000)},
		postern.ErrTooManyPixels.Code: {photo.PNGHeader(16000, 16000), webp},
		postern.ErrTooManyFrames.Code: {photo.GIF(photo.Options{Width: 64, Height: 64}, 1000)},
		postern.ErrTooManyScans.Code:  {scans},
		postern.ErrCorrupt.Code:       {claim(7000, 7000, 0xC2), photo.PNGHeader(7000, 7000)},
		postern.ErrTruncated.Code:     {large[:len(large)/2], large[:len(large)-3]},
	}
}

// Threat 11: ten bombs at once. The gate stays ready and small, each bomb gets
// its reason, and the next photo goes through.
func TestThreat11_BombsThroughChildren(t *testing.T) {
	g, at := open(t, gate.Config{Dir: t.TempDir(), BucketListener: anyPort(), Children: children, Workers: 2})
	once(t, at)
	stop := make(chan struct{})
	var peak, slowest int64
	var watching sync.WaitGroup
	watching.Go(func() {
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				peak = max(peak, residentOfChildren(t))
				began := time.Now()
				res, err := http.Get(at + "/gate/limits")
				if err != nil || res.StatusCode != http.StatusOK {
					t.Errorf("the gate does not answer: %v", err)
					continue
				}
				res.Body.Close()
				slowest = max(slowest, time.Since(began).Milliseconds())
			}
		}
	})
	var sending sync.WaitGroup
	n := 0
	for code, files := range bombs() {
		for _, file := range files {
			n++
			sending.Go(func() {
				up := call(t, "POST", at+"/gate/uploads", `{"filename":"p","type":"image/jpeg"}`)
				form, contentType := posterntest.Form(up.Grant, file)
				res, err := http.Post(up.Grant.URL, contentType, bytes.NewReader(form))
				if err != nil || res.StatusCode != http.StatusNoContent {
					t.Error(res, err)
					return
				}
				res.Body.Close()
				call(t, "POST", at+"/gate/uploads/"+up.ID+"/complete", "{}")
				posterntest.Eventually(t, "the bomb is rejected", func() bool {
					up = call(t, "GET", at+"/gate/uploads/"+up.ID, "")
					return up.State.Final()
				})
				if up.State != postern.Rejected || up.Problem.Code != code || up.Problem.Detail == "" {
					t.Errorf("%s: %s, %+v", code, up.State, up.Problem)
				}
			})
		}
	}
	sending.Wait()
	close(stop)
	watching.Wait()
	once(t, at)
	t.Logf("%d bombs: the children together had %d MB at most, the slowest answer took %d ms", n, peak>>20, slowest)
	if n != 10 {
		t.Errorf("%d bombs", n)
	}
	if s := g.Decoder.Stats(); s.Deaths != 0 {
		t.Errorf("bombs ended children, which their headers should have prevented: %+v", s)
	}
	if runtime.GOOS == "linux" && peak == 0 {
		t.Error("nothing was measured")
	}
	// One of them may have that much, and all together do not; the race detector
	// takes several times as much as there is.
	if peak > 1<<30 {
		t.Errorf("the children had %d MB", peak>>20)
	}
}

// residentOfChildren is what all children of this process have in memory, in
// bytes; 0 where it cannot be asked.
func residentOfChildren(t *testing.T) (sum int64) {
	list, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Error(err)
	}
	for _, name := range list {
		ids, _ := os.ReadFile(name) // the thread may be gone
		for _, id := range strings.Fields(string(ids)) {
			statm, _ := os.ReadFile("/proc/" + id + "/statm") // and the child
			if f := strings.Fields(string(statm)); len(f) > 1 {
				pages, _ := strconv.ParseInt(f[1], 10, 64) // 0 is as good
				sum += pages * int64(os.Getpagesize())
			}
		}
	}
	return sum
}
