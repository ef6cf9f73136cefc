package worker

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// budget bounds the memory of open pictures: the pixels of all jobs together.
// It serves in the order of asking, so a large picture is not starved by
// small ones.
type budget struct {
	size  int64
	sem   *semaphore.Weighted
	inUse atomic.Int64
}

func newBudget(pixels int64) *budget {
	return &budget{size: pixels, sem: semaphore.NewWeighted(pixels)}
}

// take waits for a share of pixels, at most all of the budget, and returns
// what gives it back. The only error is ctx's.
func (b *budget) take(ctx context.Context, pixels int64) (giveBack func(), err error) {
	pixels = min(max(pixels, 1), b.size)
	if err := b.sem.Acquire(ctx, pixels); err != nil {
		return nil, err
	}
	b.inUse.Add(pixels)
	return func() {
		b.inUse.Add(-pixels)
		b.sem.Release(pixels)
	}, nil
}
