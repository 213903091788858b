package passkey

import "github.com/tenon-go/tenon/auth"

// CreationOptions are what a browser makes a passkey by, in the JSON form of
// WebAuthn §5.1.8, as the official client reads it.
type CreationOptions struct {
	Challenge              string                 `json:"challenge"`
	RP                     RelyingParty           `json:"rp"`
	User                   UserEntity             `json:"user"`
	PubKeyCredParams       []Parameter            `json:"pubKeyCredParams"`
	Timeout                int64                  `json:"timeout" description:"Milliseconds"`
	ExcludeCredentials     []Descriptor           `json:"excludeCredentials"`
	AuthenticatorSelection AuthenticatorSelection `json:"authenticatorSelection"`
	Attestation            string                 `json:"attestation"`
}

// RequestOptions are what a browser asks for a passkey by, in the JSON form of
// WebAuthn §5.1.9.
type RequestOptions struct {
	Challenge        string       `json:"challenge"`
	RPID             string       `json:"rpId"`
	Timeout          int64        `json:"timeout" description:"Milliseconds"`
	UserVerification string       `json:"userVerification"`
	AllowCredentials []Descriptor `json:"allowCredentials,omitempty"`
}

// RelyingParty is the site.
type RelyingParty struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

// UserEntity is how authenticators know and show a user.
type UserEntity struct {
	ID          string `json:"id" description:"A random handle, and not the user's id"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
}

// Parameter is a kind of key.
type Parameter struct {
	Type string `json:"type"`
	Alg  int    `json:"alg"`
}

// Descriptor names a credential.
type Descriptor struct {
	ID         string   `json:"id"`
	Type       string   `json:"type"`
	Transports []string `json:"transports,omitempty"`
}

// AuthenticatorSelection says what the authenticator must be able to do.
type AuthenticatorSelection struct {
	AuthenticatorAttachment string `json:"authenticatorAttachment,omitempty"`
	ResidentKey             string `json:"residentKey"`
	RequireResidentKey      bool   `json:"requireResidentKey"`
	UserVerification        string `json:"userVerification"`
}

const typePublicKey = "public-key"

// demand says how much a browser should insist.
func demand(must bool) string {
	if must {
		return "required"
	}
	return "preferred"
}

func (rp *relyingParty) creationOptions(c Ceremony, user auth.User, handle []byte, have []Passkey, attachment string) CreationOptions {
	o := CreationOptions{
		Challenge: encode(c.Challenge), RP: RelyingParty{Name: rp.name, ID: rp.id},
		User:    UserEntity{ID: encode(handle), Name: user.Display, DisplayName: user.Name},
		Timeout: ceremonyLife.Milliseconds(), ExcludeCredentials: descriptors(have), Attestation: "none",
		AuthenticatorSelection: AuthenticatorSelection{
			AuthenticatorAttachment: attachment, ResidentKey: demand(c.UserVerification),
			RequireResidentKey: c.UserVerification, UserVerification: demand(c.UserVerification),
		},
	}
	for _, alg := range algorithms() {
		o.PubKeyCredParams = append(o.PubKeyCredParams, Parameter{Type: typePublicKey, Alg: alg})
	}
	return o
}

func (rp *relyingParty) requestOptions(c Ceremony, allow []Passkey) RequestOptions {
	return RequestOptions{
		Challenge: encode(c.Challenge), RPID: rp.id, Timeout: ceremonyLife.Milliseconds(),
		UserVerification: demand(c.UserVerification), AllowCredentials: descriptors(allow),
	}
}

func descriptors(passkeys []Passkey) []Descriptor {
	all := make([]Descriptor, len(passkeys))
	for i, p := range passkeys {
		all[i] = Descriptor{ID: encode(p.CredentialID), Type: typePublicKey, Transports: p.Transports}
	}
	return all
}
