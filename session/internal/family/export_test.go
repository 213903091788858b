package family

import (
	"encoding/binary"
	"hash/crc32"
)

// Checksum returns the last six digits of a text that begins with body.
func Checksum(body string) string {
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(body)))
	return string(appendNumber(nil, sum, checksumDigits))
}

// Digits returns the number as width digits, and what reading them gives.
func Digits(n []byte, width int) (text string, back []byte, ok bool) {
	text = string(appendNumber(nil, n, width))
	back = make([]byte, len(n))
	return text, back, number(back, text)
}
