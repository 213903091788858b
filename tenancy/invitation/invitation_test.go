package invitation_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/mail"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/invitation"
	"github.com/tenon-go/tenon/tenancy/tenancytest"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/token/tokentest"
)

// people are users by id, who is also the local part of the address.
type people map[string]bool // whether the address is proven

func (people) Hold(context.Context, string) error { return nil }

func (p people) HoldPerson(ctx context.Context, id string) (invitation.Person, error) {
	return p.ByID(ctx, id)
}

func (p people) ByID(_ context.Context, id string) (invitation.Person, error) {
	verified, ok := p[id]
	if !ok {
		return invitation.Person{}, problem.ErrNotFound
	}
	return invitation.Person{ID: id, Address: address(id), Name: id, Verified: verified}, nil
}

func (p people) ByAddress(_ context.Context, a invitation.Address) (invitation.Person, error) {
	id, _, _ := strings.Cut(a.Key, "@")
	if !p[id] {
		return invitation.Person{}, nil
	}
	return invitation.Person{ID: id, Address: a, Verified: true}, nil
}

func (people) ParseAddress(typed string) (invitation.Address, error) {
	if !strings.Contains(typed, "@") {
		return invitation.Address{}, errors.New("no address")
	}
	return invitation.Address{Key: strings.ToLower(typed), Display: typed}, nil
}

func address(id string) invitation.Address {
	return invitation.Address{Key: id + "@example.com", Display: id + "@example.com"}
}

// outbox keeps what is mailed.
type outbox struct{ mails []mail.Data }

func (o *outbox) Post(ctx context.Context, _ invitation.Letter, write func(ctx context.Context) (mail.Data, error)) (bool, error) {
	data, err := write(ctx)
	o.mails = append(o.mails, data)
	return err == nil, err
}

// secret is that of the newest mail.
func (o *outbox) secret() string {
	_, raw, _ := strings.Cut(o.mails[len(o.mails)-1].Link, "token=")
	return raw
}

type world struct {
	svc    *invitation.Service
	box    *outbox
	o      tenancy.Organization
	people people
}

func config(t *testing.T) (invitation.Config, *tenancytest.Fake) {
	t.Helper()
	fake := tenancytest.NewFake(nil)
	return invitation.Config{
		Organizations: assert.Must(tenancy.New(fake, tenancy.Config{Users: people{}}))(t),
		People:        people{"owner": true, "bob": true, "eve": false}, Post: &outbox{}, LinkBase: "https://example.com/auth",
		Tokens: assert.Must(token.New(tokentest.NewFake(), token.Config{Peppers: tokentest.NewPeppers()}))(t),
	}, fake
}

func newWorld(t *testing.T, change func(cfg *invitation.Config)) *world {
	t.Helper()
	cfg, fake := config(t)
	if change != nil {
		change(&cfg)
	}
	w := &world{box: cfg.Post.(*outbox), people: cfg.People.(people)}
	w.svc = assert.Must(invitation.New(tenancytest.Invitations{Fake: fake}, cfg))(t)
	assert.NoError(t, fake.InTx(t.Context(), func(ctx context.Context) (err error) {
		w.o, err = cfg.Organizations.CreateDefault(ctx, "owner", "Acme")
		return err
	}))
	return w
}

func (w *world) invite(t *testing.T, to string) invitation.Invitation {
	t.Helper()
	i, err := w.svc.Invite(t.Context(), invitation.InviteParams{
		Caller: &principal.Principal{UserID: "owner"}, OrganizationID: w.o.ID, Email: to, Roles: []string{"member"},
	})
	assert.NoError(t, err)
	return i
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for field, spoil := range map[string]func(cfg *invitation.Config){
		"Organizations": func(cfg *invitation.Config) { cfg.Organizations = nil },
		"People":        func(cfg *invitation.Config) { cfg.People = nil },
		"Tokens":        func(cfg *invitation.Config) { cfg.Tokens = nil },
		"Post":          func(cfg *invitation.Config) { cfg.Post = nil },
		"LinkBase":      func(cfg *invitation.Config) { cfg.LinkBase = "" },
		"Life":          func(cfg *invitation.Config) { cfg.Life = 91 * 24 * time.Hour },
		"Limit":         func(cfg *invitation.Config) { cfg.Limit = -1 },
	} {
		cfg, fake := config(t)
		spoil(&cfg)
		if _, err := invitation.New(tenancytest.Invitations{Fake: fake}, cfg); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	cfg, _ := config(t)
	_, err := invitation.New(nil, cfg)
	assert.Error(t, err)
	_, err = invitation.NewHandler(nil, invitation.HandlerConfig{BaseURL: "https://example.com"})
	assert.Error(t, err)
}

// Without an account, or with an unproven one, an id is nothing, and a secret asks for
// the proof.
func TestR4_UnprovenAddressesAcceptNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	i := w.invite(t, "eve@example.com")
	eve := &principal.Principal{UserID: "eve", SessionID: "s"}
	_, err := w.svc.Accept(t.Context(), invitation.AcceptParams{Caller: eve, ID: i.ID})
	assert.ErrorIs(t, err, invitation.ErrNotFound)
	_, err = w.svc.Accept(t.Context(), invitation.AcceptParams{Caller: eve, Token: w.box.secret()})
	assert.ErrorIs(t, err, invitation.ErrUnverified)
	_, err = w.svc.ListReceived(t.Context(), eve)
	assert.ErrorIs(t, err, invitation.ErrAddressUnproven)
	_, _, err = w.svc.Get(t.Context(), eve, i.ID)
	assert.ErrorIs(t, err, invitation.ErrNotFound)
	_, err = w.svc.Welcome(t.Context(), w.box.secret(), "eve")
	assert.ErrorIs(t, err, tenancy.ErrNoTransaction)
}

// A hook of the acceptance that refuses takes it back whole.
func TestARefusingHookTakesTheAcceptanceBack(t *testing.T) {
	t.Parallel()
	veto, refuse := errors.New("veto"), true
	w := newWorld(t, func(cfg *invitation.Config) {
		cfg.Hooks = invitation.JoinHooks(invitation.Hooks{}, invitation.Hooks{Accepted: func(context.Context, invitation.Joined) error {
			if refuse {
				return veto
			}
			return nil
		}})
	})
	i := w.invite(t, "bob@example.com")
	p := invitation.AcceptParams{Caller: &principal.Principal{UserID: "bob", SessionID: "s"}, ID: i.ID}
	_, err := w.svc.Accept(t.Context(), p)
	assert.ErrorIs(t, err, veto)
	refuse = false
	a, err := w.svc.Accept(t.Context(), p)
	assert.NoError(t, err)
	assert.Equal(t, a.Member.UserID+" "+a.Member.Role, "bob member")
	_, err = w.svc.Accept(t.Context(), p)
	assert.ErrorIs(t, err, invitation.ErrNotFound)
}

func TestTeamsNeedAKeeper(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, err := w.svc.Invite(t.Context(), invitation.InviteParams{
		Caller: &principal.Principal{UserID: "owner"}, OrganizationID: w.o.ID, Email: "x@example.com", Roles: []string{"member"}, TeamIDs: []string{"t"},
	})
	assert.ErrorIs(t, err, invitation.ErrTeams)
}
