package passwordless

import (
	"crypto/sha256"
	"fmt"

	"github.com/tenon-go/tenon/token"
)

// flow returns the flow that raw names, or a new one: a browser keeps its flow, so
// that its tabs share what they asked for.
func (s *Service) flow(raw string) (token.Token, error) {
	if known, err := token.Parse(token.KindFlow, raw); err == nil {
		return known, nil
	}
	fresh, err := token.Generate(s.cfg.Rand, token.KindFlow)
	if err != nil {
		return token.Token{}, fmt.Errorf("passwordless: make a flow: %w", err)
	}
	return fresh, nil
}

// hashFlow hashes a flow. A plain hash suffices for 190 random bits, and no row's
// rights hang on it alone: the code is needed, too.
func hashFlow(t token.Token) []byte {
	sum := sha256.Sum256([]byte("tenon flow v1\x00" + t.Secret().Reveal()))
	return sum[:]
}

// sessionFlow is the flow of what a signed-in user asks for: it belongs to the
// session, and needs no cookie of its own.
func sessionFlow(sessionID string) []byte {
	sum := sha256.Sum256([]byte("tenon session flow v1\x00" + sessionID))
	return sum[:]
}
