package web

//go:generate go run -C build .
