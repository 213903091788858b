package crypto

// ParseKeyFile is parseKeyFile for the fuzz test.
func ParseKeyFile(text []byte) (*LocalKMS, error) { return parseKeyFile(text) }

// Held returns where a keyring's cache keeps its data keys and subkeys, and how many failures it remembers.
func Held(k *Keyring) (deks []*[keySize]byte, subkeys, misses int) {
	k.cache.mu.Lock()
	defer k.cache.mu.Unlock()
	for _, el := range k.cache.entries {
		e := el.Value.(*entry)
		deks, subkeys = append(deks, &e.dek), subkeys+len(e.subkeys)
	}
	return deks, subkeys, len(k.cache.misses)
}
