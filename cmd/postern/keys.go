package main

import "strings"

// sealing returns the secrets that seal tickets as they are set; nil: those in
// the data folder.
func (s *settings) sealing() ([][]byte, error) {
	if s.secret == "" && s.secretFile == "" {
		return nil, nil
	}
	text, err := secretFrom(s.secret, s.secretFile)
	if err != nil {
		return nil, err
	}
	var secrets [][]byte
	for _, line := range strings.Fields(text) {
		if len(line) < 32 {
			return nil, misused(`Make one: openssl rand -base64 32`, "a sealing secret has %d bytes; at least 32 are needed", len(line))
		}
		secrets = append(secrets, []byte(line))
	}
	return secrets, nil
}
