package passkey

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"

	"github.com/tenon-go/tenon/internal/cookie"
)

// This file is the only one that knows go-webauthn, whose API still moves. It reads
// what authenticators answer and verifies it. Options, ceremonies, counters and
// everything else are ours: so is the clock, which the library is never told to ask.

// maxCredentialID is in bytes (WebAuthn §5.8.3).
const maxCredentialID = 1023

// androidOrigin begins the origin of an Android app: the hash of its signing key
// follows.
const androidOrigin = "android:apk-key-hash:"

// relyingParty verifies for one RP id and its origins.
type relyingParty struct {
	id, name string
	lib      *webauthn.WebAuthn
}

// newRelyingParty judges the RP id and the origins. The library's Config is validated
// here, once, because it is otherwise written by the first request.
func newRelyingParty(cfg Config) (*relyingParty, error) {
	policy, err := cookie.New(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("BaseURL: %w", err)
	}
	id, err := rpID(cfg.RPID, policy.Origin())
	if err != nil {
		return nil, err
	}
	origins, apps := []string{policy.Origin()}, []string(nil)
	for _, origin := range cfg.Origins {
		if strings.HasPrefix(origin, androidOrigin) {
			apps = append(apps, origin)
			continue
		}
		if err := checkOrigin(origin); err != nil {
			return nil, err
		}
		origins = append(origins, origin)
	}
	name := cfg.ProductName
	if name == "" {
		name = id
	}
	lib, err := webauthn.New(&webauthn.Config{
		RPID: id, RPDisplayName: name, RPOrigins: origins, RPOpaqueOrigins: apps,
		// Browsers add outputs of extensions that nobody asked for; none is read here.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, err
	}
	return &relyingParty{id: id, name: name, lib: lib}, nil
}

// rpID returns the RP id: what is asked for, if pages of the base URL may use it.
func rpID(asked, origin string) (string, error) {
	base, err := url.Parse(origin)
	if err != nil {
		return "", fmt.Errorf("BaseURL: %w", err)
	}
	host := base.Hostname()
	if _, err := netip.ParseAddr(host); err == nil {
		return "", errors.New("BaseURL: passkeys do not work on an IP address; use localhost or a domain")
	}
	if asked == "" || asked == host {
		return host, nil
	}
	if !strings.Contains(asked, ".") || !strings.HasSuffix(host, "."+asked) || strings.HasPrefix(asked, ".") {
		return "", fmt.Errorf("RPID: %q is neither the host of BaseURL nor a domain above it", asked)
	}
	return asked, nil
}

// checkOrigin takes origins as browsers send them, and no others: one with a path
// would never match.
func checkOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost") || u.Host == "" || u.Scheme+"://"+u.Host != origin {
		return fmt.Errorf("config field Origins: %q is not written like https://example.com or %s…", origin, androidOrigin)
	}
	return nil
}

// algorithms are the signatures that passkeys may make, the preferred first.
func algorithms() []int {
	return []int{int(webauthncose.AlgES256), int(webauthncose.AlgEdDSA), int(webauthncose.AlgRS256)}
}

// person is a user as the library wants one: by the handle alone.
type person struct {
	handle      []byte
	credentials []webauthn.Credential
}

func (p person) WebAuthnID() []byte                         { return p.handle }
func (p person) WebAuthnName() string                       { return "" }
func (p person) WebAuthnDisplayName() string                { return "" }
func (p person) WebAuthnCredentials() []webauthn.Credential { return p.credentials }

// session is what the library wants to know of a ceremony. It has no time: the
// ceremony's row says when it ends.
func (rp *relyingParty) session(c Ceremony) webauthn.SessionData {
	s := webauthn.SessionData{
		Challenge: encode(c.Challenge), RelyingPartyID: rp.id, UserVerification: protocol.VerificationPreferred,
	}
	if c.UserVerification {
		s.UserVerification = protocol.VerificationRequired
	}
	for _, alg := range algorithms() {
		s.CredParams = append(s.CredParams, protocol.CredentialParameter{
			Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.COSEAlgorithmIdentifier(alg),
		})
	}
	return s
}

// created is what an authenticator answers to a registration, read and not verified.
type created struct {
	data *protocol.ParsedCredentialCreationData
}

// readCreated reads the response to a registration, of which nothing is trusted.
func readCreated(response []byte) (created, error) {
	data, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return created{}, refused(err)
	}
	return created{data}, nil
}

func (c created) challenge() string { return c.data.Response.CollectedClientData.Challenge }

// register returns the passkey that was made, without what only the row knows.
func (rp *relyingParty) register(c Ceremony, handle []byte, made created) (Passkey, error) {
	session := rp.session(c)
	session.UserID = handle
	credential, err := rp.lib.CreateCredential(person{handle: handle}, session, made.data)
	if err != nil {
		return Passkey{}, refused(err)
	}
	if len(credential.ID) == 0 || len(credential.ID) > maxCredentialID || !bytes.Equal(credential.ID, made.data.RawID) {
		return Passkey{}, errors.New("passkey: the credential id is not the authenticator's")
	}
	aaguid, err := uuid.FromBytes(credential.Authenticator.AAGUID)
	if err != nil {
		return Passkey{}, fmt.Errorf("passkey: AAGUID: %w", err)
	}
	var transports []string
	for _, t := range credential.Transport {
		transports = append(transports, string(t))
	}
	return Passkey{
		CredentialID: slices.Clone(credential.ID), PublicKey: slices.Clone(credential.PublicKey), AAGUID: aaguid,
		Transports: knownTransports(transports), SignCount: credential.Authenticator.SignCount,
		BackupEligible: credential.Flags.BackupEligible, BackupState: credential.Flags.BackupState,
		UserVerified: credential.Flags.UserVerified,
	}, nil
}

// asserted is what an authenticator answers to a request, read and not verified.
type asserted struct {
	data *protocol.ParsedCredentialAssertionData
}

// readAsserted reads the response to a request, of which nothing is trusted.
func readAsserted(response []byte) (asserted, error) {
	data, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return asserted{}, refused(err)
	}
	return asserted{data}, nil
}

func (a asserted) challenge() string    { return a.data.Response.CollectedClientData.Challenge }
func (a asserted) credentialID() []byte { return a.data.RawID }
func (a asserted) counter() uint32      { return a.data.Response.AuthenticatorData.Counter }
func (a asserted) userVerified() bool {
	return a.data.Response.AuthenticatorData.Flags.HasUserVerified()
}

func (a asserted) backupState() bool { return a.data.Response.AuthenticatorData.Flags.HasBackupState() }

// check verifies an assertion of p, whose user has that handle: the challenge, the
// origin, the RP id, presence, verification of the user where the ceremony required
// it, the backup eligibility, and the signature. In a sign-in, in which nobody was
// asked for, the handle must be in the response. Counters are the store's to judge.
func (rp *relyingParty) check(c Ceremony, p Passkey, handle []byte, a asserted) error {
	session := rp.session(c)
	owner := person{handle: handle, credentials: []webauthn.Credential{{
		ID: p.CredentialID, PublicKey: p.PublicKey,
		Flags: webauthn.CredentialFlags{UserVerified: p.UserVerified, BackupEligible: p.BackupEligible, BackupState: p.BackupState},
	}}}
	var err error
	if c.Kind == KindSignIn {
		found := func(_, _ []byte) (webauthn.User, error) { return owner, nil }
		_, _, err = rp.lib.ValidatePasskeyLogin(found, session, a.data)
	} else {
		session.UserID = handle
		_, err = rp.lib.ValidateLogin(owner, session, a.data)
	}
	return refused(err)
}

// refused makes one error of the library's. Its details may repeat input, so they go
// no further than a cause.
func refused(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("passkey: refused: %w", err)
}

// encode is how WebAuthn writes bytes in JSON.
func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
