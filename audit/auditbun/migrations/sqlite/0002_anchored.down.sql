DROP INDEX tenon_audit_chains_unanchored;
CREATE INDEX tenon_audit_chains_unanchored ON tenon_audit_chains (anchored_at) WHERE head_count > anchored_count;
