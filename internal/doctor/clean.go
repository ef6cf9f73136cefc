package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// cleanUp removes what the probes wrote. A key that never came to be answers
// 204 or 404, which is as good. What stays is reported: one day later the
// bucket's lifecycle or the gate's sweep takes it.
func (x *exam) cleanUp(ctx context.Context) []Finding {
	if x.worker.AccessKeyID == "" {
		return nil // no probe got as far as writing
	}
	var left []string
	var last string
	remove := func(what string, a ask) {
		a.signed, a.method = &x.worker, http.MethodDelete
		got, err := x.do(ctx, a)
		if err == nil && got.Status == http.StatusForbidden && x.signer.AccessKeyID != "" {
			// What the signer could write by the fault of its policy, it may be
			// able to delete.
			a.signed = &x.signer
			got, err = x.do(ctx, a)
		}
		switch {
		case err != nil:
			left, last = append(left, what), err.Error()
		case !got.ok() && got.Status != http.StatusNotFound:
			left, last = append(left, what), got.String()
		}
	}
	for _, u := range x.begun {
		remove(u.key+" (parts)", ask{key: u.key, query: "uploadId=" + url.QueryEscape(u.uploadID)})
	}
	for _, key := range x.wrote {
		remove(key, ask{key: key})
	}
	if len(left) == 0 {
		return nil
	}
	return []Finding{{
		ID: "leftovers.own", Status: Warn, Title: "what was written for this is removed again",
		Tried: fmt.Sprintf("DELETE of %d objects", len(left)), Got: last,
		Cause: "The worker's key may not delete what lies in incoming/ or images/.",
		Cure:  "Remove by hand, or leave it to the lifecycle: " + strings.Join(left, ", "),
	}}
}
