// Several users signed in in one browser, by the official client's multi-session plugin.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { multiSessionClient } from "better-auth/client/plugins";
import { databases, start } from "../lib/quickstart.mjs";
import { assertNoSecret, browser, ok, password, signUp } from "./setup.mjs";

for (const database of databases) {
  describe(`multi-session on ${database}`, { timeout: 120_000 }, () => {
    let server;
    before(async () => { server = await start(database); });
    after(async () => { assert.equal(await server?.stop(), 0, "SIGTERM: exit code"); });

    const several = () => browser(server, [multiSessionClient()]);

    // people returns addresses of new users who are signed in nowhere.
    async function people(n) {
      const emails = [];
      for (let i = 0; i < n; i++) emails.push((await signUp(server, browser(server))).email);
      return emails;
    }
    const signIn = async (who, email) => ok(await who.client.signIn.email({ email, password }));
    const active = async (who) => ok(await who.client.getSession())?.user.email ?? null;
    const listed = async (who) => ok(await who.client.multiSession.listDeviceSessions());
    const sessionOf = async (who, email) => (await listed(who)).find((s) => s.user.email === email).session;

    async function refused(call, status, code) {
      const { data, error } = await call;
      assert.equal(data, null);
      assert.deepEqual([error.status, error.code], [status, code], JSON.stringify(error));
    }

    test("list, change the active one, revoke, sign out", async () => {
      const who = several(), [ada, bob, eve] = await people(3);
      assert.deepEqual(await listed(who), []);
      for (const email of [ada, bob, eve]) await signIn(who, email);
      assert.equal(await active(who), eve);
      const all = await listed(who);
      assert.deepEqual(all.map((s) => s.user.email).sort(), [ada, bob, eve].sort());
      assert.equal(all[0].user.email, eve, "the active one comes first");
      assert.deepEqual(all.map((s) => s.session.current), [true, false, false]);
      assert.ok(all.every((s) => s.session.token === s.session.id && s.session.expiresAt instanceof Date));

      const chosen = ok(await who.client.multiSession.setActive({ sessionToken: (await sessionOf(who, ada)).token }));
      assert.equal(chosen.user.email, ada);
      assert.equal(chosen.session.userId, chosen.user.id);
      assert.equal(await active(who), ada);

      const bobs = await sessionOf(who, bob);
      assert.equal(ok(await who.client.multiSession.revoke({ sessionToken: bobs.token })).status, true);
      await refused(who.client.multiSession.setActive({ sessionToken: bobs.token }), 401, "INVALID_SESSION_TOKEN");
      assert.equal(ok(await who.client.multiSession.revoke({ sessionToken: (await sessionOf(who, ada)).token })).status, true);
      assert.equal(await active(who), eve, "another one takes the place of the active one");

      await signIn(who, ada);
      ok(await who.client.signOut());
      assert.equal(await active(who), null, "nobody else becomes active by a sign-out");
      assert.deepEqual((await listed(who)).map((s) => s.user.email), [eve]);
      await refused(who.client.multiSession.revoke({ sessionToken: (await sessionOf(who, eve)).token }), 401, "UNAUTHORIZED");
      ok(await who.client.multiSession.setActive({ sessionToken: (await sessionOf(who, eve)).token }));
      assert.equal(await active(who), eve);
      assertNoSecret(who);
    });

    test("the same user has one session here, and a sixth user ends the oldest", async () => {
      const who = several(), emails = await people(6);
      await signIn(who, emails[0]);
      const first = await sessionOf(who, emails[0]);
      await signIn(who, emails[0]);
      assert.equal((await listed(who)).length, 1);
      await refused(who.client.multiSession.setActive({ sessionToken: first.token }), 401, "INVALID_SESSION_TOKEN");
      for (const email of emails.slice(1)) await signIn(who, email);
      assert.deepEqual((await listed(who)).map((s) => s.user.email).sort(), emails.slice(1).sort());
      const names = [...who.jar.cookies.keys()].filter((name) => name.includes("session_multi-"));
      assert.equal(names.length, 5);
      assertNoSecret(who);
    });

    test("R16: only what this browser's cookies open", async () => {
      const mine = several(), other = several(), [ada, bob] = await people(2);
      await signIn(mine, ada);
      await signIn(other, bob);
      await signIn(other, ada);
      for (const email of [ada, bob]) {
        const { token } = await sessionOf(other, email);
        await refused(mine.client.multiSession.setActive({ sessionToken: token }), 401, "INVALID_SESSION_TOKEN");
        await refused(mine.client.multiSession.revoke({ sessionToken: token }), 401, "INVALID_SESSION_TOKEN");
      }
      assert.equal((await listed(other)).length, 2);
      assert.equal(await active(mine), ada);
    });

    test("the session store follows a change of the active one", async () => {
      const who = several(), [ada, bob] = await people(2);
      await signIn(who, ada);
      await signIn(who, bob);
      const store = who.client.useSession;
      const seen = new Promise((resolve) => store.subscribe((s) => { if (s.data?.user.email === ada) resolve(); }));
      await store.get().refetch();
      ok(await who.client.multiSession.setActive({ sessionToken: (await sessionOf(who, ada)).token }));
      await seen;
    });
  });
}
