package route

import "encoding/json"

// Strings is a list of texts that may be written as one text without the list, as the
// official client does. What the texts may be is for the handler to judge.
type Strings []string

// UnmarshalJSON reads a text or a list of texts.
func (s *Strings) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*s = Strings{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(raw, &many); err != nil {
		return err
	}
	*s = many
	return nil
}

// JSONSchemaBytes describes what UnmarshalJSON reads, for the OpenAPI document.
func (Strings) JSONSchemaBytes() ([]byte, error) {
	return []byte(`{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]}`), nil
}
