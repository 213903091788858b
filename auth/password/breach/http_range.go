package breach

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	prefixLen = 5  // of the 40 digits of a SHA-1
	suffixLen = 35 // the rest
	// maxAnswer is ten times what a padded range takes today.
	maxAnswer = 1 << 20
	maxLine   = 64
)

// count asks for the range of prefix and returns how often suffix was found in it.
func (r *Range) count(ctx context.Context, prefix, suffix string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.cfg.URL+prefix, http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("%w: no request", ErrOutage)
	}
	request.Header.Set("Add-Padding", "true")
	request.Header.Set("User-Agent", "tenon")
	answer, err := r.client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrOutage, withoutURL(err))
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%w: status %d", ErrOutage, answer.StatusCode)
	}
	return find(answer.Body, suffix)
}

// withoutURL drops the address, which ends with digits of the hash.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// find reads the whole answer, so that a damaged one is never taken for "no", and
// returns the count of suffix. Padding has the count 0.
func find(body io.Reader, suffix string) (found int, err error) {
	limited := &io.LimitedReader{R: body, N: maxAnswer + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	n := 0
	for ; lines.Scan(); n++ {
		known, count, err := parseLine(lines.Text())
		if err != nil {
			return 0, err
		}
		if strings.EqualFold(known, suffix) {
			found = max(found, count)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return 0, fmt.Errorf("%w: a line is too long", ErrOutage)
	case err != nil:
		return 0, fmt.Errorf("%w: %w", ErrOutage, err)
	case limited.N <= 0:
		return 0, fmt.Errorf("%w: more than %d bytes", ErrOutage, maxAnswer)
	case n == 0:
		return 0, fmt.Errorf("%w: it is empty", ErrOutage)
	}
	return found, nil
}

// parseLine reads "35 digits of the hash:count".
func parseLine(line string) (suffix string, count int, err error) {
	suffix, digits, _ := strings.Cut(line, ":")
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || len(suffix) != suffixLen || strings.ContainsFunc(suffix, isNotHex) {
		return "", 0, fmt.Errorf("%w: a line is no hash and count", ErrOutage)
	}
	return suffix, int(n), nil
}

func isNotHex(r rune) bool { return !strings.ContainsRune("0123456789ABCDEFabcdef", r) }
