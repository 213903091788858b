// Package common knows the passwords that everybody tries first.
//
//	common.Contains("iloveyou") // true
//
// The list has 60,010 entries: the 30,000 most used passwords, and of English
// words, names and surnames those of 8 characters or more. 41,621 of all have at
// least 8 characters, so that they would pass for their length (ASVS 6.2.4 asks
// for 3,000). They come from the frequency lists of zxcvbn 4.4.2; LICENSE-zxcvbn.txt
// holds its licence.
//
// The list takes 282,311 bytes of the program and no memory besides: it is
// searched where the linker put it, nothing is decoded or kept. A lookup
// allocates nothing.
package common

import (
	_ "embed"
	"encoding/binary"
)

// The list is written by tools/commonpasswords and never by hand. It holds, in
// little endian: the number of entries, the number of blocks, the offset of each
// block from the first, all in 4 bytes, then the blocks. A block is 16 entries in
// the order of their bytes (the last block may have fewer). An entry is one byte,
// how much of the entry before it is repeated, and the rest of its ASCII text,
// whose last byte has the high bit set. A block's first entry repeats nothing.
//
//go:embed list.bin
var list string

const (
	blockSize = 16
	header    = 8
	longest   = 23 // bytes of the longest entry
)

// Contains reports whether word is on the list, as it stands: callers fold case
// first, the list is in lower case. There are no false positives.
func Contains(word string) bool {
	if len(word) > longest {
		return false
	}
	// The block is the last one that does not begin after word.
	low, high := 0, int(number(4))
	for low < high {
		middle := (low + high) / 2
		if first := blockAt(middle); first.next() && string(first.entry()) <= word {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == 0 {
		return false
	}
	for r := blockAt(low - 1); r.next(); {
		if string(r.entry()) >= word {
			return string(r.entry()) == word
		}
	}
	return false
}

// reader goes through the entries of one block.
type reader struct {
	rest   string
	text   [longest]byte
	length int
	left   int
}

func blockAt(i int) reader {
	data := header + 4*int(number(4))
	return reader{
		rest: list[data+int(number(header+4*i)):],
		left: min(blockSize, int(number(0))-blockSize*i),
	}
}

// next reports whether there was an entry to read.
func (r *reader) next() bool {
	if r.left == 0 {
		return false
	}
	r.left--
	r.length = int(r.rest[0])
	for i := 1; ; i++ {
		b := r.rest[i]
		r.text[r.length] = b &^ 0x80
		r.length++
		if b >= 0x80 {
			r.rest = r.rest[i+1:]
			return true
		}
	}
}

func (r *reader) entry() []byte { return r.text[:r.length] }

// number reads the number at offset.
func number(offset int) uint32 {
	var b [4]byte
	copy(b[:], list[offset:offset+4])
	return binary.LittleEndian.Uint32(b[:])
}
