package invitation_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/invitation"
	"github.com/tenon-go/tenon/tenancy/tenancytest"
	"github.com/tenon-go/tenon/token"
	"github.com/tenon-go/tenon/token/tokentest"
)

// Ada invites bob@example.com. The id of the invitation lets in whoever has proven that
// address, and the mailed secret asks who comes with it. In production the stores are
// tenancybun's and tokenbun's.
func Example() {
	ctx := context.Background()
	users, store, box := people{"ada": true, "bob": true, "eve": true}, tenancytest.NewFake(nil), &outbox{}
	organizations, err := tenancy.New(store, tenancy.Config{Users: users})
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := token.New(tokentest.NewFake(), token.Config{Peppers: tokentest.NewPeppers()})
	if err != nil {
		log.Fatal(err)
	}
	invitations, err := invitation.New(tenancytest.Invitations{Fake: store}, invitation.Config{
		Organizations: organizations, People: users, Tokens: tokens, Post: box, LinkBase: "https://example.com/api/auth",
	})
	if err != nil {
		log.Fatal(err)
	}
	var acme tenancy.Organization
	err = store.InTx(ctx, func(ctx context.Context) (err error) {
		acme, err = organizations.CreateDefault(ctx, "ada", "Acme")
		return err
	})
	if err != nil {
		log.Fatal(err)
	}

	i, err := invitations.Invite(ctx, invitation.InviteParams{
		Caller: &principal.Principal{UserID: "ada"}, OrganizationID: acme.ID, Email: "bob@example.com", Roles: []string{"member"},
	})
	if err != nil {
		log.Fatal(err)
	}
	eve, bob := &principal.Principal{UserID: "eve", SessionID: "1"}, &principal.Principal{UserID: "bob", SessionID: "2"}
	_, err = invitations.Accept(ctx, invitation.AcceptParams{Caller: eve, ID: i.ID})
	fmt.Println("eve, who saw the id:", errors.Is(err, invitation.ErrNotFound))
	_, err = invitations.Accept(ctx, invitation.AcceptParams{Caller: eve, Token: box.secret()})
	fmt.Println("eve, who saw the mail:", errors.Is(err, invitation.ErrNotRecipient))
	accepted, err := invitations.Accept(ctx, invitation.AcceptParams{Caller: bob, ID: i.ID})
	fmt.Println("bob:", accepted.Member.Role, err)
	// Output:
	// eve, who saw the id: true
	// eve, who saw the mail: true
	// bob: member <nil>
}
