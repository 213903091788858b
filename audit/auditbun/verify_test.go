package auditbun_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/internal/assert"
)

const entries = "tenon_audit_entries"

// forged is a MAC that somebody without the key made, as a literal.
func (w *world) forged() string {
	if w.db.Dialect() == bundb.Postgres {
		return `'\x` + strings.Repeat("ab", 32) + `'::bytea`
	}
	return "x'" + strings.Repeat("ab", 32) + "'"
}

// at changes one row, and cut removes those whose number is such.
func at(set string, seq int) string {
	return fmt.Sprintf("UPDATE %s SET %s WHERE organization_id = 'org' AND seq = %d", entries, set, seq)
}

func cut(where string) string {
	return "DELETE FROM " + entries + " WHERE organization_id = 'org' AND seq " + where
}

// swap makes two rows change places, with what is in the columns staying where it is.
func swap(a, b int, staying ...string) []string {
	statements := []string{fmt.Sprintf("CREATE TABLE kept AS SELECT * FROM %s WHERE organization_id = 'org' AND seq IN (%d, %d)", entries, a, b)}
	for _, step := range [][2]int{{a, -a}, {b, a}, {-a, b}} { // by way of a free place
		set := fmt.Sprintf("seq = %d", step[1])
		for _, c := range staying {
			set += fmt.Sprintf(", %[1]s = (SELECT k.%[1]s FROM kept AS k WHERE k.seq = %[2]d)", c, max(step[1], -step[1]))
		}
		statements = append(statements, at(set, step[0]))
	}
	return statements
}

// In ten thousand rows everything that is wrong is named at once.
func TestR30_TenThousandRows(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "org", 10_000)
		w.drain(t)
		w.valid(t, "org", 10_000)
		statements := append(swap(44, 4444),
			at("actor_id = 'eve'", 10), cut("BETWEEN 2000 AND 2999"), cut("= 5000"), at("at = '2020-01-01 00:00:00+00:00'", 5001),
			at("actor_id = 'eve', mac = "+w.forged()+", link = "+w.forged(), 7000), cut("> 9990"))
		w.attackAll(t, func(ctx context.Context) {
			assert.Equal(t, w.findings(ctx, t, "org"), []audit.Finding{
				one(audit.Changed, 10), one(audit.Reordered, 44), span(audit.Removed, 2000, 2999), one(audit.Reordered, 4444),
				one(audit.Removed, 5000), one(audit.Changed, 5001), one(audit.Recomputed, 7000), span(audit.Truncated, 9991, 10_000),
			})
		}, statements...)
	})
}

// Each kind of tampering is found and named, with its place, and nothing else is.
func TestR30_EachTamperingIsFoundAndNamed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "org", 1_000)
		w.record(t, "other", 3)
		w.drain(t)
		w.valid(t, "org", 1_000)
		forged := w.forged()
		for name, c := range map[string]struct {
			statements []string
			want       []audit.Finding
		}{
			"changed actor":      {[]string{at("actor_id = 'eve'", 500)}, []audit.Finding{one(audit.Changed, 500)}},
			"changed twice":      {[]string{at("action = 'x'", 1), at("outcome = 'failure'", 1000)}, []audit.Finding{one(audit.Changed, 1), one(audit.Changed, 1000)}},
			"another's personal": {[]string{at("personal = (SELECT personal FROM "+entries+" WHERE seq = 9 AND organization_id = 'org')", 8)}, []audit.Finding{one(audit.Changed, 8)}},
			"removed":            {[]string{cut("= 77")}, []audit.Finding{one(audit.Removed, 77)}},
			"removed first":      {[]string{cut("<= 3")}, []audit.Finding{span(audit.Removed, 1, 3)}},
			"removed many":       {[]string{cut("BETWEEN 200 AND 300"), cut("= 400")}, []audit.Finding{span(audit.Removed, 200, 300), one(audit.Removed, 400)}},
			"tail cut":           {[]string{cut("> 990")}, []audit.Finding{span(audit.Truncated, 991, 1000)}},
			"all cut":            {[]string{cut("> 0")}, []audit.Finding{span(audit.Truncated, 1, 1000)}},
			"recomputed":         {[]string{at("actor_id = 'eve', mac = "+forged+", link = "+forged, 600)}, []audit.Finding{one(audit.Recomputed, 600)}},
			"recomputed tail": {
				[]string{"UPDATE " + entries + " SET mac = " + forged + ", link = " + forged + ", prev = " + forged + " WHERE organization_id = 'org' AND seq > 997"},
				[]audit.Finding{one(audit.Recomputed, 998), one(audit.Recomputed, 999), one(audit.Recomputed, 1000)},
			},
			"a key of nobody": {[]string{at("kid = 'x', link_kid = 'x'", 30)}, []audit.Finding{one(audit.Recomputed, 30)}},
			"taken along":     {[]string{at("organization_id = 'third'", 1000)}, []audit.Finding{one(audit.Truncated, 1000)}},
		} {
			w.attack(t, func(ctx context.Context) {
				if got := w.findings(ctx, t, "org"); !equal(got, c.want) {
					t.Errorf("%s: %+v, want %+v", name, got, c.want)
				}
				assert.Len(t, w.findings(ctx, t, "other"), 0)
			}, c.statements...)
		}
		for name, statements := range map[string][]string{"numbers swapped": swap(44, 444), "places swapped": swap(44, 444, "prev", "link")} {
			w.attackAll(t, func(ctx context.Context) {
				want := []audit.Finding{one(audit.Reordered, 44), one(audit.Reordered, 444)}
				if got := w.findings(ctx, t, "org"); !equal(got, want) {
					t.Errorf("%s: %+v, want %+v", name, got, want)
				}
			}, statements...)
		}
		w.valid(t, "org", 1_000)
	})
}

// attackAll is attack for statements that may change nothing.
func (w *world) attackAll(t *testing.T, look func(ctx context.Context), statements ...string) {
	t.Helper()
	assert.ErrorIs(t, w.db.InTx(t.Context(), func(ctx context.Context) error {
		for _, s := range statements {
			if _, err := w.db.Raw(ctx).ExecContext(ctx, s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
		look(ctx)
		return errUndo
	}), errUndo)
}

func equal(got, want []audit.Finding) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if got[i] != want[i] {
			return false
		}
	}
	return true
}

// The ends of a chain: head, checkpoint, and the list of all chains.
func TestR30_TheEndsOfAChainAreAuthentic(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "org", 20)
		w.record(t, "other", 2)
		w.drain(t)
		const chains = "UPDATE tenon_audit_chains SET "
		for name, c := range map[string]struct {
			statements []string
			want       audit.Kind
		}{
			"shortened with its tail": {[]string{
				"DELETE FROM " + entries + " WHERE organization_id = 'org' AND seq > 15", chains + "head_count = 15 WHERE organization_id = 'org'",
			}, audit.HeadForged},
			"another's head":     {[]string{chains + "head_count = 2, head_mac = (SELECT head_mac FROM tenon_audit_chains WHERE organization_id = 'other') WHERE organization_id = 'org'"}, audit.HeadForged},
			"a made checkpoint":  {[]string{"DELETE FROM " + entries + " WHERE organization_id = 'org' AND seq <= 5", chains + "base_count = 5, base_hash = head_hash, base_kid = head_kid, base_mac = head_mac WHERE organization_id = 'org'"}, audit.CheckpointForged},
			"the chain is gone":  {[]string{"DELETE FROM tenon_audit_chains WHERE organization_id = 'org'"}, audit.Stray},
			"a head as base":     {[]string{chains + "base_count = head_count, base_hash = head_hash, base_at = head_at, base_kid = head_kid, base_mac = head_mac WHERE organization_id = 'org'"}, audit.CheckpointForged},
			"rows after the end": {[]string{"UPDATE " + entries + " SET seq = 21 WHERE organization_id = 'org' AND seq = 7"}, audit.Stray},
		} {
			w.attack(t, func(ctx context.Context) {
				found := w.findings(ctx, t, "org")
				ok := false
				for _, f := range found {
					ok = ok || f.Kind == c.want
				}
				if !ok {
					t.Errorf("%s: %+v, want %s", name, found, c.want)
				}
			}, c.statements...)
		}
		all, err := w.VerifyAll(t.Context(), func(audit.Report) error { return nil })
		assert.NoError(t, err)
		assert.Equal(t, all, audit.Summary{Chains: 2})
		assert.True(t, all.Valid(), "all is well")
		w.attack(t, func(ctx context.Context) {
			all, err := w.VerifyAll(ctx, func(audit.Report) error { return nil })
			assert.NoError(t, err)
			assert.Equal(t, all, audit.Summary{Chains: 1, Missing: 1})
		}, "DELETE FROM "+entries+" WHERE organization_id = 'org'", "DELETE FROM tenon_audit_chains WHERE organization_id = 'org'")
		w.attack(t, func(ctx context.Context) {
			all, err := w.Roster(ctx)
			assert.NoError(t, err)
			assert.True(t, all.RosterForged, "the roster is not ours")
		}, "DELETE FROM "+entries+" WHERE organization_id = 'org'", "DELETE FROM tenon_audit_chains WHERE organization_id = 'org'", "UPDATE tenon_audit_sealer SET chains = 1")
	})
}

// What a MAC alone cannot tell, a head that is kept elsewhere does: an older state of
// the whole chain was put back, and went on.
func TestR30_AnAnchoredHeadShowsThatAnOlderStateWasPutBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "org", 10)
		w.drain(t)
		w.exec(t.Context(), t, "CREATE TABLE kept AS SELECT * FROM tenon_audit_chains")
		w.record(t, "org", 5)
		w.clock.Advance(2 * time.Minute)
		w.drain(t)
		assert.Len(t, w.heads.all, 2)
		early, late := w.heads.all[0], w.heads.all[1]
		assert.Equal(t, late.Count, 15)
		parsed, err := audit.ParseHead(late.String())
		assert.NoError(t, err)
		assert.Len(t, w.findings(t.Context(), t, "org", early, parsed), 0)

		w.exec(t.Context(), t, "DELETE FROM "+entries+" WHERE seq > 10", "DELETE FROM tenon_audit_chains", "INSERT INTO tenon_audit_chains SELECT * FROM kept")
		assert.Len(t, w.findings(t.Context(), t, "org"), 0) // it looks whole
		assert.Equal(t, w.findings(t.Context(), t, "org", early, late), []audit.Finding{span(audit.Truncated, 11, 15)})
		w.record(t, "org", 7)
		w.drain(t)
		w.valid(t, "org", 17)
		assert.Equal(t, w.findings(t.Context(), t, "org", early, late), []audit.Finding{one(audit.Forked, 15)})

		for _, forged := range []audit.Head{{}, {OrganizationID: "org", Count: 3, KID: late.KID, MAC: late.MAC}, {OrganizationID: "x", Count: 1}} {
			_, err := w.Verify(t.Context(), audit.VerifyParams{OrganizationID: "org", Known: []audit.Head{forged}})
			assert.ErrorIs(t, err, audit.ErrInvalidHead)
		}
	})
}

func TestR30_TheAgeOfTheUnsealedTailIsReported(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "org", 2)
		w.drain(t)
		w.record(t, "org", 3)
		since := w.clock.Now().Add(-2 * time.Microsecond)
		w.clock.Advance(7 * time.Second)
		report, err := w.Verify(t.Context(), audit.VerifyParams{OrganizationID: "org"})
		assert.NoError(t, err)
		assert.True(t, report.Valid, "what is sealed is whole")
		assert.Equal(t, report.Tail.Count, 3)
		assert.True(t, report.Tail.Since.Equal(since), "since the oldest")
		assert.Equal(t, report.TailAge, w.clock.Now().Sub(since))
		empty, err := w.Verify(t.Context(), audit.VerifyParams{OrganizationID: "nobody"})
		assert.NoError(t, err)
		assert.True(t, empty.Valid && empty.Checked == 0, "a chain that never began is whole")
	})
}

// A row that was changed, or added, before it was sealed has no MAC of ours: it is
// linked like the others, and named.
func TestR30_RowsThatWereForgedBeforeTheyWereSealedAreNamed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "org", 3)
		w.exec(t.Context(), t,
			"UPDATE "+entries+" SET actor_id = 'eve' WHERE id = (SELECT max(id) FROM "+entries+")",
			"INSERT INTO "+entries+` (id, organization_id, at, action, event, outcome, actor_id, impersonator_id, api_key_id, session_id, target_type, target_id, kid, mac)
			 SELECT 'zz', organization_id, at, action, event, outcome, actor_id, impersonator_id, api_key_id, session_id, target_type, target_id, kid, mac
			 FROM `+entries+" WHERE id = (SELECT min(id) FROM "+entries+")")
		w.drain(t)
		assert.Equal(t, w.findings(t.Context(), t, "org"), []audit.Finding{one(audit.Changed, 3), one(audit.Changed, 4)})
		page, err := w.List(t.Context(), audit.Query{OrganizationID: "org"}, 0, "")
		assert.NoError(t, err)
		assert.True(t, page.Items[0].Damaged && page.Items[1].Damaged && !page.Items[2].Damaged, "lists say so, too")
	})
}

// The MAC of a row commits to its personal part: not even what was sealed for the very
// row with the right key can take its place.
func TestR30_ThePersonalPartIsTheOneThatWasRecorded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.record(t, "org", 2)
		w.drain(t)
		rows, err := w.store.Linked(t.Context(), "org", 0, 1)
		assert.NoError(t, err)
		other, err := w.keys.Seal(t.Context(), audit.SealedColumn().Field(rows[0].ID, "org"), []byte(strings.Repeat("b", 32)+`{"ip":"192.0.2.66"}`))
		assert.NoError(t, err)
		_, err = w.db.Statement("UPDATE "+entries+" SET personal = ? WHERE id = ?").Exec(t.Context(), other, rows[0].ID)
		assert.NoError(t, err)
		assert.Equal(t, w.findings(t.Context(), t, "org"), []audit.Finding{one(audit.Changed, 1)})
	})
}
