// Package bundbtest gives tests a database of their own, on SQLite and on
// PostgreSQL, and makes it fail at any point:
//
//	func TestInvite(t *testing.T) {
//		bundbtest.Each(t, []bundb.Schema{tenancybun.Schema()}, func(t *testing.T, db *bundb.DB) {
//			store := tenancybun.New(db)
//			bundbtest.RequireAtomic(t, db, func(ctx context.Context) error {
//				return store.Invite(ctx, invitation())
//			})
//		})
//	}
//
// PostgreSQL is found in TENON_TEST_POSTGRES; tools/withpostgres starts one.
package bundbtest
