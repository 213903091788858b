package team_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/team"
	"github.com/tenon-go/tenon/tenancy/tenancytest"
)

// crowd are the users of an example, who are all there.
type crowd struct{}

func (crowd) Hold(context.Context, string) error { return nil }

// Ada sorts the members of her organization. In production the stores are tenancybun's.
func Example() {
	ctx := context.Background()
	store := tenancytest.NewFake(nil)
	organizations, err := tenancy.New(store, tenancy.Config{Users: crowd{}})
	if err != nil {
		log.Fatal(err)
	}
	teams, err := team.New(tenancytest.Teams{Fake: store}, team.Config{Organizations: organizations, MaxMembers: 20})
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
	if _, err := organizations.Join(ctx, tenancy.JoinParams{OrganizationID: acme.ID, UserID: "bob", Role: "member"}); err != nil {
		log.Fatal(err)
	}

	ada, bob := &principal.Principal{UserID: "ada"}, &principal.Principal{UserID: "bob"}
	_, err = teams.Create(ctx, bob, acme.ID, "Sales")
	fmt.Println("bob makes one:", err == nil)
	sales, err := teams.Create(ctx, ada, acme.ID, "Sales")
	if err != nil {
		log.Fatal(err)
	}
	for _, user := range []string{"bob", "eve"} {
		_, err := teams.AddMember(ctx, ada, acme.ID, sales.ID, user)
		fmt.Println(user, err == nil, errors.Is(err, team.ErrNotInOrganization))
	}
	mine, err := teams.ListOf(ctx, bob, "", "")
	fmt.Println(len(mine), mine[0].Name, err)
	// Output:
	// bob makes one: false
	// bob true false
	// eve false true
	// 1 Sales <nil>
}
