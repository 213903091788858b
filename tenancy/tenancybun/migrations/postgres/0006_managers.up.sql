-- Who hears of every member that joins or leaves, without reading all the others. The
-- condition is that of the statement, word by word.
CREATE INDEX tenon_members_managers ON tenon_members (organization_id, created_at, id)
    WHERE role = 'owner' OR ',' || role || ',' LIKE '%,admin,%';
