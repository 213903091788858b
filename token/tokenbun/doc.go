// Package tokenbun keeps one-time tokens in PostgreSQL or SQLite: the table
// tenon_one_time_tokens.
//
//	_, err := db.Migrate(ctx, tokenbun.Schema())
//	tokens, err := token.New(tokenbun.New(db), token.Config{Peppers: keyring})
package tokenbun
