package session

import "github.com/tenon-go/tenon/internal/route"

// empty is a request without fields.
type empty struct{}

// revokeRequest names a session by what lists call its token.
type revokeRequest struct {
	Token string `json:"token" required:"true" maxLength:"64" description:"The session's id, as list-sessions gives it."`
}

type status struct {
	Status bool `json:"status"`
}

type signedOut struct {
	Success bool `json:"success"`
}

type sessionAndUser struct {
	Session wireSession `json:"session"`
	User    wireUser    `json:"user"`
}

// wireSession has the official client's fields and, after them, ours.
type wireSession struct {
	ID        string     `json:"id"`
	UserID    string     `json:"userId"`
	Token     string     `json:"token" description:"The session's id once more. It opens nothing; revoke-session takes it."`
	ExpiresAt route.Time `json:"expiresAt" description:"When the session ends if it is not used until then."`
	CreatedAt route.Time `json:"createdAt"`
	UpdatedAt route.Time `json:"updatedAt" description:"When the session was last used, exact to a minute."`
	IPAddress *string    `json:"ipAddress"`
	UserAgent *string    `json:"userAgent"`

	ActiveOrganizationID *string    `json:"activeOrganizationId"`
	ActiveTeamID         *string    `json:"activeTeamId"`
	ImpersonatedBy       *string    `json:"impersonatedBy,omitempty" description:"The superuser who acts as the user in this session."`
	Provider             *string    `json:"provider,omitempty" description:"The identity provider by which the session began."`
	Device               string     `json:"device" description:"The browser and system in words, such as Firefox on Windows."`
	Current              bool       `json:"current" description:"Whether this is the session that asks."`
	EndsAt               route.Time `json:"endsAt" description:"When the session ends whatever happens."`
	*wireDemand
}

// wireDemand is there where somebody demands a second factor that the session has not
// proven.
type wireDemand struct {
	Demanded       bool        `json:"secondFactorDemanded" description:"A second factor is demanded, now or soon."`
	Required       bool        `json:"secondFactorRequired" description:"Nothing but enrolment, step-up and the end of the session is open without it."`
	DueAt          *route.Time `json:"secondFactorDueAt,omitempty" description:"When something that is open now will not be without it."`
	OrganizationID *string     `json:"restrictedOrganizationId,omitempty" description:"The organization that would be active with it."`
}

func newWireDemand(d Demand) *wireDemand {
	if !d.Demanded() {
		return nil
	}
	w := &wireDemand{Demanded: true, Required: d.Required, OrganizationID: route.OrNull(d.OrganizationID)}
	if !d.DueAt.IsZero() {
		due := route.NewTime(d.DueAt)
		w.DueAt = &due
	}
	return w
}

// describe returns {session, user} for the browser's own eyes.
func describe(i Identity, current bool) sessionAndUser {
	s := newWireSession(Device{Session: i.Session, Name: DeviceName(i.Session.UserAgent), Current: current})
	s.wireDemand = newWireDemand(i.SecondFactor)
	return sessionAndUser{Session: s, User: newWireUser(i.User)}
}

type wireUser struct {
	ID            string     `json:"id"`
	Email         string     `json:"email"`
	Name          string     `json:"name"`
	Image         *string    `json:"image"`
	EmailVerified bool       `json:"emailVerified"`
	Role          string     `json:"role" enum:"user,admin" description:"admin is a superuser of the whole installation."`
	CreatedAt     route.Time `json:"createdAt"`
	UpdatedAt     route.Time `json:"updatedAt"`
	// TwoFactorEnabled says that signing in takes a second factor.
	TwoFactorEnabled bool `json:"twoFactorEnabled"`
}

func newWireSession(d Device) wireSession {
	s := d.Session
	w := wireSession{
		ID: s.ID, UserID: s.UserID, Token: s.ID,
		ExpiresAt: route.NewTime(s.IdleEndsAt), CreatedAt: route.NewTime(s.CreatedAt), UpdatedAt: route.NewTime(s.LastSeenAt),
		UserAgent: route.OrNull(s.UserAgent), ActiveOrganizationID: route.OrNull(s.OrganizationID), ActiveTeamID: route.OrNull(s.TeamID),
		Device: d.Name, Current: d.Current, EndsAt: route.NewTime(s.EndsAt),
	}
	w.Provider = route.OrNull(s.Provider())
	if s.ActorID != "" {
		w.ImpersonatedBy = &s.ActorID
	}
	if s.IP.IsValid() {
		w.IPAddress = route.OrNull(s.IP.String())
	}
	return w
}

func newWireUser(u User) wireUser {
	w := wireUser{
		ID: u.ID, Email: u.Email, Name: u.Name, Image: route.OrNull(u.Image), EmailVerified: u.EmailVerified, Role: "user",
		CreatedAt: route.NewTime(u.CreatedAt), UpdatedAt: route.NewTime(u.UpdatedAt), TwoFactorEnabled: u.SecondFactor,
	}
	if u.Superuser {
		w.Role = "admin"
	}
	return w
}
