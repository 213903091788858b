package invitation

import "github.com/tenon-go/tenon/problem"

// Errors of the package.
var (
	// ErrNotFound means that there is no such invitation that is open, or none for the
	// caller; the two are never told apart.
	ErrNotFound = problem.New(problem.NotFound, "INVITATION_NOT_FOUND", "There is no such invitation, or it is no longer open.")
	// ErrAlreadyInvited means that the address has an open invitation.
	ErrAlreadyInvited = problem.New(problem.Conflict, "USER_IS_ALREADY_INVITED_TO_THIS_ORGANIZATION",
		"There is an open invitation to this address. Send it again with resend, or cancel it first.")
	// ErrAlreadyMember means that whoever has the address is a member.
	ErrAlreadyMember = problem.New(problem.Conflict, "USER_IS_ALREADY_A_MEMBER_OF_THIS_ORGANIZATION",
		"This person is a member of the organization already.")
	// ErrLimitReached means that the organization has too many open invitations.
	ErrLimitReached = problem.New(problem.PermissionDenied, "INVITATION_LIMIT_REACHED",
		"The organization has too many open invitations. Cancel some, or wait until they are answered.")
	// ErrInvalidEmail means that what was typed is no address.
	ErrInvalidEmail = problem.New(problem.Invalid, "INVALID_EMAIL", "This is not a valid e-mail address.")
	// ErrRole means that nobody can be invited with the role: that of the owner, or
	// one that the inviter may not give.
	ErrRole = problem.New(problem.PermissionDenied, "YOU_ARE_NOT_ALLOWED_TO_INVITE_USER_WITH_THIS_ROLE",
		"You can't invite anybody with this role.")
	// ErrCallbackURL means that a page was asked to lead where it may not.
	ErrCallbackURL = problem.New(problem.PermissionDenied, "INVALID_CALLBACK_URL", "This address is not among those to go on to.")
	// ErrTeams means that the list of teams is too long or no list of ids.
	ErrTeams = problem.New(problem.Invalid, "INVALID_TEAM_ID", "Name at most 20 teams of the organization by their ids.")
	// ErrNotRecipient means that the invitation was sent to another address than the
	// caller's.
	ErrNotRecipient = problem.New(problem.PermissionDenied, "YOU_ARE_NOT_THE_RECIPIENT_OF_THE_INVITATION",
		"This invitation was sent to another address. Sign in with that one to accept it.")
	// ErrConfirmAddress means that the caller has another address than the invited one
	// and was not asked whether to accept with it.
	ErrConfirmAddress = problem.New(problem.Conflict, "CONFIRM_ANOTHER_ADDRESS",
		"This invitation was sent to another address than yours. Confirm with your user id in the field as.")
	// ErrUnverified means that the caller has not proven the own address.
	ErrUnverified = problem.New(problem.PermissionDenied, "EMAIL_VERIFICATION_REQUIRED_BEFORE_ACCEPTING_OR_REJECTING_INVITATION",
		"Confirm your e-mail address first.")
	// ErrAddressUnproven means that invitations to an address are for who has proven it.
	ErrAddressUnproven = problem.New(problem.PermissionDenied, "EMAIL_VERIFICATION_REQUIRED_FOR_INVITATION",
		"Confirm your e-mail address to see the invitations to it.")
	// ErrInviterGone means that whoever invited may not invite any more.
	ErrInviterGone = problem.New(problem.PermissionDenied, "INVITER_IS_NO_LONGER_A_MEMBER_OF_THE_ORGANIZATION",
		"Whoever sent this invitation may not invite any more. Ask for a new one.")
	// ErrReplaced means that the link is of another invitation than the one that was
	// shown.
	ErrReplaced = problem.New(problem.Conflict, "INVITATION_REPLACED",
		"You opened another invitation meanwhile. Look at what it says and try again.")
)
