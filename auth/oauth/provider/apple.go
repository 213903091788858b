package provider

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tenon-go/tenon/token"
)

const (
	appleIssuer = "https://appleid.apple.com"
	appleSecret = time.Hour        // how long a client secret lives; Apple takes up to six months
	appleEarly  = 10 * time.Minute // how long before its end the next one is made
)

// AppleConfig is what Apple's developer site shows and hands out.
type AppleConfig struct {
	// ClientID is the identifier of the service. Required.
	ClientID string
	// TeamID is the ten characters of the team. Required.
	TeamID string
	// KeyID is the ten characters of the key. Required.
	KeyID string
	// PrivateKey is the content of the .p8 file. Required.
	PrivateKey token.Secret
	// AppIDs are the bundle identifiers of our own apps, for VerifyIDToken. Defaults to none.
	AppIDs []string
}

// Apple signs in with Apple. The client secret is made from the key: an ES256 JWT of an hour, kept while it lives. Names
// and addresses come only where the callback is a POST, the name once per person, and the address may be a relay's.
// Apple mails every address it confirms, so its word is proof. The error is ErrConfig, for a key that is none.
func Apple(a AppleConfig) (Provider, error) {
	key, err := parseAppleKey(a)
	if err != nil {
		return Provider{}, err
	}
	return Provider{
		ID: "apple", Name: "Apple", Issuer: appleIssuer,
		AuthURL:       appleIssuer + "/auth/authorize",
		TokenURL:      appleIssuer + "/auth/token",
		JWKSURL:       appleIssuer + "/auth/keys",
		RevocationURL: appleIssuer + "/auth/revoke",
		ClientID:      a.ClientID, NativeClients: a.AppIDs, AuthStyle: Params,
		Scopes:         []string{"openid", "email", "name"},
		FormPost:       true,
		EmailAuthority: EmailAuthority{All: true},
		Algorithms:     []string{"RS256", "ES256"},
		assertion:      key,
	}, nil
}

// appleKey makes client secrets. Copies of a Provider share it.
type appleKey struct {
	client, team string
	signer       jose.Signer

	mu    sync.Mutex
	made  token.Secret
	since time.Time
}

func parseAppleKey(a AppleConfig) (*appleKey, error) {
	bad := func(why string) (*appleKey, error) {
		return nil, fmt.Errorf("provider: AppleConfig.%s: %w", why, ErrConfig)
	}
	if a.ClientID == "" || a.TeamID == "" || a.KeyID == "" {
		return bad("ClientID, TeamID and KeyID are required")
	}
	block, _ := pem.Decode([]byte(a.PrivateKey.Reveal()))
	if block == nil {
		return bad("PrivateKey is not PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || key.Curve != elliptic.P256() {
		return bad("PrivateKey is not a PKCS #8 key on P-256")
	}
	options := (&jose.SignerOptions{}).WithHeader("kid", a.KeyID)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		return bad("PrivateKey cannot sign")
	}
	return &appleKey{client: a.ClientID, team: a.TeamID, signer: signer}, nil
}

// secret returns the client secret for now.
func (k *appleKey) secret(now time.Time) (token.Secret, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if age := now.Sub(k.since); !k.made.IsZero() && age >= 0 && age < appleSecret-appleEarly {
		return k.made, nil
	}
	text, err := k.sign(map[string]any{
		"iss": k.team, "sub": k.client, "aud": appleIssuer, "iat": now.Unix(), "exp": now.Add(appleSecret).Unix(),
	})
	if err != nil {
		return token.Secret{}, because(ErrMisconfigured, errors.New("the client secret cannot be signed"))
	}
	k.made, k.since = token.NewSecret(text), now
	return k.made, nil
}

func (k *appleKey) sign(claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	jws, err := k.signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

// addName takes a name, and nothing else, from what came past the provider.
func (c *Client) addName(i *Identity, user string) {
	if c.p.FormPost && i.Name == "" {
		i.Name = nameOf(user)
	}
}

// nameOf reads the name out of Apple's parameter user.
func nameOf(user string) string {
	if len(user) > maxCode {
		return ""
	}
	var said struct {
		Name struct {
			First string `json:"firstName"`
			Last  string `json:"lastName"`
		} `json:"name"`
	}
	if json.Unmarshal([]byte(user), &said) != nil {
		return ""
	}
	return clean(strings.TrimSpace(said.Name.First + " " + said.Name.Last))
}
