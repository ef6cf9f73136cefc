package main

import (
	"io"
	"log/slog"
	"os"
)

// logger writes to w as the settings say. In "auto" a person at a terminal
// gets text, everything else one JSON object a line.
func (s *settings) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.logLevel)); err != nil {
		level = slog.LevelInfo // the table allows only what slog knows
	}
	o := &slog.HandlerOptions{Level: level}
	if s.logFormat == "text" || s.logFormat == "auto" && isTerminal(w) {
		return slog.New(visitorLog{slog.NewTextHandler(w, o)})
	}
	return slog.New(visitorLog{slog.NewJSONHandler(w, o)})
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
