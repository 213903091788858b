package family

import "encoding/binary"

const (
	digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	base   = uint64(len(digits))
	// Numbers are worked on in limbs of four bytes and in groups of five digits, of
	// which one fits into the other.
	limbSize  = 4
	group     = 5
	groupBase = base * base * base * base * base
)

// appendNumber appends the big-endian number n, of whole limbs, as width base62
// digits, most significant first. The width has to be large enough for every
// number of its length.
func appendNumber(dst, n []byte, width int) []byte {
	var left [maxNumber / limbSize]uint32
	rest := left[:len(n)/limbSize]
	for i := range rest {
		rest[i] = binary.BigEndian.Uint32(n[i*limbSize:])
	}
	at := len(dst)
	dst = append(dst, make([]byte, width)...)
	for end := len(dst); end > at; {
		remainder := uint64(0)
		for i, limb := range rest {
			remainder = remainder<<32 | uint64(limb)
			rest[i] = uint32(remainder / groupBase)
			remainder %= groupBase
		}
		for range min(group, end-at) {
			end--
			dst[end] = digits[remainder%base]
			remainder /= base
		}
	}
	return dst
}

// number reads digits into dst, big-endian and of whole limbs, and reports false
// for what is no digit and for a number that dst is too short for: a number has
// one text.
func number(dst []byte, text string) bool {
	clear(dst)
	for len(text) > 0 {
		carry, scale := uint64(0), uint64(1)
		for range min(group, len(text)) {
			digit := value(text[0])
			if digit < 0 {
				return false
			}
			carry, scale, text = carry*base+uint64(digit), scale*base, text[1:]
		}
		for i := len(dst) - limbSize; i >= 0; i -= limbSize {
			carry += uint64(binary.BigEndian.Uint32(dst[i:])) * scale
			binary.BigEndian.PutUint32(dst[i:], uint32(carry))
			carry >>= 32
		}
		if carry != 0 {
			return false
		}
	}
	return true
}

func value(digit byte) int {
	switch {
	case digit >= '0' && digit <= '9':
		return int(digit - '0')
	case digit >= 'A' && digit <= 'Z':
		return int(digit-'A') + 10
	case digit >= 'a' && digit <= 'z':
		return int(digit-'a') + 36
	}
	return -1
}
