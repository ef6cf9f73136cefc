package postern

import (
	"context"
	"errors"
	"fmt"
)

// Redoer is what Records may be as well: they let a failed upload be checked
// again. Those of package records do.
type Redoer interface {
	// Again turns a failed upload into state Stored and makes its job due at
	// once. Durable on return. ErrNotFound when there is no failed upload of id.
	Again(ctx context.Context, id ID) error
}

// Again has a failed upload checked again, from the beginning, as if it had just
// arrived. It is for operators: whose upload it is, is not asked. ErrNotFound
// when no failed upload has that id, ErrNotArrived when its bytes are not there
// any more: they are kept for [Grace].
func (s *Service) Again(ctx context.Context, id ID) error {
	r, ok := s.records.(Redoer)
	if !ok {
		return errors.New("these records cannot have an upload checked again")
	}
	u, err := s.records.Upload(ctx, id)
	switch {
	case err != nil:
		return err
	case u.State != Failed:
		return ErrNotFound.With("The upload is %s; only failed ones can be checked again.", u.State)
	}
	o, err := s.bucket.Head(ctx, u.Key())
	if err == nil {
		_, err = s.Verify(o, id)
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	if err != nil {
		return ErrNotArrived.With("Its bytes are not there any more, or are not its own: they are kept for %.0f hours.", Grace.Hours()).Because(fmt.Errorf("look at object: %w", err))
	}
	if err := r.Again(ctx, id); err != nil {
		return err
	}
	s.Changed(id)
	s.wakeWorker()
	return nil
}
