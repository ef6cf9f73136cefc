package records

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"postern.example/postern"
)

// columns are those of an upload; job columns are named where they are used.
const columns = `id, principal, preset, filename, type, min_bytes, max_bytes, sha256, metadata, expires_at,
	state, size, etag, image, problem, stored_at, settled_at, request_id, trace_parent`

// row is an upload as its columns hold it.
type row struct {
	id, principal, preset, filename, mediaType string
	minBytes, maxBytes                         int64
	sha256, metadata                           string
	expiresAt                                  int64
	state                                      string
	size                                       int64
	etag                                       string
	image, problem                             sql.NullString
	storedAt                                   int64
	settledAt                                  sql.NullInt64
	requestID, parent                          string
}

// into returns where Scan puts columns, followed by more.
func (w *row) into(more ...any) []any {
	return append([]any{
		&w.id, &w.principal, &w.preset, &w.filename, &w.mediaType, &w.minBytes, &w.maxBytes, &w.sha256, &w.metadata, &w.expiresAt,
		&w.state, &w.size, &w.etag, &w.image, &w.problem, &w.storedAt, &w.settledAt, &w.requestID, &w.parent,
	}, more...)
}

// values returns columns as arguments of a statement.
func (w *row) values() []any {
	return []any{
		w.id, w.principal, w.preset, w.filename, w.mediaType, w.minBytes, w.maxBytes, w.sha256, w.metadata, w.expiresAt,
		w.state, w.size, w.etag, w.image, w.problem, w.storedAt, w.settledAt, w.requestID, w.parent,
	}
}

// encode returns u as a row.
func encode(u *postern.Upload) (row, error) {
	w := row{
		id: string(u.ID), principal: u.Principal, preset: u.Preset, filename: u.Filename, mediaType: u.Type,
		minBytes: u.MinBytes, maxBytes: u.MaxBytes, sha256: hex.EncodeToString(u.SHA256), expiresAt: u.Expires.UnixMilli(),
		state: string(u.State), size: u.Size, etag: u.ETag, storedAt: u.StoredAt.UnixMilli(),
		requestID: u.Trail.RequestID, parent: u.Trail.Parent,
	}
	var err error
	if w.metadata, err = encodeMetadata(u.Metadata); err != nil {
		return row{}, err
	}
	if w.image, err = encodeImage(u.Image); err != nil {
		return row{}, err
	}
	if w.problem, err = encodeProblem(u.Problem); err != nil {
		return row{}, err
	}
	if !u.SettledAt.IsZero() {
		w.settledAt = sql.NullInt64{Int64: u.SettledAt.UnixMilli(), Valid: true}
	}
	return w, nil
}

// decode returns the upload that the row holds. An error means that somebody
// else wrote the row.
func (w *row) decode() (postern.Upload, error) {
	u := postern.Upload{
		Ticket: postern.Ticket{
			ID: postern.ID(w.id), Preset: w.preset, Principal: w.principal, Filename: w.filename, Type: w.mediaType,
			MinBytes: w.minBytes, MaxBytes: w.maxBytes, Expires: instant(w.expiresAt),
		},
		State: postern.State(w.state), Size: w.size, ETag: w.etag, StoredAt: instant(w.storedAt),
		Trail: postern.Trail{RequestID: w.requestID, Parent: w.parent},
	}
	var err error
	if w.sha256 != "" {
		if u.SHA256, err = hex.DecodeString(w.sha256); err != nil {
			return u, fmt.Errorf("read sha256 of upload: %w", err)
		}
	}
	if u.Metadata, err = decodeMetadata(w.metadata); err != nil {
		return u, err
	}
	if w.image.Valid {
		if err := json.Unmarshal([]byte(w.image.String), &u.Image); err != nil {
			return u, fmt.Errorf("read image of upload: %w", err)
		}
	}
	if u.Problem, err = decodeProblem(w.problem); err != nil {
		return u, err
	}
	if w.settledAt.Valid {
		u.SettledAt = instant(w.settledAt.Int64)
	}
	return u, nil
}

// instant returns the time ms milliseconds after 1970. Times are noted to the
// millisecond.
func instant(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// encodeMetadata returns m as a JSON object, or, since JSON has no words for
// other bytes than UTF-8, as an array of names and values in base64 when there
// are such. A grant refuses them; what is noted here comes back as it was.
func encodeMetadata(m map[string]string) (string, error) {
	if len(m) == 0 {
		return "", nil
	}
	var v any = m
	for name, value := range m {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			pairs := make([][]byte, 0, 2*len(m))
			for _, name := range slices.Sorted(maps.Keys(m)) {
				pairs = append(pairs, []byte(name), []byte(m[name]))
			}
			v = pairs
			break
		}
	}
	return text(v)
}

func decodeMetadata(s string) (m map[string]string, err error) {
	switch {
	case s == "":
		return nil, nil
	case s[0] != '[':
		if err := json.Unmarshal([]byte(s), &m); err != nil {
			return nil, fmt.Errorf("read metadata of upload: %w", err)
		}
		return m, nil
	}
	var pairs [][]byte
	if err := json.Unmarshal([]byte(s), &pairs); err != nil {
		return nil, fmt.Errorf("read metadata of upload: %w", err)
	}
	m = make(map[string]string, len(pairs)/2)
	for pair := range slices.Chunk(pairs, 2) {
		if len(pair) != 2 {
			return nil, fmt.Errorf("read metadata of upload: a name without a value")
		}
		m[string(pair[0])] = string(pair[1])
	}
	return m, nil
}

func encodeImage(i *postern.Image) (sql.NullString, error) {
	if i == nil {
		return sql.NullString{}, nil
	}
	s, err := text(i)
	return sql.NullString{String: s, Valid: true}, err
}

// problem is what is kept of an error: what people may see of it.
type problem struct {
	Code    postern.Code `json:"code"`
	Detail  string       `json:"detail,omitempty"`
	Field   string       `json:"field,omitempty"`
	Limit   int64        `json:"limit,omitempty"`
	Allowed []string     `json:"allowed,omitempty"`
}

func encodeProblem(e *postern.Error) (sql.NullString, error) {
	if e == nil {
		return sql.NullString{}, nil
	}
	s, err := text(problem{Code: e.Code, Detail: e.Detail, Field: e.Field, Limit: e.Limit, Allowed: e.Allowed})
	return sql.NullString{String: s, Valid: true}, err
}

func decodeProblem(s sql.NullString) (*postern.Error, error) {
	if !s.Valid {
		return nil, nil
	}
	var p problem
	if err := json.Unmarshal([]byte(s.String), &p); err != nil {
		return nil, fmt.Errorf("read problem of upload: %w", err)
	}
	return &postern.Error{Code: p.Code, Detail: p.Detail, Field: p.Field, Limit: p.Limit, Allowed: p.Allowed}, nil
}

// text returns v as JSON for people to read: "<" stays "<".
func text(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", fmt.Errorf("write upload as JSON: %w", err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}
