package crypto

// ParseKeyFile is parseKeyFile for the fuzz test.
func ParseKeyFile(text []byte) (*LocalKMS, error) { return parseKeyFile(text) }
