package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
	"github.com/tenon-go/tenon/tenancy/tenancytest"
)

// crowd are the users of an example, who are all there.
type crowd struct{}

func (crowd) Hold(context.Context, string) error { return nil }

// A host that has users of its own uses this package alone. In production the store is
// tenancybun's.
func Example() {
	ctx := context.Background()
	errFull := errors.New("the plan has no seat left")
	seats := 3
	store := tenancytest.NewFake(nil)
	organizations, err := tenancy.New(store, tenancy.Config{
		Users:      crowd{},
		Statements: tenancy.Permissions{"invoices": {"read", "write"}},
		Roles:      map[string]tenancy.Permissions{"billing": {"invoices": {"read", "write"}}},
		Hooks: tenancy.Hooks{BeforeMemberJoined: func(context.Context, tenancy.MemberJoined) error {
			if seats--; seats < 0 {
				return errFull
			}
			return nil
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	var acme tenancy.Organization
	err = store.InTx(ctx, func(ctx context.Context) (err error) { // that of the sign-up
		acme, err = organizations.CreateDefault(ctx, "ada", tenancy.DefaultName("Ada"))
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(acme.Name)
	for user, role := range map[string]string{"bob": "billing", "cem": "member"} {
		if _, err := organizations.Join(ctx, tenancy.JoinParams{OrganizationID: acme.ID, UserID: user, Role: role}); err != nil {
			log.Fatal(err)
		}
	}
	_, err = organizations.Join(ctx, tenancy.JoinParams{OrganizationID: acme.ID, UserID: "dan", Role: "member"})
	fmt.Println("dan:", errors.Is(err, errFull))

	for _, user := range []string{"ada", "bob", "cem", "eve"} {
		_, _, err := organizations.Authorize(ctx, &principal.Principal{UserID: user}, acme.ID, "invoices", "write")
		fmt.Println(user, err == nil, errors.Is(err, tenancy.ErrNotFound), problem.KindOf(err) == problem.PermissionDenied)
	}
	// Output:
	// Ada's organization
	// dan: true
	// ada true false false
	// bob true false false
	// cem false false true
	// eve false true false
}

// Roles come as names, or as lists of them with commas. That of the owner is not given.
func ExampleParseRoles() {
	roles, err := tenancy.ParseRoles("member, Billing", "member")
	fmt.Println(roles, err)
	_, err = tenancy.ParseRoles("admin,owner")
	fmt.Println(errors.Is(err, tenancy.ErrUseTransfer))
	// Output:
	// billing,member <nil>
	// true
}

// A path or a query that names an organization goes before the one that the session
// acts in. Two different ones are an error.
func ExampleResolve() {
	caller := &principal.Principal{UserID: "ada", OrganizationID: "acme"}
	for _, named := range [][]string{{"", ""}, {"zenith", ""}, {"zenith", "acme"}} {
		id, err := tenancy.Resolve(caller, named...)
		fmt.Println(id, errors.Is(err, tenancy.ErrTwoOrganizations))
	}
	// Output:
	// acme false
	// zenith false
	//  true
}
