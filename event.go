package postern

import (
	"encoding/json"
	"time"
)

// Delivery is one event, a change of an upload's state, on its way to one
// endpoint. Records keep it from the commit that made the change on.
type Delivery struct {
	Event    string // its name, the same each time it is told
	Endpoint string // who is to hear of it
	Upload   ID
	State    State
	At       time.Time // when it happened
	Body     []byte    // what is sent; JSON

	Lease       string    // of who tells it now
	Attempts    int       // how often it was tried, this time included
	NextAt      time.Time // when it is tried next; zero: it is not
	DeliveredAt time.Time
	GaveUpAt    time.Time
	Fault       string // why the last attempt failed
}

// EventTypes are the changes that are told, as webhooks name them.
func EventTypes() []string {
	return []string{"upload.stored", "upload.ready", "upload.rejected", "upload.failed", "upload.removed"}
}

type eventJSON struct {
	Type      string        `json:"type"`
	Timestamp time.Time     `json:"timestamp"`
	Data      eventDataJSON `json:"data"`
}

type eventDataJSON struct {
	uploadJSON
	Principal string `json:"principal,omitempty"`
	RequestID string `json:"request_id,omitempty"` // of the request that announced it, or removed it
}

// Event renders the change of u to its present state, as webhooks tell it:
// docs/webhooks.md. Base is where the API is mounted, for the pictures'
// addresses.
func Event(u *Upload, base string) ([]byte, error) {
	e := eventJSON{Type: "upload." + string(u.State), Timestamp: u.SettledAt, Data: eventDataJSON{Principal: u.Principal, RequestID: u.Trail.RequestID}}
	if u.State == Stored || e.Timestamp.IsZero() {
		e.Timestamp = u.StoredAt
	}
	if u.State == Removed {
		granted, _, _ := u.ID.times()
		e.Data.uploadJSON = uploadJSON{ID: u.ID, State: Removed, CreatedAt: granted}
	} else {
		e.Data.uploadJSON = *uploadView(u, base)
	}
	e.Timestamp = e.Timestamp.UTC()
	return json.Marshal(e)
}
