package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"postern.example/postern/internal/doctor"
)

// probeJSON is a probe as --list shows it.
type probeJSON struct {
	ID       string `json:"id"`
	Question string `json:"question"`
}

// questions are what the probes ask, by their ids.
func questions() map[string]string {
	return map[string]string{ //nolint:gosec // questions about credentials
		"network.dns":            "does the bucket's host name lead anywhere?",
		"network.reach":          "does something answer there?",
		"network.tls":            "is the certificate for that name, trusted and not about to end?",
		"network.region":         "is the bucket there, in the region that is set?",
		"network.clock":          "do this machine's clock and the bucket's agree?",
		"credentials.signer":     "is there a key that signs uploads, and does the bucket know it?",
		"credentials.worker":     "is there a key for the worker, and does the bucket know it?",
		"credentials.apart":      "are they two keys?",
		"cors.preflight":         "may the pages that are named upload?",
		"cors.etag":              "may pages read the ETag of what they have sent?",
		"cors.foreign":           "are pages of everybody else refused?",
		"cors.errors":            "may pages read the bucket's errors?",
		"settings.public-access": "is public access blocked as far as it can be?",
		"settings.ownership":     "are ACLs switched off?",
		"settings.lifecycle":     "does what is left in incoming/ go away by itself?",
		"settings.versioning":    "do deleted objects really go away?",
		"settings.policy":        "does the bucket policy open nothing but images/?",
		"settings.encryption":    "is what is stored encrypted?",
		"upload.post":            "does a signed form arrive whole?",
		"upload.put":             "does a signed PUT arrive whole?",
		"upload.multipart":       "does a file in parts arrive whole?",
		"upload.checksum":        "is a file with another SHA-256 refused?",
		"upload.overwrite":       "is a second file under the same key refused?",
		"attack.size":            "is a file that is too large or too small refused?",
		"attack.type":            "is a file of another type refused?",
		"attack.key":             "is a file under another key refused?",
		"attack.expired":         "is a permission that has run out refused?",
		"attack.tampered":        "is a permission that was changed refused?",
		"attack.field":           "is a form with a field more refused?",
		"attack.put-length":      "is a PUT of another length refused?",
		"attack.headers":         "are headers refused that were not signed?",
		"attack.replay":          "what does a permission do that is used twice?",
		"anonymous.read":         "is what browsers wrote closed to strangers?",
		"anonymous.list":         "is the list of files closed to strangers?",
		"anonymous.write":        "can strangers write nothing?",
		"anonymous.images":       "are images/ as open as they shall be, and no more?",
		"privilege.signer":       "can the key that signs do nothing but put files into incoming/?",
		"privilege.worker":       "can the worker's key do what it must, and not write into incoming/?",
		"leftovers.objects":      "does incoming/ hold files that nobody knows?",
		"leftovers.multiparts":   "are there uploads in parts that never ended?",
	}
}

func listProbes(w io.Writer, asJSON bool) error {
	asked, list := questions(), []probeJSON{}
	for _, id := range doctor.IDs() {
		list = append(list, probeJSON{id, asked[id]})
	}
	if asJSON {
		return printJSON(w, list)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range list {
		fmt.Fprintf(t, "%s\t%s\n", p.ID, p.Question)
	}
	return t.Flush()
}
