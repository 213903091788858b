package password

import (
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strings"
)

// decoyOf returns a hash of a kind as Hash.Kind writes it.
func (h *Hasher) decoyOf(kind string) (string, error) {
	out, err := parseKind(kind)
	if err != nil {
		return "", err
	}
	for _, part := range [][]byte{out.salt, out.tag} {
		if _, err := io.ReadFull(h.rand, part); err != nil {
			return "", fmt.Errorf("password: decoy: %w", err)
		}
	}
	return out.encode(), nil
}

// parseKind returns a hash of the kind with a salt and a tag of zeros.
func parseKind(kind string) (hash, error) {
	head, tag, ok := cutLast(kind)
	head, salt, okSalt := cutLast(head)
	saltLen, okSaltLen := decimal(salt, maxSalt)
	tagLen, okTagLen := decimal(tag, maxTag)
	parts := strings.Split(head, "$")
	if !ok || !okSalt || !okSaltLen || !okTagLen || len(parts) < 2 {
		return hash{}, ErrBadHash
	}
	blank := hash{params: params{algorithm: parts[1]}, salt: make([]byte, saltLen), tag: make([]byte, tagLen)}
	// The head with the blank bytes behind it is a hash like any other.
	h, err := parse(head + strings.TrimPrefix(blank.encode(), blank.head()))
	if err != nil || (Hash{h}).Kind() != kind {
		return hash{}, ErrBadHash
	}
	return h, nil
}

// cutLast cuts s behind the dollar sign before its last field.
func cutLast(s string) (before, last string, ok bool) {
	i := strings.LastIndexByte(strings.TrimSuffix(s, "$"), '$')
	if i < 0 {
		return "", "", false
	}
	return s[:i+1], strings.TrimSuffix(s[i+1:], "$"), true
}

// Mix says how many stored hashes are of which kind, "" being the policy's own.
// The zero value is the policy's alone.
type Mix map[string]int

// Pick returns the kind of the decoy for an identifier, of which pick is a MAC: a
// number spread evenly. The shares of the kinds are those of m (rule R7). The same
// pick gets the same kind while the shares stay; as imported hashes are replaced,
// picks at the edge go over to the policy's, as their owners do.
func (m Mix) Pick(pick uint64) string {
	kinds, total := m.order()
	// The high half of the product is pick's place among total.
	place, _ := bits.Mul64(pick, total)
	for _, kind := range kinds {
		n := uint64(m[kind])
		if place < n {
			return kind
		}
		place -= n
	}
	return ""
}

// order returns the kinds with the policy's last, and the sum of their counts.
func (m Mix) order() (kinds []string, total uint64) {
	for kind, n := range m {
		if n > 0 {
			kinds, total = append(kinds, kind), total+uint64(n)
		}
	}
	slices.SortFunc(kinds, func(a, b string) int { return strings.Compare(b, a) })
	return kinds, total
}
