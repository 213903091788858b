package bundb

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/internal/assert"
)

func TestPlaceholdersBecomeThoseOfTheDatabase(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"":                                  "",
		"SELECT 1":                          "SELECT 1",
		"a = ? AND b = ?":                   "a = $1 AND b = $2",
		"(?,?,?,?,?,?,?,?,?,?,?)":           "($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)",
		"a = 'really?' AND b = ?":           "a = 'really?' AND b = $1",
		"a = 'it''s?' AND b = ?":            "a = 'it''s?' AND b = $1",
		`"who?" = ?`:                        `"who?" = $1`,
		"a -- why?\n= ?":                    "a -- why?\n= $1",
		"a -- the end?":                     "a -- the end?",
		"a /* why? ' */ = ?":                "a /* why? ' */ = $1",
		"$$ what? $$ || ?":                  "$$ what? $$ || $1",
		"$tag$ what? $$ ? $tag$ || ?":       "$tag$ what? $$ ? $tag$ || $1",
		"a->'b' ?? 'c' AND d = ?":           "a->'b' ? 'c' AND d = $1",
		"open 'quote ?":                     "open 'quote ?",
		"é = ? AND ü = 'ß?'":                "é = $1 AND ü = 'ß?'",
		"price = $ AND a = ? AND b = $ + ?": "price = $ AND a = $1 AND b = $ + $2",
	} {
		assert.Equal(t, rebind(Postgres, query), want)
		assert.Equal(t, rebind(SQLite, query), strings.ReplaceAll(query, "??", "?"))
	}
}

func FuzzRebindKeepsEverythingButPlaceholders(f *testing.F) {
	for _, seed := range []string{"a = ? AND b = '?'", "$x$?$x$", "--?\n?", "/*?", `"`, "??", "$1$"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if strings.Contains(query, "??") {
			t.Skip("an escape changes the length")
		}
		assert.Equal(t, rebind(SQLite, query), query)
		got := rebind(Postgres, query)
		for n := strings.Count(query, "?"); n > 0; n-- {
			query = strings.Replace(query, "?", "", 1)
		}
		if len(got) < len(query) {
			t.Errorf("%q lost text: %q", query, got)
		}
	})
}

func TestTimesAreStoredAsUTCInMicroseconds(t *testing.T) {
	t.Parallel()
	east := time.Date(2026, 1, 1, 1, 0, 0, 123456789, time.FixedZone("east", 3600))
	want := time.Date(2026, 1, 1, 0, 0, 0, 123456000, time.UTC)
	assert.Equal(t, normalize(east), any(want))
	assert.Equal(t, normalize(&east), any(want))
	assert.Equal(t, normalize((*time.Time)(nil)), any((*time.Time)(nil)))
	assert.Equal(t, normalize(sql.NullTime{Time: east, Valid: true}), any(sql.NullTime{Time: want, Valid: true}))
	assert.Equal(t, normalize(sql.Null[time.Time]{V: east, Valid: true}), any(sql.Null[time.Time]{V: want, Valid: true}))
	assert.Equal(t, normalize("text"), any("text"))
}
