// Command commonpasswords makes the embedded list of package
// auth/password/common from the frequency lists of zxcvbn:
//
//	npm pack zxcvbn@4.4.2
//	go run -C tools ./commonpasswords -in "$PWD/zxcvbn-4.4.2.tgz" -out "$PWD/auth/password/common/list.bin"
//
// It takes that one release, known by its checksum, so that the same list comes
// out everywhere. The format is described beside the reader.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

const (
	// source is the SHA-256 of zxcvbn-4.4.2.tgz as npm serves it.
	source = "0b3ebb60ec2df2340e1b8b70e4cb2657a3ceb192781d299310e7aceaa606cd22"
	member = "package/src/frequency_lists.coffee"
	// leastWord is the length from which words and names count: shorter ones are
	// refused for their length. Passwords are taken whole, because a longer one
	// may be made of them.
	leastWord = 8
	block     = 16
)

func main() {
	in := flag.String("in", "", "zxcvbn-4.4.2.tgz")
	out := flag.String("out", "", "the list to write")
	flag.Parse()
	if err := run(*in, *out); err != nil {
		fmt.Fprintln(os.Stderr, "commonpasswords:", err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	archive, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(archive); hex.EncodeToString(sum[:]) != source {
		return errors.New("the archive is not zxcvbn 4.4.2 as it was published")
	}
	text, err := extract(archive)
	if err != nil {
		return err
	}
	words, err := collect(text)
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, encode(words), 0o644); err != nil { //nolint:gosec // a public list
		return err
	}
	sum := sha256.Sum256([]byte(strings.Join(words, "\n")))
	fmt.Printf("%s: %d entries, SHA-256 of the lines %x\n", path.Base(out), len(words), sum)
	return nil
}

// extract returns the lists' source text.
func extract(archive []byte) (string, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return "", err
	}
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if err != nil {
			return "", fmt.Errorf("find %s: %w", member, err)
		}
		if header.Name == member {
			text, err := io.ReadAll(files)
			return string(text), err
		}
	}
}

// collect returns the entries, sorted and each once.
func collect(text string) ([]string, error) {
	lists := regexp.MustCompile(`(?m)^\s*(?:frequency_lists = )?\s*(\w+): ["'](.*)["']\.split\(","\)`).FindAllStringSubmatch(text, -1)
	if len(lists) != 6 {
		return nil, fmt.Errorf("found %d of 6 lists", len(lists))
	}
	var words []string
	for _, list := range lists {
		for word := range strings.SplitSeq(strings.ReplaceAll(list[2], `\'`, `'`), ",") {
			if list[1] != "passwords" && len(word) < leastWord {
				continue
			}
			if word == "" || word != strings.ToLower(word) || strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r > '~' }) {
				return nil, fmt.Errorf("%s has %q, which the format can't hold", list[1], word)
			}
			words = append(words, word)
		}
	}
	slices.Sort(words)
	return slices.Compact(words), nil
}

// encode writes the number of entries, the number of blocks, where each block
// begins, and the blocks.
func encode(words []string) []byte {
	var data []byte
	var starts []uint32
	previous := ""
	for i, word := range words {
		if i%block == 0 {
			starts, previous = append(starts, uint32(len(data))), ""
		}
		shared := 0
		for shared < min(len(previous), len(word)) && previous[shared] == word[shared] {
			shared++
		}
		data = append(append(data, byte(shared)), word[shared:]...)
		data[len(data)-1] |= 0x80
		previous = word
	}
	out := binary.LittleEndian.AppendUint32(nil, uint32(len(words)))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(starts)))
	for _, start := range starts {
		out = binary.LittleEndian.AppendUint32(out, start)
	}
	return append(out, data...)
}
