package worker

import (
	"context"
	"errors"
	"slices"

	"postern.example/postern"
)

// removePage is how many objects of one upload are listed at once.
const removePage = 100

// remove deletes every object of the upload.
func (j *job) remove(ctx context.Context) *fault {
	if err := j.w.bucket.Delete(ctx, j.upload.Key()); err != nil {
		return away(err)
	}
	if err := j.deleteVariants(ctx, nil); err != nil {
		return away(err)
	}
	return nil
}

// deleteVariants deletes what was made of the upload, but the keys in keep.
func (j *job) deleteVariants(ctx context.Context, keep []string) error {
	prefix, after := postern.VariantKey(j.upload.ID, ""), ""
	for {
		page, err := j.w.bucket.List(ctx, prefix, after, removePage)
		if err != nil {
			return err
		}
		for _, o := range page {
			after = o.Key
			if slices.Contains(keep, o.Key) {
				continue
			}
			if err := j.w.bucket.Delete(ctx, o.Key); err != nil {
				return err
			}
		}
		if len(page) < removePage {
			return nil
		}
	}
}

// removed ends a removal. It is never given up: whatever fails is tried again.
//
// An upload that was removed before it was ready may have been in the hands of
// a worker that learns of the removal only when it next extends its lease, or
// never if it dies. What that worker writes after our deletions would stay for
// ever, so we look again when its lease must have ended.
func (j *job) removed(ctx context.Context, f *fault, again bool) *waiting {
	if f != nil {
		return j.postpone(ctx, f)
	}
	if j.upload.Image == nil && !again {
		j.outcome = "looked at again later"
		n := j.keep(ctx, 2*j.w.lease)
		if n != nil {
			n.again = true
		}
		return n
	}
	err := j.settle(ctx)
	j.outcome = "not settled"
	switch {
	case err == nil:
		j.outcome = string(postern.Removed)
		j.w.stats.settled.Add(1)
		j.w.log.InfoContext(ctx, "upload removed", "upload", j.upload.ID)
	case !errors.Is(err, postern.ErrLeaseLost): // the lease runs out, and the job is done again
		j.w.log.WarnContext(ctx, "removal was not settled", "upload", j.upload.ID, "error", err)
	}
	return nil
}
