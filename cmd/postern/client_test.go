package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"time"
)

// sent is an upload that a test has made.
type sent struct {
	id     string
	fields map[string]string // of the grant, names in lower case
	doc    []byte            // the settled upload
}

// grantAndSend sends content to the bucket, as a browser would, and says so to
// nobody.
func grantAndSend(api, filename, mediaType string, content []byte) (*sent, error) {
	ask, err := json.Marshal(map[string]any{"filename": filename, "type": mediaType, "size": len(content)})
	if err != nil {
		return nil, err
	}
	doc, err := exchange(http.MethodPost, api+"/uploads", "application/json", ask, http.StatusCreated)
	if err != nil {
		return nil, err
	}
	var granted struct {
		ID    string
		Grant struct {
			URL       string
			FileField string `json:"file_field"`
			Fields    map[string]string
		}
	}
	if err := json.Unmarshal(doc, &granted); err != nil {
		return nil, err
	}
	u := &sent{id: granted.ID, fields: map[string]string{}}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for name, value := range granted.Grant.Fields {
		u.fields[strings.ToLower(name)] = value
		if err := w.WriteField(name, value); err != nil {
			return nil, err
		}
	}
	part, err := w.CreateFormFile(granted.Grant.FileField, filename)
	if err != nil {
		return nil, err
	}
	if _, err := part.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	_, err = exchange(http.MethodPost, granted.Grant.URL, w.FormDataContentType(), form.Bytes(), http.StatusNoContent)
	return u, err
}

// send uploads content as a browser would, and waits until it is settled.
func send(api, filename, mediaType string, content []byte) (*sent, error) {
	u, err := grantAndSend(api, filename, mediaType, content)
	if err != nil {
		return nil, err
	}
	if _, err := exchange(http.MethodPost, api+"/uploads/"+u.id+"/complete", "", nil, http.StatusAccepted); err != nil {
		return nil, err
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		u.doc, err = exchange(http.MethodGet, api+"/uploads/"+u.id, "", nil, http.StatusOK)
		if err != nil || !bytes.Contains(u.doc, []byte(`"state":"stored"`)) {
			return u, err
		}
	}
	return nil, errors.New("waited in vain for the upload to be settled")
}

func exchange(method, url, mediaType string, body []byte, want int) ([]byte, error) {
	r, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if mediaType != "" {
		r.Header.Set("Content-Type", mediaType)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != want {
		err = fmt.Errorf("%s %s: %s, want %d\n%s", method, url, res.Status, want, answer)
	}
	return answer, err
}
