package problem

import "net/http"

// Kind says what went wrong in the terms that a caller can act upon. It decides
// the HTTP status. The zero value is [Internal], so that a forgotten kind never
// tells a client anything.
type Kind int

// The kinds, with the status of each.
const (
	Internal         Kind = iota // 500; rendered with fixed text, whatever the error says
	Invalid                      // 400, or 422 where Fields name what is wrong
	Unauthenticated              // 401 with WWW-Authenticate
	PermissionDenied             // 403
	NotFound                     // 404; also what belongs to a neighbour
	Conflict                     // 409
	TooLarge                     // 413
	UnsupportedMedia             // 415
	QuotaExceeded                // 403: the plan's limit is reached; waiting does not help
	RateLimited                  // 429 with Retry-After
	Unavailable                  // 503 with Retry-After
	MethodNotAllowed             // 405 with Allow
	Misdirected                  // 421: the request is for another host
)

// meaning is what a kind stands for over HTTP.
type meaning struct {
	status      int
	title, code string
}

// meaning returns Internal's for a kind that does not exist.
func (k Kind) meaning() meaning {
	switch k {
	case Invalid:
		return meaning{http.StatusBadRequest, "Invalid request", "BAD_REQUEST"}
	case Unauthenticated:
		return meaning{http.StatusUnauthorized, "Authentication required", "UNAUTHORIZED"}
	case PermissionDenied:
		return meaning{http.StatusForbidden, "Permission denied", "FORBIDDEN"}
	case NotFound:
		return meaning{http.StatusNotFound, "Not found", "NOT_FOUND"}
	case Conflict:
		return meaning{http.StatusConflict, "Conflict", "CONFLICT"}
	case TooLarge:
		return meaning{http.StatusRequestEntityTooLarge, "Content too large", "PAYLOAD_TOO_LARGE"}
	case UnsupportedMedia:
		return meaning{http.StatusUnsupportedMediaType, "Unsupported media type", "UNSUPPORTED_MEDIA_TYPE"}
	case QuotaExceeded:
		return meaning{http.StatusForbidden, "Quota exceeded", "QUOTA_EXCEEDED"}
	case RateLimited:
		return meaning{http.StatusTooManyRequests, "Too many requests", "TOO_MANY_REQUESTS"}
	case Unavailable:
		return meaning{http.StatusServiceUnavailable, "Service unavailable", "SERVICE_UNAVAILABLE"}
	case MethodNotAllowed:
		return meaning{http.StatusMethodNotAllowed, "Method not allowed", "METHOD_NOT_ALLOWED"}
	case Misdirected:
		return meaning{http.StatusMisdirectedRequest, "Misdirected request", "MISDIRECTED_REQUEST"}
	}
	return meaning{http.StatusInternalServerError, "Internal server error", internalCode}
}

// Status returns the HTTP status of an error of this kind without field errors.
func (k Kind) Status() int { return k.meaning().status }

// Title returns the short English summary that every problem of this kind has.
func (k Kind) Title() string { return k.meaning().title }
