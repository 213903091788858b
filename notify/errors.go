package notify

import "github.com/tenon-go/tenon/problem"

// The errors of the package.
var (
	// ErrUnknownCategory means that no category has that name.
	ErrUnknownCategory = problem.New(problem.Invalid, "UNKNOWN_NOTIFICATION_CATEGORY", "There is no such category of notifications.")
	// ErrUnknownChannel means that notifications go by no such channel.
	ErrUnknownChannel = problem.New(problem.Invalid, "UNKNOWN_NOTIFICATION_CHANNEL", "There is no such channel. Use in-app or mail.")
	// ErrCannotMute means that a category cannot be muted on a channel by which it goes
	// by default.
	ErrCannotMute = problem.New(problem.Conflict, "NOTIFICATIONS_CANNOT_BE_MUTED", "These notifications cannot be turned off.")
	// ErrTooManyIDs means that one call names more than MaxIDs notifications.
	ErrTooManyIDs = problem.New(problem.Invalid, "TOO_MANY_IDS", "That is too many notifications at once.")
	// ErrInvalidNotification means that the program sends what is no notification: its
	// cause says what is wrong. A client cannot cause it.
	ErrInvalidNotification = problem.New(problem.Internal, "INVALID_NOTIFICATION", "The notification is not valid.")
)
