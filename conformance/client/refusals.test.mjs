// What the official client sees when something is refused.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { databases, start } from "../lib/quickstart.mjs";
import { address, assertNoSecret, assertTokensNull, browser, ok, password, signUp, tokenOf } from "./setup.mjs";

// bare replaces what may differ between equal answers: ids and times.
const bare = (text) => text
  .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "ID")
  .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
  .replace(/"requestId":"[^"]*"/, '"requestId":"ID"');

// seen is all of an answer that its receiver sees: status, headers, body.
function seen({ status, headers, text }) {
  const names = [...headers].map(([name, value]) => {
    switch (name) {
      case "date": case "x-request-id": case "ratelimit": return name; // the client's own requests so far
      case "set-cookie": return `${name}: ${value.replace(/=tnn_[^;]*/, "=SECRET")}`;
      default: return `${name}: ${value}`;
    }
  });
  return { status, headers: names, body: bare(text) };
}

for (const database of databases) {
  describe(`refusals on ${database}`, { timeout: 120_000 }, () => {
    let server, owner;
    before(async () => {
      server = await start(database);
      owner = await signUp(server, browser(server));
    });
    after(async () => { assert.equal(await server?.stop(), 0, "SIGTERM: exit code"); });

    async function refused(call, status, code, field) {
      const { data, error } = await call;
      assert.equal(data, null);
      assert.deepEqual([error.status, error.code], [status, code], JSON.stringify(error));
      assert.ok(error.message && error.message === error.detail, "message is the detail");
      assert.match(error.type, /^https:\/\//);
      assert.ok(error.title && error.requestId);
      if (field) assert.deepEqual(error.errors.map((e) => e.field), [field]);
      return error;
    }

    test("error.code and error.status", async () => {
      const { client } = browser(server), { email } = owner;
      await refused(client.signIn.email({ email, password: "not this one" }), 401, "INVALID_EMAIL_OR_PASSWORD");
      await refused(client.signIn.email({ email: address("nobody"), password }), 401, "INVALID_EMAIL_OR_PASSWORD");
      await refused(client.signIn.email({ email: "not an address", password }), 400, "INVALID_EMAIL");
      await refused(client.signUp.email({ name: "Ada", email: "not an address", password }), 400, "INVALID_EMAIL");
      await refused(client.signUp.email({ name: "Ada", email: address(), password: "short" }), 400, "PASSWORD_TOO_SHORT");
      await refused(client.signUp.email({ name: "Ada", email: address(), password: "x".repeat(257) }), 400, "PASSWORD_TOO_LONG");
      await refused(client.signUp.email({ name: "Ada", email: address(), password, surprise: true }), 422, "VALIDATION_ERROR", "surprise");
      await refused(client.signIn.email({ email, password, surprise: 1 }), 422, "VALIDATION_ERROR", "surprise");
      await refused(client.signIn.email({ email }), 422, "VALIDATION_ERROR", "password");
      await refused(client.listSessions(), 401, "UNAUTHORIZED");
      await refused(client.revokeOtherSessions(), 401, "UNAUTHORIZED");
      await refused(client.organization.inventSomething({ a: 1 }), 404, "NOT_FOUND");
      assert.equal(ok(await client.getSession()), null);
    });

    test("R4: the answer to a known address is that to a new one", async () => {
      const fresh = browser(server), known = browser(server), email = address();
      const [a, b] = [email, owner.email].map((e) => e.length);
      const typed = a > b ? email.slice(a - b) : email; // the same length, for the same Content-Length
      ok(await fresh.client.signUp.email({ name: "Eve", email: typed, password }));
      ok(await known.client.signUp.email({ name: "Eve", email: owner.email, password }));
      const masked = (answer, who) => JSON.parse(JSON.stringify(seen(answer)).replaceAll(who, "ADDRESS"));
      assert.deepEqual(masked(known.jar.last(), owner.email), masked(fresh.jar.last(), typed));
      const told = await server.mailTo(owner.email, 2);
      assert.equal(told.links.length, 0, "the owner is told, and gets no link");
      assertTokensNull(known);
    });

    test("R4: sign-in to an unproven address answers the bytes of a wrong password", async () => {
      const who = browser(server), email = address();
      ok(await who.client.signUp.email({ name: "Ada", email, password }));
      const answers = [];
      for (const body of [{ email, password }, { email, password: "not this one" }, { email: owner.email, password: "not this one" }]) {
        const asker = browser(server);
        await refused(asker.client.signIn.email(body), 401, "INVALID_EMAIL_OR_PASSWORD");
        answers.push(seen(asker.jar.last()));
      }
      assert.deepEqual(answers[0], answers[1]);
      assert.deepEqual(answers[0], answers[2]);
    });

    test("R24: following a mailed link consumes nothing", async () => {
      const who = browser(server), email = address();
      ok(await who.client.signUp.email({ name: "Ada", email, password }));
      const token = tokenOf(await server.mailTo(email));
      for (let i = 0; i < 3; i++) {
        await refused(who.client.verifyEmail({ query: { token } }), 405, "CONFIRM_WITH_POST");
        assert.equal(who.jar.last().headers.get("allow"), "POST");
      }
      assert.equal(ok(await who.client.verifyEmail({ query: { token }, fetchOptions: { method: "POST" } })).status, true);
      await refused(who.client.verifyEmail({ query: { token }, fetchOptions: { method: "POST" } }), 400, "INVALID_TOKEN");
      assertNoSecret(who, token);
    });

    test("R5: another browser needs the password of the sign-up, or a new one", async () => {
      const mine = browser(server), other = browser(server), email = address();
      ok(await mine.client.signUp.email({ name: "Ada", email, password }));
      const token = tokenOf(await server.mailTo(email));
      const confirm = (body) => other.client.verifyEmail({ query: { token }, fetchOptions: { method: "POST", body } });
      await refused(confirm({}), 403, "SIGN_UP_PROOF_REQUIRED");
      await refused(confirm({ password: "not this one" }), 401, "INVALID_PASSWORD");
      ok(await confirm({ password }));
      ok(await other.client.signIn.email({ email, password }));

      const squatted = address();
      ok(await mine.client.signUp.email({ name: "Mallory", email: squatted, password: "the squatter's choice" }));
      const second = tokenOf(await server.mailTo(squatted));
      ok(await other.client.verifyEmail({ query: { token: second }, fetchOptions: { method: "POST", body: { newPassword: password } } }));
      await refused(mine.client.signIn.email({ email: squatted, password: "the squatter's choice" }), 401, "INVALID_EMAIL_OR_PASSWORD");
      const me = ok(await other.client.signIn.email({ email: squatted, password })).user;
      assert.notEqual(me.name, "Mallory", "nothing that the other typed stays");
      for (const who of [mine, other]) assertNoSecret(who, token, second);
    });

    test("a page of another site changes nothing", async () => {
      const who = browser(server);
      for (const headers of [{ origin: "https://evil.example.net" }, { "sec-fetch-site": "cross-site" }]) {
        const { error } = await who.client.signIn.email({ email: owner.email, password }, { headers });
        assert.equal(error.status, 403, JSON.stringify(error));
        assert.equal(who.jar.cookies.size, 0);
      }
      const headers = { origin: server.baseURL, "sec-fetch-site": "same-origin" };
      ok(await who.client.signIn.email({ email: owner.email, password }, { headers }));
    });
  });
}
