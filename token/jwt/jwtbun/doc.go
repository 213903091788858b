// Package jwtbun keeps the keys of access tokens in PostgreSQL or SQLite: the table
// tenon_jwt_keys.
//
//	_, err := db.Migrate(ctx, cryptobun.Schema(), jwtbun.Schema())
//	keyring, err := crypto.New(cryptobun.New(db), crypto.Config{Sealed: jwtbun.Sealed(), ...})
//	tokens, err := jwt.New(jwtbun.New(db), jwt.Config{Sealer: keyring, ...})
package jwtbun
