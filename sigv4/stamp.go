package sigv4

import "time"

const (
	// TimeFormat is the layout of x-amz-date, ISO 8601 basic, always UTC.
	TimeFormat = "20060102T150405Z"
	// DateFormat is the layout of the day in a credential scope, UTC.
	DateFormat = "20060102"
)

// appendStamp appends t, which is UTC, in TimeFormat. It is ten times as fast
// as Time.AppendFormat, which shows in a signature of two microseconds.
func appendStamp(dst []byte, t time.Time) []byte {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = appendTwo(appendTwo(appendYear(dst, year), int(month)), day)
	dst = appendTwo(appendTwo(appendTwo(append(dst, 'T'), hour), minute), second)
	return append(dst, 'Z')
}

// dayOf returns the day of t, which is UTC, as a number such as 20151229.
func dayOf(t time.Time) int {
	year, month, day := t.Date()
	return year*10000 + int(month)*100 + day
}

// appendExpiration appends t as a policy's expiration: ISO 8601 in UTC, with
// milliseconds if t has any. What is finer than that is cut off, so a policy
// never outlives its Expiration.
func appendExpiration(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = append(appendYear(dst, year), '-')
	dst = append(appendTwo(dst, int(month)), '-')
	dst = append(appendTwo(dst, day), 'T')
	dst = append(appendTwo(dst, hour), ':')
	dst = append(appendTwo(dst, minute), ':')
	dst = appendTwo(dst, second)
	if ms := t.Nanosecond() / 1e6; ms != 0 {
		dst = appendDigits(append(dst, '.'), ms, 3)
	}
	return append(dst, 'Z')
}

// appendYear appends a year with four digits, if that is enough.
func appendYear(dst []byte, year int) []byte {
	if year < 0 || year > 9999 {
		return appendDigits(dst, year, 4)
	}
	return appendTwo(appendTwo(dst, year/100), year%100)
}

// appendTwo appends n, which is 0 to 99, with two digits.
func appendTwo(dst []byte, n int) []byte {
	return append(dst, "0123456789"[n/10], "0123456789"[n%10])
}

// appendDigits appends n with width digits; more if it needs them.
func appendDigits(dst []byte, n, width int) []byte {
	if n < 0 { // years before our era: written so that no parser takes it
		dst, n = append(dst, '-'), -n
	}
	var digits [20]byte
	i := len(digits)
	for ; n > 0 || width > 0; n, width = n/10, width-1 {
		i--
		digits[i] = byte('0' + n%10)
	}
	return append(dst, digits[i:]...)
}

// parseStamp is strict where time.Parse is not: that accepts fractions of
// seconds which the layout does not have.
func parseStamp(s string) (time.Time, bool) { return parseShape(s, TimeFormat) }

// parseExpiration accepts YYYY-MM-DDTHH:MM:SSZ with or without milliseconds
// and nothing else, as S3 does: an offset or a space in place of the T is
// "Invalid 'expiration' value".
func parseExpiration(s string) (time.Time, bool) {
	if len(s) == len("2006-01-02T15:04:05Z") {
		return parseShape(s, "2006-01-02T15:04:05Z")
	}
	return parseShape(s, "2006-01-02T15:04:05.000Z")
}

// parseShape parses s only if it has digits where layout has digits and the
// same bytes elsewhere.
func parseShape(s, layout string) (time.Time, bool) {
	if len(s) != len(layout) {
		return time.Time{}, false
	}
	for i := range len(s) {
		if isDigit(layout[i]) {
			if !isDigit(s[i]) {
				return time.Time{}, false
			}
		} else if s[i] != layout[i] {
			return time.Time{}, false
		}
	}
	t, err := time.Parse(layout, s)
	return t, err == nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
