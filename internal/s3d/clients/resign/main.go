// Command resign prints the signatures that minio-go makes, at a given time, for
// what is on standard input: a JSON list on standard output. Its signer of URLs
// reads the clock, so they are left to command sign and empty here.
package main

import (
	"encoding/json"
	"log"
	"os"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"
)

func main() {
	var asks []struct {
		Region, Date, Policy string
		SecretKey            string `json:"secret_key"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&asks); err != nil {
		log.Fatal(err)
	}
	out := make([]string, len(asks))
	for i, a := range asks {
		at, err := time.Parse("20060102T150405Z", a.Date)
		if err != nil {
			log.Fatal(err)
		}
		if a.Policy != "" {
			out[i] = signer.PostPresignSignatureV4(a.Policy, at, a.SecretKey, a.Region)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		log.Fatal(err)
	}
}
