// The unmodified official client makes the whole journey.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { databases, start, within } from "../lib/quickstart.mjs";
import { address, assertNoSecret, assertTokensNull, browser, ok, password, signedIn, signUp, tokenOf } from "./setup.mjs";

const minute = 60_000, day = 24 * 60 * minute;
const near = (got, want) => Math.abs(got.getTime() - want) < 2 * minute;

for (const database of databases) {
  describe(`the official client on ${database}`, { timeout: 2 * minute }, () => {
    let server;
    before(async () => { server = await start(database); });
    after(async () => { assert.equal(await server?.stop(), 0, "SIGTERM: exit code"); });

    test("sign up, prove the address, sign in, see who I am, sign out", async () => {
      const who = browser(server), email = address();
      const answer = ok(await who.client.signUp.email({ name: "Ada", email, password, callbackURL: "/" }));
      assert.equal(answer.token, null);
      assert.equal(answer.user.email, email);
      assert.equal(answer.user.name, "Ada");
      assert.equal(answer.user.emailVerified, false);
      assert.ok(near(answer.user.createdAt, Date.now()), "times are dates of today, not misread fractions");
      assert.equal(ok(await who.client.getSession()), null);

      const token = tokenOf(await server.mailTo(email));
      const verified = ok(await who.client.verifyEmail({ query: { token }, fetchOptions: { method: "POST" } }));
      assert.equal(verified.status, true);
      assert.equal(verified.user.id, answer.user.id);
      assert.equal(verified.user.emailVerified, true);
      assert.equal(ok(await who.client.getSession()), null, "proving an address signs nobody in");

      const signed = ok(await who.client.signIn.email({ email, password }));
      assert.equal(signed.token, null);
      assert.equal(signed.user.id, answer.user.id);
      const me = ok(await who.client.getSession());
      assert.equal(me.user.id, answer.user.id);
      assert.equal(me.user.email, email);
      assert.equal(me.user.emailVerified, true);
      assert.equal(me.session.userId, me.user.id);
      assert.ok(me.session.activeOrganizationId, "the default organization is active");
      assert.ok(near(me.session.expiresAt, Date.now() + 7 * day), `expiresAt: ${me.session.expiresAt}`);

      ok(await who.client.signOut());
      assert.equal(ok(await who.client.getSession()), null);
      assert.ok(![...who.jar.cookies.keys()].some((name) => name.endsWith("session")), "the cookie is gone");
      assertNoSecret(who, token);
      assertTokensNull(who);
    });

    test("rememberMe decides whether the cookie outlives the browser", async () => {
      const who = browser(server), { email } = await signUp(server, who);
      const cookie = () => [...who.jar.cookies].find(([name]) => name.endsWith("_session"))?.[1].attributes.map((a) => a.toLowerCase());
      for (const [rememberMe, lasts] of [[undefined, true], [true, true], [false, false]]) {
        ok(await who.client.signIn.email({ email, password, rememberMe }));
        assert.equal(cookie().some((a) => a.startsWith("max-age=") || a.startsWith("expires=")), lasts, `rememberMe ${rememberMe}`);
        assert.ok(cookie().includes("httponly") && cookie().includes("samesite=lax") && cookie().includes("path=/"));
      }
      const me = ok(await who.client.getSession());
      assert.ok(me.session.expiresAt < Date.now() + day + minute, "a day at most");
      assertNoSecret(who);
    });

    test("signIn with a callbackURL tells the client where to go", async () => {
      const who = browser(server), { email } = await signUp(server, who);
      const answer = ok(await who.client.signIn.email({ email, password, callbackURL: "/next" }));
      assert.deepEqual([answer.redirect, answer.url], [true, "/next"]);
      const { error } = await who.client.signIn.email({ email, password, callbackURL: "https://evil.example.net/" });
      assert.deepEqual([error.status, error.code], [403, "INVALID_CALLBACK_URL"]);
    });

    test("list and revoke sessions", async () => {
      const first = await signedIn(server), others = [browser(server), browser(server), browser(server)];
      for (const other of others) ok(await other.client.signIn.email({ email: first.email, password }));
      const list = ok(await first.client.listSessions());
      assert.equal(list.length, 4);
      const mine = ok(await first.client.getSession()).session;
      assert.ok(list.some((s) => s.id === mine.id && s.current));
      assert.ok(list.every((s) => s.token === s.id), "what lists call a token is the public id");
      assert.ok(list.every((s) => s.expiresAt instanceof Date));

      const target = ok(await others[0].client.getSession()).session.token;
      assert.equal(ok(await first.client.revokeSession({ token: target })).status, true);
      assert.equal(ok(await others[0].client.getSession()), null);
      assert.ok(ok(await others[1].client.getSession()));

      const stranger = await signedIn(server);
      const { error } = await stranger.client.revokeSession({ token: mine.token });
      assert.deepEqual([error.status, error.code], [404, "SESSION_NOT_FOUND"]);

      assert.equal(ok(await first.client.revokeOtherSessions()).status, true);
      assert.equal(ok(await others[1].client.getSession()), null);
      assert.equal(ok(await others[2].client.getSession()), null);
      assert.equal(ok(await first.client.listSessions()).length, 1);
      assert.equal(ok(await first.client.revokeSessions()).status, true);
      assert.equal(ok(await first.client.getSession()), null);
      assert.ok(ok(await stranger.client.getSession()), "somebody else's session lives");
      for (const who of [first, ...others, stranger]) assertNoSecret(who);
    });

    test("the session store of useSession follows", async () => {
      const who = browser(server), { email } = await signUp(server, who);
      const store = who.client.useSession;
      let check = () => {};
      const stop = store.subscribe(() => check());
      const reaches = (condition, what) => within(10_000, new Promise((resolve) => {
        check = () => { if (condition(store.get())) resolve(); };
        check();
      }), () => `the store did not show ${what}: ${JSON.stringify(store.get())}`);
      try {
        await store.get().refetch();
        await reaches((s) => !s.isPending && s.data === null && s.error === null, "nobody");
        ok(await who.client.signIn.email({ email, password }));
        await reaches((s) => s.data?.user.email === email, "who signed in");
        ok(await who.client.signOut());
        await reaches((s) => s.data === null, "that nobody is signed in");
        assert.equal(store.get().error, null);
      } finally {
        stop();
      }
    });

    test("a sign-up link that was lost is mailed again", async () => {
      const who = browser(server), email = address();
      ok(await who.client.signUp.email({ name: "Ada", email, password }));
      assert.equal(ok(await who.client.sendVerificationEmail({ email, callbackURL: "/" })).status, true);
      assert.equal(ok(await who.client.sendVerificationEmail({ email: address("nobody") })).status, true);
      const token = tokenOf(await server.mailTo(email));
      ok(await who.client.verifyEmail({ query: { token }, fetchOptions: { method: "POST" } }));
    });
  });
}
