package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/jackc/pgx/v5"
)

// listen is bundb.DB.Listen on a connection of its own.
func listen(ctx context.Context, pool *sql.DB, channel string, heard func()) error {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var lost error
	err = conn.Raw(func(c any) error {
		own := unwrapped(c)
		if own == nil {
			return errForeign
		}
		lost = hear(ctx, own.Conn(), channel, heard)
		// Nobody else shall get a connection that listens.
		return driver.ErrBadConn
	})
	if errors.Is(err, errForeign) {
		return nil
	}
	return lost
}

// hear returns when ctx ends or the connection is lost.
func hear(ctx context.Context, conn *pgx.Conn, channel string, heard func()) error {
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return err
	}
	for {
		heard()
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
	}
}
