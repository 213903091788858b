DROP TABLE tenon_audit_sealer;
DROP TABLE tenon_audit_chains;
DROP TABLE tenon_audit_entries;
