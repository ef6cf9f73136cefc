package doctor

import (
	"context"
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"postern.example/postern"
)

const (
	// leftAfter is how old something below incoming/ is that the gate has
	// forgotten: it takes what has arrived within minutes, and keeps the bytes of
	// failed uploads for a day.
	leftAfter = 36 * time.Hour
	// pagesRead bounds how many pages of a listing are read, of 1000 each.
	pagesRead = 20
)

func leftoverProbes() []probe {
	return []probe{
		{id: "leftovers.objects", after: ready(), run: probeObjects},
		{id: "leftovers.multiparts", after: ready(), run: probeUnfinished},
	}
}

// found are what a listing has of one kind.
type found struct {
	all, old int
	oldest   time.Time
	more     bool // not everything was read
}

func (n *found) add(at time.Time, old bool) {
	n.all++
	if !old {
		return
	}
	if n.old++; n.oldest.IsZero() || at.Before(n.oldest) {
		n.oldest = at
	}
}

func (n *found) String() string {
	s := fmt.Sprintf("%d there, %d of them left over", n.all, n.old)
	if n.more {
		s = fmt.Sprintf("more than %s", s)
	}
	return s
}

func (n *found) age(now time.Time) string {
	days := int(now.Sub(n.oldest).Hours() / 24)
	return fmt.Sprintf("%d days", max(days, 1))
}

func probeObjects(ctx context.Context, x *exam) []Finding {
	const title = "nothing is left over in incoming/"
	var n found
	f := Finding{Status: OK, Title: title, Tried: "a list of incoming/ by the worker"}
	token := ""
	for range pagesRead {
		query := "list-type=2&prefix=incoming%2F"
		if token != "" {
			query += "&" + escaped("continuation-token", token)
		}
		got, err := x.do(ctx, ask{query: query, signed: &x.worker})
		if err != nil {
			return []Finding{x.silent(title, f.Tried, err)}
		}
		if !got.ok() {
			return []Finding{x.refused(Fault, title, f.Tried, lists, got)}
		}
		var page struct {
			Contents []struct {
				Key          string
				LastModified time.Time
			}
			NextContinuationToken string
			IsTruncated           bool
		}
		if err := xml.Unmarshal(got.Body, &page); err != nil {
			return []Finding{x.refused(Fault, title, f.Tried, lists, got)}
		}
		for _, o := range page.Contents {
			if strings.HasPrefix(o.Key, postern.IncomingPrefix+x.name) {
				continue
			}
			old := x.now().Sub(o.LastModified) > leftAfter
			if old && x.c.Known != nil {
				known, err := x.c.Known(ctx, o.Key)
				if err != nil {
					return skipped(title, "the records cannot be asked: "+err.Error())
				}
				old = !known
			}
			n.add(o.LastModified, old)
		}
		f.RequestID, n.more, token = got.RequestID, page.IsTruncated, page.NextContinuationToken
		if !page.IsTruncated || token == "" {
			break
		}
	}
	f.Got = n.String()
	if n.old > 0 {
		f.Status = Warn
		f.Cause = fmt.Sprintf("In incoming/ there are %s that nobody completed, the oldest for %s: no lifecycle rule takes them, and no gate sweeps.", counted(n.old, "file"), n.age(x.now()))
		f.Cure = x.fill("{setup}, which makes the lifecycle rule; and keep \"postern serve\" running, which sweeps", nil)
	}
	return []Finding{f}
}

func probeUnfinished(ctx context.Context, x *exam) []Finding {
	const title = "no upload in parts was left unfinished"
	var n found
	f := Finding{Status: OK, Title: title, Tried: "a list of unfinished uploads by the worker"}
	key, id := "", ""
	for range pagesRead {
		query := "uploads=&prefix=incoming%2F"
		if key != "" {
			query += "&" + escaped("key-marker", key)
		}
		if id != "" {
			query += "&" + escaped("upload-id-marker", id)
		}
		got, err := x.do(ctx, ask{query: query, signed: &x.worker})
		if err != nil {
			return []Finding{x.silent(title, f.Tried, err)}
		}
		if !got.ok() {
			return []Finding{x.refused(Fault, title, f.Tried, lists, got)}
		}
		var page struct {
			Upload []struct {
				Key       string
				Initiated time.Time
			}
			NextKeyMarker      string
			NextUploadIDMarker string `xml:"NextUploadIdMarker"`
			IsTruncated        bool
		}
		if err := xml.Unmarshal(got.Body, &page); err != nil {
			return []Finding{x.refused(Fault, title, f.Tried, lists, got)}
		}
		for _, u := range page.Upload {
			if !strings.HasPrefix(u.Key, postern.IncomingPrefix+x.name) {
				n.add(u.Initiated, x.now().Sub(u.Initiated) > leftAfter)
			}
		}
		f.RequestID, n.more, key, id = got.RequestID, page.IsTruncated, page.NextKeyMarker, page.NextUploadIDMarker
		if !page.IsTruncated || key == "" {
			break
		}
	}
	f.Got = n.String()
	if n.old > 0 {
		f.Status = Warn
		f.Cause = fmt.Sprintf("There are uploads in parts that never ended (%d), the oldest begun %s ago: such parts are paid for, and no list of objects shows them.", n.old, n.age(x.now()))
		f.Cure = x.fill("{setup}, whose lifecycle rule aborts them after a day; and keep \"postern serve\" running, which sweeps", nil)
	}
	return []Finding{f}
}
