package family

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// appendNumber appends the big-endian number n as width base62 digits, most
// significant first. The width has to be large enough for every number of its
// length.
func appendNumber(dst, n []byte, width int) []byte {
	var left [maxNumber]byte
	rest := left[:copy(left[:], n)]
	at := len(dst)
	dst = append(dst, make([]byte, width)...)
	for i := at + width - 1; i >= at; i-- {
		remainder := 0
		for j, b := range rest {
			remainder = remainder<<8 | int(b)
			rest[j] = byte(remainder / len(digits))
			remainder %= len(digits)
		}
		dst[i] = digits[remainder]
	}
	return dst
}

// number reads digits into dst, big-endian, and reports false for what is no
// digit and for a number that dst is too short for: a number has one text.
func number(dst []byte, text string) bool {
	clear(dst)
	for i := range len(text) {
		carry := value(text[i])
		if carry < 0 {
			return false
		}
		for j := len(dst) - 1; j >= 0; j-- {
			carry += int(dst[j]) * len(digits)
			dst[j] = byte(carry)
			carry >>= 8
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
