package oauth

import (
	"github.com/tenon-go/tenon/auth/oauth/provider"
	"github.com/tenon-go/tenon/problem"
)

// Errors of the package. Their codes are part of the HTTP contract, and are the
// official client's where it has one. Those of package provider reach clients, too.
var (
	// ErrUnknownProvider means that the provider is not configured.
	ErrUnknownProvider = problem.New(problem.NotFound, "PROVIDER_NOT_FOUND", "There is no sign-in with this service.")
	// ErrState answers every callback whose state is nobody's, another browser's, another
	// provider's, used or older than ten minutes, alike, and those whose code is ours.
	ErrState = problem.New(problem.Invalid, "STATE_MISMATCH",
		"This sign-in was not started in this browser, took longer than ten minutes, or was finished before. Start again.")
	// ErrScopes means that somebody asked for scopes that cannot be.
	ErrScopes = problem.New(problem.Invalid, "INVALID_SCOPES", "Ask for at most 20 scopes: words of printable ASCII without spaces.")
	// ErrChallenge means that a bearer client began a flow without what ties it to the
	// client, or another client with it (rule R16).
	ErrChallenge = problem.New(problem.Invalid, "CODE_CHALLENGE_REQUIRED",
		"Bearer clients send callbackURL and codeChallenge: the base64url of the SHA-256 of a verifier (S256). Others send no codeChallenge.")
	// ErrTooLong means that the URLs and scopes of a flow are longer than what is kept of it.
	ErrTooLong = problem.New(problem.Invalid, "REQUEST_TOO_LONG", "The callback URLs and scopes are too long together. Send shorter ones.")
	// ErrNotAdmitted means that the user may not sign in, or that the account changed
	// between proof and session (rule R1).
	ErrNotAdmitted = problem.New(problem.Unauthenticated, "SIGN_IN_REFUSED",
		"This account cannot be signed in to at the moment, or it was changed while you did. Start again.")
	// ErrNoIDTokens means that nobody signs in with an ID token of this provider.
	ErrNoIDTokens = problem.New(problem.NotFound, "ID_TOKEN_NOT_SUPPORTED", "This service does not support signing in by ID token.")
	// ErrEmailNotVerified means that the provider's word does not prove the address, and
	// that a mail will. It is the same for addresses that are free and for those taken.
	ErrEmailNotVerified = problem.New(problem.PermissionDenied, "EMAIL_NOT_VERIFIED",
		"Confirm your address first: open the mail that was sent to it in this browser, then sign in again.")
	// ErrSessionChanged means that the session in which linking or a step-up was started
	// is over, is not fresh any more, or is somebody else's (rule R20).
	ErrSessionChanged = problem.New(problem.Unauthenticated, "SESSION_CHANGED",
		"You are not signed in as when you started. Sign in and start again.")
	// ErrSignUpDisabled means that the account is nobody's and the provider may not make
	// new ones.
	ErrSignUpDisabled = problem.New(problem.PermissionDenied, "SIGNUP_DISABLED",
		"There is no account for this sign-in, and new ones are not made here.")
	// ErrLinkFirst means that the address is that of a user who has to sign in otherwise
	// and link the account then.
	ErrLinkFirst = problem.New(problem.PermissionDenied, "ACCOUNT_NOT_LINKED",
		"There is an account with this address. Sign in as you usually do, and connect this service in your settings.")
	// ErrLinkedElsewhere means that the account at the provider is linked already.
	ErrLinkedElsewhere = problem.New(problem.Conflict, "LINKED_ACCOUNT_ALREADY_EXISTS",
		"This account at the other service is connected to an account here already. Disconnect it there first.")
	// ErrOtherAccount means that somebody proved another account at the provider than one
	// of their own.
	ErrOtherAccount = problem.New(problem.Unauthenticated, "OTHER_ACCOUNT",
		"That was another account than the one that is connected here. Start again, and choose that one at the sign-in service.")
	// ErrNotReauthenticated means that the provider does not say that it asked for a proof
	// just now.
	ErrNotReauthenticated = problem.New(problem.Unauthenticated, "NOT_REAUTHENTICATED",
		"The sign-in service did not ask for your password or passkey again. Use a mailed code.")
	// ErrNoStepUp means that the user has something stronger to prove than an account at
	// a provider (rule R12).
	ErrNoStepUp = problem.New(problem.PermissionDenied, "STEP_UP_NOT_ALLOWED",
		"Confirm that it is you with your password, passkey or second factor.")
	// ErrBrowserOnly means that a bearer client wanted to link an account, or to step up, by
	// a page of the provider: what comes back there has no session.
	ErrBrowserOnly = problem.New(problem.Invalid, "OAUTH_BROWSER_ONLY",
		"This needs a browser that is signed in with a cookie. Bearer clients link accounts by an ID token.")
	// ErrNotFound means that the caller has no such account linked, whoever else has.
	ErrNotFound = problem.New(problem.NotFound, "ACCOUNT_NOT_FOUND", "There is no such connected account.")
	// ErrLastWayIn means that without the link nobody could sign in to the account.
	ErrLastWayIn = problem.New(problem.Conflict, "FAILED_TO_UNLINK_LAST_ACCOUNT",
		"This is the only way to sign in to the account. Set a password or add a passkey first.")
	// ErrTooMany means that the user has as many links as one may have.
	ErrTooMany = problem.New(problem.Conflict, "TOO_MANY_ACCOUNTS", "As many accounts are connected as can be. Disconnect one first.")
	// ErrNoGrant means that no tokens are kept for the account.
	ErrNoGrant = problem.New(problem.NotFound, "ACCESS_TOKEN_NOT_FOUND", "No access to this service is kept. Connect it again.")
	// ErrGrantEnded means that the provider does not let us act for the user any more: the
	// permission was withdrawn or ran out. It is provider.ErrGrantEnded as well.
	ErrGrantEnded = problem.New(problem.Conflict, "OAUTH_GRANT_ENDED",
		"The access to the other service has ended. Connect it again.").With(provider.ErrGrantEnded)
	// ErrNoRefreshToken means that the provider gave nothing to make another access token
	// with.
	ErrNoRefreshToken = problem.New(problem.Invalid, "REFRESH_TOKEN_NOT_FOUND", "The access to this service cannot be renewed. Connect it again.")
	// ErrAccessEnded means that the access token that is kept has run out, or is not
	// accepted by the provider's API any more. Service.AccessToken makes another.
	ErrAccessEnded = problem.New(problem.Conflict, "ACCESS_TOKEN_EXPIRED", "The access to the other service has run out. Renew it first.")
	// ErrTokenSpent means that an ID token or its nonce was used before, or is not ours.
	ErrTokenSpent = problem.New(problem.Unauthenticated, "INVALID_TOKEN", "The sign-in service's proof was used before, or was not asked for. Start again.")
)
