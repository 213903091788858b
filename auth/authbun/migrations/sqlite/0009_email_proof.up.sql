-- What proved the address: mail, host, or an identity provider's channel.
ALTER TABLE tenon_users ADD COLUMN email_proof TEXT NOT NULL DEFAULT '';
