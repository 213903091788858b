-- A chain is due as soon as its head is not the one that was anchored last, the shorter
-- one of an older state included.
DROP INDEX tenon_audit_chains_unanchored;
CREATE INDEX tenon_audit_chains_unanchored ON tenon_audit_chains (anchored_at) WHERE head_count <> anchored_count;
