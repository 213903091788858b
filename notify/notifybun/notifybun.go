// Package notifybun keeps the notifications of package notify in PostgreSQL or SQLite
// through Bun.
//
//	notifications, err := notify.New(notifybun.New(db), notify.Config{…})
package notifybun

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"time"

	"github.com/uptrace/bun"

	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/notify"
)

//go:embed migrations
var migrations embed.FS

// Schema returns the migrations of the package's tables, tenon_notifications and
// tenon_notification_preferences.
func Schema() bundb.Schema {
	// Sub fails only for a path that is not valid, and this one is.
	files, _ := fs.Sub(migrations, "migrations")
	return bundb.Schema{Name: "notify", FS: files}
}

// Secured returns whose the rows of the package's tables are, for row security: a
// notification is open to its recipient and to the organization that it is about,
// which adds it. Preferences belong to no organization and are read when another
// user's action notifies; they stay outside.
func Secured() []bundb.SecuredTable {
	return []bundb.SecuredTable{{Table: "tenon_notifications", Organization: "organization_id", User: "user_id"}}
}

// Store implements notify.Store. It is safe for concurrent use.
type Store struct {
	*bundb.DB
	list, listUnread, count, markAll, prune, forget bundb.Statement
	addOne, preferencesOfOne                        bundb.Statement
	inOrder                                         string
}

var _ notify.Store = (*Store)(nil)

// The list follows its index backwards from the position, so that a page costs its own
// length wherever it is.
const listSQL = `
SELECT id, user_id, category, type, organization_id, dedupe_key, title, body, link, data, in_app, created_at, read_at
FROM tenon_notifications WHERE user_id = ? AND in_app`

const pageSQL = ` AND (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?`

const countSQL = `SELECT count(*) FROM tenon_notifications WHERE user_id = ? AND in_app AND read_at IS NULL`

const (
	unreadSQL  = ` AND read_at IS NULL`
	markSQL    = `UPDATE tenon_notifications SET read_at = ? WHERE user_id = ? AND read_at IS NULL AND id IN (`
	markAllSQL = markSQL + `SELECT id FROM tenon_notifications WHERE user_id = ? AND in_app AND read_at IS NULL AND created_at < ?`
	pruneSQL   = `
DELETE FROM tenon_notifications WHERE id IN (SELECT id FROM tenon_notifications WHERE created_at < ? ORDER BY created_at LIMIT ?`
	forgetSQL = `
DELETE FROM tenon_notifications WHERE user_id = ? AND id IN (SELECT id FROM tenon_notifications WHERE user_id = ?`
)

// New returns a Store on db, whose Schema must have been migrated. It does no I/O.
func New(db *bundb.DB) *Store {
	s := &Store{DB: db}
	skip := ""
	if db.Dialect() == bundb.Postgres {
		// Statements that change several rows of a user take them in one order, so that
		// two of them wait for each other and do not deadlock.
		s.inOrder, skip = " ORDER BY id FOR NO KEY UPDATE", " FOR UPDATE SKIP LOCKED"
	}
	s.list, s.listUnread = db.Statement(listSQL+pageSQL), db.Statement(listSQL+unreadSQL+pageSQL)
	s.count = db.Statement(countSQL)
	s.addOne, s.preferencesOfOne = db.Statement(addOneSQL), db.Statement(preferencesOfOneSQL)
	s.markAll = db.Statement(markAllSQL + s.inOrder + ")")
	s.prune = db.Statement(pruneSQL + skip + ")")
	s.forget = db.Statement(forgetSQL + s.inOrder + ")")
	return s
}

type itemModel struct {
	bun.BaseModel `bun:"table:tenon_notifications,alias:n"`

	ID             string    `bun:"id,pk"`
	UserID         string    `bun:"user_id"`
	Category       string    `bun:"category"`
	Type           string    `bun:"type"`
	OrganizationID string    `bun:"organization_id"`
	Key            string    `bun:"dedupe_key"`
	Title          string    `bun:"title"`
	Body           string    `bun:"body"`
	Link           string    `bun:"link"`
	Data           string    `bun:"data"`
	InApp          bool      `bun:"in_app"`
	CreatedAt      time.Time `bun:"created_at"`
	ReadAt         time.Time `bun:"read_at,nullzero"`
}

func newItemModel(i notify.Item) itemModel {
	return itemModel{
		ID: i.ID, UserID: i.UserID, Category: i.Category, Type: i.Type, OrganizationID: i.OrganizationID, Key: i.Key,
		Title: i.Title, Body: i.Body, Link: i.Link, Data: string(i.Data), InApp: i.InApp,
		CreatedAt: i.CreatedAt.UTC(), ReadAt: i.ReadAt.UTC(),
	}
}

// addBatch is how many rows one INSERT has at most: rows may be long.
const addBatch = 100

// Add implements notify.ItemStore.
func (s *Store) Add(ctx context.Context, items []notify.Item) (added []string, err error) {
	batch, add := addBatch, s.add
	if s.RowSecurity() && !bundb.ScopeOf(ctx).System {
		batch, add = 1, s.addToItsOwner
	}
	for start := 0; start < len(items); start += batch {
		ids, err := add(ctx, items[start:min(start+batch, len(items))])
		if err != nil {
			return nil, bundb.Wrap("notifybun: add", err)
		}
		added = append(added, ids...)
	}
	return added, nil
}

// addToItsOwner adds the one item in the scope in which it can be: what somebody did is
// news to somebody else, and theirs to read.
func (s *Store) addToItsOwner(ctx context.Context, items []notify.Item) (added []string, err error) {
	own := items[0]
	if own.OrganizationID != "" || bundb.ScopeOf(ctx).User == own.UserID {
		return s.addTheOne(ctx, own)
	}
	err = s.InTx(bundb.SwitchScope(ctx, "", own.UserID), func(ctx context.Context) error {
		added, err = s.addTheOne(ctx, own)
		return err
	})
	return added, err
}

func (s *Store) add(ctx context.Context, items []notify.Item) (added []string, err error) {
	if len(items) == 1 {
		return s.addTheOne(ctx, items[0])
	}
	models := make([]itemModel, len(items))
	for i, item := range items {
		models[i] = newItemModel(item)
	}
	_, err = s.Bun().NewInsert().Conn(s.Conn(ctx)).Model(&models).
		On("CONFLICT (user_id, organization_id, dedupe_key) DO NOTHING").Returning("id").Exec(ctx, &added)
	return added, err
}

// addOneSQL is what most news come to: one recipient.
const addOneSQL = `
INSERT INTO tenon_notifications
  (id, user_id, category, type, organization_id, dedupe_key, title, body, link, data, in_app, created_at, read_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (user_id, organization_id, dedupe_key) DO NOTHING RETURNING id`

func (s *Store) addTheOne(ctx context.Context, i notify.Item) (added []string, err error) {
	var id string
	err = s.addOne.QueryRow(ctx, i.ID, i.UserID, i.Category, i.Type, i.OrganizationID, i.Key, i.Title, i.Body, i.Link,
		string(i.Data), i.InApp, i.CreatedAt, sql.NullTime{Time: i.ReadAt, Valid: !i.ReadAt.IsZero()}).Scan(&id)
	switch {
	case errors.Is(err, sql.ErrNoRows): // has one of that key
		return nil, nil
	case err != nil:
		return nil, err
	}
	return []string{id}, nil
}

// List implements notify.ItemStore.
func (s *Store) List(ctx context.Context, q notify.Query) ([]notify.Item, error) {
	after, statement := q.After, s.list
	if after == (notify.Position{}) {
		after.CreatedAt = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if q.Unread {
		statement = s.listUnread
	}
	rows, err := statement.Query(ctx, q.UserID, after.CreatedAt, after.ID, q.Limit)
	if err != nil {
		return nil, bundb.Wrap("notifybun: list", err)
	}
	defer rows.Close()
	items := make([]notify.Item, 0, q.Limit)
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, bundb.Wrap("notifybun: list", err)
		}
		items = append(items, item)
	}
	return items, bundb.Wrap("notifybun: list", rows.Err())
}

func scan(rows *sql.Rows) (i notify.Item, err error) {
	var data string
	err = rows.Scan(&i.ID, &i.UserID, &i.Category, &i.Type, &i.OrganizationID, &i.Key, &i.Title, &i.Body, &i.Link, &data,
		&i.InApp, bundb.ScanTime(&i.CreatedAt), bundb.ScanTime(&i.ReadAt))
	if data != "" {
		i.Data = json.RawMessage(data)
	}
	return i, err
}

// CountUnread implements notify.ItemStore.
func (s *Store) CountUnread(ctx context.Context, userID string) (n int, err error) {
	err = s.count.Scan(ctx, []any{userID}, &n)
	return n, bundb.Wrap("notifybun: count", err)
}

// MarkRead implements notify.ItemStore.
func (s *Store) MarkRead(ctx context.Context, userID string, ids []string, now time.Time) (int, error) {
	query := markSQL + "SELECT id FROM tenon_notifications WHERE user_id = ? AND in_app AND read_at IS NULL AND id IN (?)" + s.inOrder + ")"
	n, err := affected(s.Bun().NewRaw(query, now.UTC(), userID, userID, bun.List(ids)).Conn(s.Conn(ctx)).Exec(ctx))
	return n, bundb.Wrap("notifybun: mark as read", err)
}

// MarkAllRead implements notify.ItemStore.
func (s *Store) MarkAllRead(ctx context.Context, userID string, before, now time.Time) (int, error) {
	n, err := affected(s.markAll.Exec(ctx, now, userID, userID, before))
	return n, bundb.Wrap("notifybun: mark all as read", err)
}

// PruneItems implements notify.ItemStore.
func (s *Store) PruneItems(ctx context.Context, before time.Time, limit int) (int, error) {
	n, err := affected(s.prune.Exec(ctx, before, limit))
	return n, bundb.Wrap("notifybun: prune", err)
}

// ForgetItems implements notify.ItemStore.
func (s *Store) ForgetItems(ctx context.Context, userID string) error {
	_, err := s.forget.Exec(s.AsSystem(ctx), userID, userID)
	return bundb.Wrap("notifybun: forget a user", err)
}

// affected returns how many rows a statement changed.
func affected(result sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
