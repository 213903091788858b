// The better-auth server as its manual sets it up, on PostgreSQL, for the comparison in bench/.
// Usage: node server.mjs DSN   It prints its port, and the cookie of a user who is signed in, as one line of JSON.
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import pg from "pg";

const pool = new pg.Pool({ connectionString: process.argv[2], max: 20 });
const options = {
  database: pool,
  secret: "a secret for measurements only, of enough length",
  baseURL: "http://localhost",
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { disabled: true },
};
const { runMigrations } = await getMigrations(options);
await runMigrations();
const auth = betterAuth(options);

const signUp = await auth.api.signUpEmail({
  body: { email: "bench@example.com", password: "correct horse battery staple", name: "Bench" },
  asResponse: true,
});
if (!signUp.ok) throw new Error(`sign-up: ${signUp.status} ${await signUp.text()}`);
const cookie = signUp.headers.getSetCookie().map((c) => c.split(";", 1)[0]).join("; ");

const server = createServer(toNodeHandler(auth));
server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ port: server.address().port, cookie }));
});
process.stdin.resume().on("end", () => process.exit(0)); // ends with whoever started it
