package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"postern.example/postern"
)

// Ledger is the part of the records that an audit reads.
type Ledger interface {
	// Scan returns up to limit uploads of everybody, removed ones too, whose ids
	// sort after the one given, in the order of ids. Fewer than limit mean the end.
	Scan(ctx context.Context, after postern.ID, limit int) ([]postern.Upload, error)
	// Upload returns one upload; ErrNotFound when it is unknown.
	Upload(ctx context.Context, id postern.ID) (postern.Upload, error)
}

// Audit is what came of holding [postern.ImagesPrefix] against the records.
type Audit struct {
	Objects     int64 // seen
	Strange     int64 // that are none of ours: under other names; never touched
	Orphans     int64 // that no upload has
	OrphanBytes int64
	Deleted     int64 // of the orphans
	Uploads     int64 // ready ones in the records
	Lost        int64 // ready uploads that lack a picture
	Faults      int64 // orphans that could not be deleted
}

// Auditing says what to do with what is found.
type Auditing struct {
	Delete bool                   // delete orphans
	Orphan func(o postern.Object) // is told of each, before it is deleted
	Lost   func(u postern.Upload) // is told of each upload that lacks a picture
}

// Audit holds the pictures in the bucket against the records, both in the order
// of ids and in pages, so that memory stays flat whatever their number. What is
// younger than [postern.ForeignGrace], and uploads that are being worked on, are
// left alone. An orphan is looked up once more before it is deleted.
func (w *Worker) Audit(ctx context.Context, l Ledger, how Auditing) (Audit, error) {
	a := &audit{w: w, l: l, how: how}
	rows := pages(func(last postern.Upload) ([]postern.Upload, error) { return l.Scan(ctx, last.ID, sweepPage) })
	for {
		id, objects, err := a.nextImages(ctx)
		if err != nil {
			return a.sum, err
		}
		for { // rows that have no object
			u, err := rows.peek()
			if err != nil {
				return a.sum, fmt.Errorf("read records: %w", err)
			}
			if u == nil || id != "" && u.ID >= id {
				break
			}
			a.check(u, nil)
			rows.skip()
		}
		if id == "" {
			return a.sum, nil
		}
		u, err := rows.peek()
		switch {
		case err != nil:
			return a.sum, fmt.Errorf("read records: %w", err)
		case u != nil && u.ID == id:
			objects = a.check(u, objects)
			rows.skip()
		}
		if err := a.orphans(ctx, id, objects); err != nil {
			return a.sum, err
		}
	}
}

type audit struct {
	w     *Worker
	l     Ledger
	how   Auditing
	sum   Audit
	after string
	list  []postern.Object // listed and not looked at yet
	end   bool
}

// nextImages returns the objects of the next upload; an empty id at the end.
func (a *audit) nextImages(ctx context.Context) (id postern.ID, objects []postern.Object, err error) {
	for {
		if len(a.list) == 0 {
			if a.end {
				return id, objects, nil
			}
			if a.list, err = a.w.bucket.List(ctx, postern.ImagesPrefix, a.after, sweepPage); err != nil {
				return "", nil, fmt.Errorf("list %s: %w", postern.ImagesPrefix, err)
			}
			a.end = len(a.list) < sweepPage
			continue
		}
		o := a.list[0]
		name, _, _ := strings.Cut(strings.TrimPrefix(o.Key, postern.ImagesPrefix), "/")
		switch of := postern.ID(name); {
		case !a.w.service.Made(of):
			a.sum.Strange++
		case id != "" && of != id:
			return id, objects, nil
		default:
			id = of
			objects = append(objects, o)
		}
		a.sum.Objects++
		a.after, a.list = o.Key, a.list[1:]
	}
}

// check returns those of its objects that the upload does not have.
func (a *audit) check(u *postern.Upload, objects []postern.Object) []postern.Object {
	switch u.State {
	case postern.Ready:
	case postern.Stored, postern.Removed: // being worked on
		return nil
	default:
		return objects
	}
	a.sum.Uploads++
	missing := false
	for _, v := range u.Image.Variants {
		n := len(objects)
		objects = slices.DeleteFunc(objects, func(o postern.Object) bool { return o.Key == postern.VariantKey(u.ID, v.Name) })
		missing = missing || len(objects) == n
	}
	if missing && a.w.now().After(u.SettledAt.Add(postern.ForeignGrace)) {
		a.sum.Lost++
		if a.how.Lost != nil {
			a.how.Lost(*u)
		}
	}
	return objects
}

// orphans does with what no upload has as it was told.
func (a *audit) orphans(ctx context.Context, id postern.ID, objects []postern.Object) error {
	objects = slices.DeleteFunc(objects, func(o postern.Object) bool {
		return a.w.now().Before(o.Modified.Add(postern.ForeignGrace))
	})
	if len(objects) == 0 {
		return nil
	}
	// The pages were read a while ago.
	u, err := a.l.Upload(ctx, id)
	if err != nil && !errors.Is(err, postern.ErrNotFound) {
		return fmt.Errorf("read records: %w", err)
	}
	if err == nil && u.State != postern.Rejected && u.State != postern.Failed {
		if u.State != postern.Ready {
			return nil
		}
		for _, v := range u.Image.Variants {
			objects = slices.DeleteFunc(objects, func(o postern.Object) bool { return o.Key == postern.VariantKey(u.ID, v.Name) })
		}
	}
	for _, o := range objects {
		a.sum.Orphans++
		a.sum.OrphanBytes += o.Size
		if a.how.Orphan != nil {
			a.how.Orphan(o)
		}
		if !a.how.Delete {
			continue
		}
		if err := a.w.bucket.Delete(ctx, o.Key); err != nil {
			if a.sum.Faults++; a.sum.Faults >= sweepFaults || ctx.Err() != nil {
				return fmt.Errorf("delete orphan: %w", err)
			}
			continue
		}
		a.sum.Deleted++
	}
	return nil
}

// paged is what is read page by page.
type paged[T any] struct {
	read func(last T) ([]T, error)
	page []T
	last T
	end  bool
}

func pages[T any](read func(last T) ([]T, error)) *paged[T] { return &paged[T]{read: read} }

// peek returns the next; nil at the end.
func (p *paged[T]) peek() (*T, error) {
	if len(p.page) == 0 && !p.end {
		var err error
		if p.page, err = p.read(p.last); err != nil {
			return nil, err
		}
		p.end = len(p.page) < sweepPage
	}
	if len(p.page) == 0 {
		return nil, nil
	}
	return &p.page[0], nil
}

func (p *paged[T]) skip() { p.last, p.page = p.page[0], p.page[1:] }
