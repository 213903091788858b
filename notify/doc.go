// Package notify tells users what happened: a row per recipient that a site shows
// behind a bell, and a mail where the recipient wants one.
//
//	notifications, err := notify.New(notifybun.New(db), notify.Config{
//		Categories: []notify.Category{{Name: "comments", Channels: []notify.Channel{notify.InApp, notify.Mail}}},
//		Users: users, Mailer: mailer, Keys: keyring, Now: db.Now,
//	})
//
//	err = db.InTx(ctx, func(ctx context.Context) error { // the row commits with its cause
//		…
//		return notifications.Send(ctx, notify.Notification{
//			Category: "comments", Type: "comment.created", Recipients: []string{authorID},
//			Key: "comment/" + comment.ID, Title: "Somebody answered you", Link: "/posts/42",
//		})
//	})
//
// # Once
//
// A recipient has one notification of a key in an organization, however often it is sent
// and by how many at once: the database holds them to it by a unique index, for as long as
// [Config].Keep keeps the row. What was a row before is neither changed nor mailed
// again. Without a key every Send is a notification of its own.
//
// # Categories and preferences
//
// Every notification has a [Category], which says by which channels it goes. Users
// change that for themselves; what is stored is where they differ from the category's
// default, so that a new default reaches everybody who never chose. [CategorySecurity],
// [CategoryBilling] and whatever a host declares Required cannot be muted, not by a row
// in the database either.
//
// # Whose they are
//
// A notification belongs to its recipient: every statement names the user, and the id
// of somebody else's is the same as one that never existed. Send holds the recipients
// (rule R3) and passes over those who are gone; [Service].Forget deletes what is kept
// about a user in the transaction that deletes them. OrganizationID is where something
// happened, for the page that shows it: the notification outlives a membership and the
// organization, and permits nothing.
//
// What a notification says was written by the program, but names in it may be a
// stranger's. Title and Body are plain text: escape them. Links are paths of the site
// or http(s) addresses, never scripts.
//
// # Errors, storage and concurrency
//
// Errors are listed at each method. [Store] is the contract; package notifybun keeps it
// in PostgreSQL and SQLite, package notifytest in memory, with the suite for both.
// Service and Handler are safe for concurrent use; they join the transaction in ctx.
package notify
