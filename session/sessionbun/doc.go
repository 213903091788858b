// Package sessionbun keeps the sessions of package session in PostgreSQL or
// SQLite.
//
// The statement that looks a session up also reads its user, and the user's role
// in the active organization, from tables this package knows nothing about: who
// keeps them hands over the joins (rule R18).
//
//	store, err := sessionbun.New(db, sessionbun.Config{
//		User:   authbun.SessionJoin(),
//		Member: tenancybun.SessionJoin(),
//	})
//
// A host with its own table of users writes its own join:
//
//	bundb.Join{
//		SQL: "JOIN people AS u ON u.id = s.user_id AND u.version = s.security_version AND NOT u.blocked",
//		Columns: []string{"u.mail", "u.name", "''", "u.mail_ok", "false", "u.created", "u.changed"},
//	}
package sessionbun
