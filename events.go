package postern

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

const (
	// defaultHeartbeat is half of what the least patient proxies wait.
	defaultHeartbeat = 25 * time.Second
	// listening is how long a listener may take what is written: who takes
	// nothing any more has gone without a word.
	listening = 15 * time.Second
)

// events answers one server-sent event for each change of state (HTML Living
// Standard, section 9.2), and comments meanwhile.
func (h *handler) events(w http.ResponseWriter, r *http.Request, who Identity) error {
	s := stream{w: w, out: http.NewResponseController(w), every: h.heartbeat}
	defer s.end()
	for u, err := range h.s.Watch(r.Context(), who.Principal, ID(r.PathValue("id"))) {
		if err != nil {
			if !s.begun() {
				return err
			}
			return nil // removed while it was watched: the end of the stream says so
		}
		doc, err := json.Marshal(uploadView(&u, h.base))
		if err != nil || s.say("event: state\ndata: ", string(doc), "\n\n") != nil {
			return nil
		}
	}
	return nil
}

// stream is an answer that is written piece by piece. Nothing runs while nothing
// is said, so an idle listener costs no more than before.
type stream struct {
	w     http.ResponseWriter
	out   *http.ResponseController
	every time.Duration

	mu   sync.Mutex
	beat *time.Timer // nil: it has not begun
	over bool        // nobody listens, or all is said
}

func (s *stream) begun() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.beat != nil
}

// say writes text to the listener now.
func (s *stream) say(text ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.beat == nil {
		h := s.w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("X-Accel-Buffering", "no") // nginx would hold events back
		s.w.WriteHeader(http.StatusOK)
		s.beat = time.AfterFunc(s.every, s.comment)
	}
	return s.write(text...)
}

// comment is a sign of life.
func (s *stream) comment() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	_ = s.write(":\n\n") // if nobody is there any more, the request's context ends
}

// write is called with the lock held.
func (s *stream) write(text ...string) error {
	_ = s.out.SetWriteDeadline(time.Now().Add(listening)) // not every server has deadlines
	for _, t := range text {
		if _, err := s.w.Write([]byte(t)); err != nil {
			return err
		}
	}
	s.beat.Reset(s.every)
	return s.out.Flush()
}

// end waits for what is being written: nothing may be after the handler's return.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.beat != nil {
		s.beat.Stop()
	}
}
