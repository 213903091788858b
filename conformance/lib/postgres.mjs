// Makes and drops a database of its own in the PostgreSQL that a DSN names.
import { randomBytes } from "node:crypto";
import pg from "pg";

const shape = /^(postgres(?:ql)?:\/\/[^/]*\/)([^?]*)(.*)$/;

export async function createDatabase(dsn) {
  const parts = shape.exec(dsn);
  if (!parts) throw new Error("TENON_TEST_POSTGRES must be a URL such as postgres://user@host/database");
  const name = `tenon_conformance_${randomBytes(6).toString("hex")}`;
  await run(dsn, `CREATE DATABASE ${name}`);
  return {
    dsn: parts[1] + name + parts[3],
    drop: () => run(dsn, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

async function run(dsn, sql) {
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
