package tenon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tenon-go/tenon/auth"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/auth/admin"
	"github.com/tenon-go/tenon/auth/twofactor"
	"github.com/tenon-go/tenon/internal/client"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/notify"
	"github.com/tenon-go/tenon/notify/notifybun"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/tenancybun"
)

func (a *App) wireNotify() (err error) {
	cfg := a.cfg.Notifications
	cfg.Users, cfg.Mailer, cfg.Keys, cfg.Now = a.users, notificationMail{a}, a.Keys, a.DB.Now
	if a.Notifications, err = notify.New(notifybun.New(a.DB), cfg); err != nil {
		return err
	}
	a.notifyHTTP, err = notify.NewHandler(a.Notifications)
	return err
}

// MailNotification is the kind of mail that a notification goes by, and the name of its
// template. Its Data.Extra has Title, Body and, where users may turn it off, Mutable.
const MailNotification = "notification"

// notificationMail mails notifications.
type notificationMail struct{ app *App }

// MailNotification implements notify.Mailer. Mail of strangers goes through the budgets
// of rule R6; what only the program and its own people cause is not counted, so that
// nobody can silence it.
func (m notificationMail) MailNotification(ctx context.Context, l notify.Letter) error {
	user, err := m.app.users.UserByID(ctx, l.UserID)
	if err != nil {
		return err
	}
	to, err := auth.AddressOf(user)
	if err != nil || !user.EmailVerified {
		m.app.cfg.Logger.InfoContext(ctx, "tenon: a notification is not mailed", "reason", "no proven address", "user", user.ID)
		return nil
	}
	data := m.data(user, to, l)
	if l.FromStranger {
		letter := auth.Letter{To: to, Kind: MailNotification, Every: time.Minute, Client: clientOf(ctx)}
		_, err := m.app.Auth.Post(ctx, letter, func(context.Context) (mail.Data, error) { return data, nil })
		return err
	}
	message, err := m.app.cfg.MailTemplates.Render("", MailNotification, data)
	if err != nil {
		return err
	}
	message.To = to.Mailbox
	return m.app.queue.Enqueue(ctx, message)
}

func (m notificationMail) data(user auth.User, to auth.Address, l notify.Letter) mail.Data {
	data := mail.Data{Name: user.Name, Email: to.Display, Link: l.Link, Extra: map[string]string{"Title": l.Title, "Body": l.Body}}
	if strings.HasPrefix(l.Link, "/") {
		data.Link = m.app.cfg.BaseURL + l.Link
	}
	if l.Mutable {
		data.Extra["Mutable"] = "yes"
	}
	return data
}

// clientOf describes who sent the request that ctx is of, if one did.
func clientOf(ctx context.Context) auth.Client {
	info, _ := client.FromContext(ctx)
	return auth.Client{IP: info.IP, UserAgent: info.UserAgent}
}

// security sends news about an account to its owner. What is mailed otherwise is not
// mailed again.
func (a *App) security(ctx context.Context, userID, kind string, told news, data map[string]any) error {
	return a.Notifications.Send(ctx, notify.Notification{
		Category: notify.CategorySecurity, Type: "account." + kind, Recipients: []string{userID},
		Title: told.title, Body: told.body, Data: data, NoMail: true,
	})
}

// news is the text of a notification.
type news struct{ title, body string }

const (
	ifNotYou   = "If that was not you, choose a new password at once: sign out, and say on the sign-in page that you forgot it."
	ifNotAsked = "If you did not ask for that, tell the administration at once."
)

// ownersNews words what owners of accounts are mailed, too.
func ownersNews(kind string) news {
	switch kind {
	case account.MailPasswordChanged:
		return news{"Your password was changed", "Your other devices were signed out. " + ifNotYou}
	case account.MailPasswordSet:
		return news{"A password was set", "You can sign in with it from now on. " + ifNotYou}
	case admin.MailPasswordSet:
		return news{"The administration set a new password for you", "You were signed out everywhere. " + ifNotAsked}
	case account.MailEmailChanged:
		return news{"Your e-mail address was changed", "Mail for your account goes to the new address. " + ifNotYou}
	case passkeyAdded:
		return news{"A passkey was added", "It signs in to your account. " + ifNotYou}
	case passkeyRemoved:
		return news{"A passkey was removed", "It does not sign in to your account any more. " + ifNotYou}
	case accountLinked:
		return news{"Another account was linked to yours", "It signs in to your account. " + ifNotYou}
	case accountUnlinked:
		return news{"A linked account was removed", "It does not sign in to your account any more. " + ifNotYou}
	case twofactor.MailEnabled:
		return news{"The second step is on", "Signing in takes a second step from now on. " + ifNotYou}
	case twofactor.MailChanged:
		return news{"Your second step was changed", ifNotYou}
	case twofactor.MailDisabled:
		return news{"The second step is off", "Signing in takes one step from now on. " + ifNotYou}
	case twofactor.MailReset:
		return news{"Your second step was reset", "The administration took the second step away from your account. " + ifNotAsked}
	case twofactor.MailRecoveryReplaced:
		return news{"You have new recovery codes", "The earlier ones do not work any more. " + ifNotYou}
	case twofactor.MailRecoveryUsed:
		return news{"A recovery code was used", "Each works once. " + ifNotYou}
	case twofactor.MailRecoveryLow:
		return news{"You have few recovery codes left", "Make new ones before you run out of them."}
	}
	return news{title: "There is news about your account", body: "We told you more by mail."}
}

// Kinds of packages that a host chooses, which this one does not link.
const (
	passkeyAdded    = "passkey-added"
	passkeyRemoved  = "passkey-removed"
	accountLinked   = "account-linked"
	accountUnlinked = "account-unlinked"
)

// tellOwner keeps what the owner of an account is mailed for the list of notifications.
func (a *App) tellOwner(ctx context.Context, e auth.OwnerTold) error {
	data := map[string]any{}
	for name, value := range e.Extra {
		data[strings.ToLower(name)] = value
	}
	return a.security(ctx, e.User.ID, e.Kind, ownersNews(e.Kind), data)
}

// tellTrustReplayed is about a copied cookie, which its use has ended.
func (a *App) tellTrustReplayed(ctx context.Context, e auth.TrustReplayed) error {
	return a.security(ctx, e.UserID, "trusted-device-copied", news{
		"A trusted browser was copied",
		"Somebody used what only one of your browsers should know. It is not trusted any more, and signing in takes the second step again.",
	}, map[string]any{"deviceId": e.DeviceID})
}

// maxManagers is how many of an organization's owner and admins hear of its news.
const maxManagers = 100

// organizationNews tells members what concerns them, and the owner and the admins who
// joined and left. Whoever did it knows already.
func (a *App) organizationNews() tenancy.Hooks {
	places := tenancybun.New(a.DB)
	return tenancy.Hooks{
		MemberJoined: func(ctx context.Context, e tenancy.MemberJoined) error { return a.tellJoined(ctx, places, e) },
		MemberLeft:   func(ctx context.Context, e tenancy.MemberLeft) error { return a.tellLeft(ctx, places, e) },
		MemberRoleChanged: func(ctx context.Context, e tenancy.MemberRoleChanged) error {
			role := strings.ReplaceAll(e.After.Role, ",", ", ")
			return a.inOrganization(ctx, e.Organization, "role-changed", e.ActorID, []string{e.After.UserID},
				news{fmt.Sprintf("Your role in %s changed", e.Organization.Name), "It is " + role + " now."}, map[string]any{"role": e.After.Role})
		},
		OwnershipOffered: func(ctx context.Context, e tenancy.OwnershipOffered) error {
			if e.To == "" { // taken back
				return nil
			}
			return a.inOrganization(ctx, e.Organization, "ownership-offered", e.From, []string{e.To},
				news{fmt.Sprintf("You are offered the ownership of %s", e.Organization.Name), "You become its owner when you accept."}, nil)
		},
		OwnerChanged: func(ctx context.Context, e tenancy.OwnerChanged) error {
			return a.inOrganization(ctx, e.Organization, "owner-changed", e.ActorID, []string{e.From, e.To},
				news{fmt.Sprintf("%s has another owner", e.Organization.Name), ""}, map[string]any{"ownerId": e.To})
		},
		OrganizationDeleted: func(ctx context.Context, e tenancy.OrganizationDeleted) error {
			return a.inOrganization(ctx, e.Organization, "deleted", e.ActorID, e.UserIDs(),
				news{fmt.Sprintf("%s was deleted", e.Organization.Name), "You are not a member of it any more."}, nil)
		},
	}
}

// inOrganization tells everybody but the actor. It does not wait for who is just being
// deleted: they may wait for the organization, which the transaction of ctx has locked.
func (a *App) inOrganization(ctx context.Context, o tenancy.Organization, kind, actorID string, to []string, told news, data map[string]any) error {
	to = slices.DeleteFunc(slices.Clone(to), func(id string) bool { return id == actorID })
	for part := range slices.Chunk(to, notify.MaxRecipients) {
		err := a.Notifications.Send(ctx, notify.Notification{
			Category: notify.CategoryOrganization, Type: "organization." + kind, OrganizationID: o.ID, Recipients: part,
			Title: told.title, Body: told.body, Data: data, NoWait: true,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tellJoined leaves the owner of a new organization out. An invitation was somebody
// else's doing some time ago, so that its acceptance is news to whoever sent it, too.
func (a *App) tellJoined(ctx context.Context, places *tenancybun.Store, e tenancy.MemberJoined) error {
	if e.Member.UserID == e.Organization.OwnerID {
		return nil
	}
	o, managers, err := places.Managers(ctx, e.Organization.ID, maxManagers)
	if err != nil {
		return err
	}
	who := calledName(e.UserName)
	if e.UserName == "" {
		if who, err = a.nameOf(ctx, e.Member.UserID); err != nil {
			return err
		}
	}
	actor := e.ActorID
	if e.InvitationID != "" {
		actor = e.Member.UserID
	}
	managers = slices.DeleteFunc(managers, func(id string) bool { return id == e.Member.UserID })
	data := map[string]any{"userId": e.Member.UserID, "role": e.Member.Role}
	err = a.inOrganization(ctx, o, "member-joined", actor, managers, news{title: fmt.Sprintf("%s joined %s", who, o.Name)}, data)
	if err != nil {
		return err
	}
	return a.inOrganization(ctx, o, "joined", actor, []string{e.Member.UserID}, news{title: fmt.Sprintf("You are a member of %s now", o.Name)}, data)
}

func (a *App) tellLeft(ctx context.Context, places *tenancybun.Store, e tenancy.MemberLeft) error {
	o, managers, err := places.Managers(ctx, e.Member.OrganizationID, maxManagers)
	if errors.Is(err, tenancy.ErrNotFound) { // it went with its last member
		return nil
	}
	if err != nil {
		return err
	}
	who, err := a.nameOf(ctx, e.Member.UserID)
	if err != nil {
		return err
	}
	managers = slices.DeleteFunc(managers, func(id string) bool { return id == e.Member.UserID })
	data := map[string]any{"userId": e.Member.UserID}
	err = a.inOrganization(ctx, o, "member-left", e.ActorID, managers, news{title: fmt.Sprintf("%s left %s", who, o.Name)}, data)
	if err != nil {
		return err
	}
	return a.inOrganization(ctx, o, "removed", e.ActorID, []string{e.Member.UserID},
		news{title: fmt.Sprintf("You are not a member of %s any more", o.Name), body: "Somebody who administers it removed you."}, nil)
}

// nameOf is how a user is called in texts that others read.
func (a *App) nameOf(ctx context.Context, userID string) (string, error) {
	user, err := a.users.UserByID(ctx, userID)
	if err != nil && !errors.Is(err, auth.ErrUserNotFound) {
		return "", err
	}
	return calledName(user.Name), nil
}

// calledName does not repeat what does not look like a person's name.
func calledName(name string) string { return cmp.Or(mail.PersonName(name), "Somebody") }
