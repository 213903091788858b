package provider

import (
	"errors"
	"fmt"

	"github.com/tenon-go/tenon/problem"
)

// What went wrong, as a client may hear it. None of these, and nothing they wrap, carries a token, a code or a secret.
var (
	// ErrUnavailable means that the provider cannot be reached, answers with an error of its own, or answers with
	// something that nobody can use. Nothing was decided; trying again may help. It is problem.ErrUnavailable as well.
	ErrUnavailable = problem.New(problem.Unavailable, "OAUTH_PROVIDER_UNAVAILABLE",
		"The sign-in service cannot be reached at the moment. Try again shortly.").With(problem.ErrUnavailable)
	// ErrDenied means that the user, or a rule of the provider, did not consent.
	ErrDenied = problem.New(problem.PermissionDenied, "OAUTH_ACCESS_DENIED",
		"It was cancelled at the sign-in service. Nothing has changed: start again whenever you like.")
	// ErrCallback means that the answer which the browser brought is not one to our request.
	ErrCallback = problem.New(problem.Invalid, "OAUTH_CALLBACK_INVALID", "This answer does not belong to your sign-in. Start again.")
	// ErrCodeRefused means that the provider does not exchange the code: it was used, ran out or is not ours.
	ErrCodeRefused = problem.New(problem.Unauthenticated, "OAUTH_CODE_REFUSED", "The sign-in took too long or was used before. Start again.")
	// ErrInvalidIDToken means that an ID token proves nothing to us; the reason is one of those below. There are never
	// claims beside it.
	ErrInvalidIDToken = problem.New(problem.Unauthenticated, "INVALID_TOKEN", "The sign-in service sent a proof that is not valid.")
	// ErrProfile means that the provider's account cannot be read or has no identifier to know it by.
	ErrProfile = problem.New(problem.Unauthenticated, "UNABLE_TO_GET_USER_INFO", "The sign-in service did not say who you are.")
	// ErrNoVerifiedEmail means that the account at the provider has no confirmed primary address.
	ErrNoVerifiedEmail = problem.New(problem.PermissionDenied, "OAUTH_EMAIL_NOT_VERIFIED",
		"Your account there has no confirmed e-mail address. Add one there, confirm it, make it the primary one, and sign in again.")
	// ErrEmailNotShared means that the provider does not let us see the address.
	ErrEmailNotShared = problem.New(problem.PermissionDenied, "EMAIL_NOT_FOUND",
		"The sign-in service did not share your e-mail address. Allow us to read it there, and sign in again.")
	// ErrGrantEnded means that a refresh token is of no use any more: revoked, run out or replaced. Mark it; trying again
	// never helps.
	ErrGrantEnded = problem.New(problem.Unauthenticated, "OAUTH_GRANT_ENDED", "The access to the other service has ended. Connect it again.")
	// ErrUnsupported means that the provider has no such function.
	ErrUnsupported = problem.New(problem.Invalid, "OAUTH_NOT_SUPPORTED", "The sign-in service does not support this.")
	// ErrMisconfigured means that the provider does not accept this client: its id, its secret, its redirect URI or its
	// scopes. The operator has to look.
	ErrMisconfigured = problem.New(problem.Internal, "OAUTH_MISCONFIGURED", "The sign-in service does not accept this application.")
	// ErrConfig means that a Provider or a Config is not acceptable; the wrapping text says which field.
	ErrConfig = problem.New(problem.Internal, "OAUTH_CONFIG", "The configuration is not acceptable.")
	// ErrRequest means that a call lacks what it needs, such as a verifier. It is a mistake of the program.
	ErrRequest = problem.New(problem.Internal, "OAUTH_REQUEST", "The request to the sign-in service cannot be made.")
)

// Why, for logs and audit; each comes wrapped together with one of the errors above.
var (
	// ErrMalformed means that a token is longer than MaxToken, has not exactly three parts, or cannot be read.
	ErrMalformed = errors.New("the token is malformed")
	// ErrAlgorithm means that a token is signed in a way that the configuration does not allow; none is such a way.
	ErrAlgorithm = errors.New("the signature algorithm is not allowed")
	// ErrUnknownKey means that the provider publishes no usable key with the token's id.
	ErrUnknownKey = errors.New("the key is not one of the provider's")
	// ErrSignature means that the signature is not that of the key.
	ErrSignature = errors.New("the signature is wrong")
	// ErrIssuer means that somebody else than the configured issuer speaks: in the token, or in the callback's iss.
	ErrIssuer = errors.New("the issuer is another one")
	// ErrAudience means that a token is for somebody else.
	ErrAudience = errors.New("the audience is another one")
	// ErrAuthorizedParty means that a token was issued to somebody else.
	ErrAuthorizedParty = errors.New("the authorized party is another one")
	// ErrExpired means that a token ran out, or does not say when it will.
	ErrExpired = errors.New("the token ran out")
	// ErrIssuedAt means that a token is from the future, too old, or does not say from when it is.
	ErrIssuedAt = errors.New("the time of issue is not acceptable")
	// ErrNonce means that a token answers another request.
	ErrNonce = errors.New("the nonce is another one")
	// ErrAccessTokenHash means that an ID token belongs to another access token.
	ErrAccessTokenHash = errors.New("the access token is not the ID token's")
	// ErrNoIDToken means that the provider answered without an ID token, or was not asked for one.
	ErrNoIDToken = errors.New("there is no ID token")
	// ErrTokenType means that the access token is not a bearer token.
	ErrTokenType = errors.New("the access token is not a bearer token")
	// ErrSubject means that an account has no identifier: empty, missing, or not a text or whole number.
	ErrSubject = errors.New("the account has no subject")
	// ErrOtherSubject means that userinfo speaks of another account than the ID token.
	ErrOtherSubject = errors.New("userinfo is about another account")
	// ErrUserInfo means that userinfo cannot be read.
	ErrUserInfo = errors.New("userinfo cannot be read")
	// ErrDiscovery means that the discovery document cannot be read or lacks an endpoint.
	ErrDiscovery = errors.New("the discovery document cannot be used")
	// ErrDiscoveryIssuer means that the discovery document is of another issuer than the configured one.
	ErrDiscoveryIssuer = errors.New("the discovery document is of another issuer")
	// ErrKeys means that the provider's key set cannot be read.
	ErrKeys = errors.New("the key set cannot be used")
	// ErrTooLarge means that an answer of the provider is longer than we read.
	ErrTooLarge = errors.New("the answer is too large")
	// ErrStatus means that the provider answered with an unexpected HTTP status.
	ErrStatus = errors.New("the status is unexpected")
)

// because joins what a client may hear with the reason.
func because(public, reason error) error { return fmt.Errorf("provider: %w: %w", public, reason) }
