package password

import (
	"encoding/base64"
	"errors"
)

// Firebase are the parameters by which a Firebase project hashes passwords, as its
// console and auth:export print them. One project's hashes can be verified.
type Firebase struct {
	// SignerKey is base64_signer_key. It is a secret.
	SignerKey string
	// SaltSeparator is base64_salt_separator.
	SaltSeparator string
	// Rounds is rounds, 1 to 8.
	Rounds int
	// MemCost is mem_cost, 1 to 14.
	MemCost int
}

// firebaseKey is a checked Firebase.
type firebaseKey struct {
	params
	signer, separator []byte
}

// parse answers nil for the zero value: no project.
func (f Firebase) parse() (*firebaseKey, error) {
	if f == (Firebase{}) {
		return nil, nil //nolint:nilnil // no project is a configuration like another
	}
	signer, errSigner := base64.StdEncoding.Strict().DecodeString(f.SignerKey)
	separator, errSeparator := base64.StdEncoding.Strict().DecodeString(f.SaltSeparator)
	switch {
	case errSigner != nil || len(signer) < minTag || len(signer) > maxTag:
		return nil, errors.New("Firebase.SignerKey must be 16 to 64 bytes in base64")
	case errSeparator != nil || len(separator) > maxSalt:
		return nil, errors.New("Firebase.SaltSeparator must be base64")
	case f.Rounds < 1 || f.Rounds > 8 || f.MemCost < 1 || f.MemCost > 14:
		return nil, errors.New("need 1 to 8 Firebase.Rounds and a Firebase.MemCost from 1 to 14")
	}
	key := &firebaseKey{signer: signer, separator: separator}
	key.setScrypt(f.MemCost, f.Rounds, 1)
	return key, nil
}
