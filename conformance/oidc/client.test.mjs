// The official client signs in with others, and keeps their accounts.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { databases } from "../lib/quickstart.mjs";
import { assertNoSecret, browser, ok, signedIn } from "../client/setup.mjs";
import { agent } from "./agent.mjs";
import { app, callback, start } from "./setup.mjs";

// refused fails unless the client's answer is that error.
async function refused(call, status, code) {
  const { data, error } = await call;
  assert.equal(data, null);
  assert.deepEqual([error.status, error.code], [status, code], JSON.stringify(error));
}

for (const database of databases) {
  describe(`the official client and a certified provider on ${database}`, { timeout: 120_000 }, () => {
    let all;
    before(async () => {
      all = await start(database, { flags: ["-oidc-keep-tokens"], options: { accessTokenFor: 10 } });
    });
    after(async () => { assert.equal(await all?.stop(), 0, "SIGTERM: exit code"); });

    // back brings a callback to our server, and returns where that leads.
    async function back(who, address) {
      assert.ok(address.startsWith(`${all.server.baseURL}${callback}?`), address);
      const answer = await who.jar.fetch(address, { headers: { accept: "text/html", "sec-fetch-mode": "navigate", "sec-fetch-site": "cross-site" } });
      return { status: answer.status, location: answer.headers.get("location"), text: await answer.text() };
    }

    // enter signs in as the account.
    async function enter(who, account, more = {}) {
      const begun = ok(await who.client.signIn.social({ provider: "oidc", callbackURL: "/in", ...more }));
      assert.equal(begun.redirect, true);
      return back(who, await agent(account).visit(begun.url));
    }
    const linked = async (who) => ok(await who.client.listAccounts()).filter(({ providerId }) => providerId === "oidc");

    test("signIn.social to a session that names the provider", async () => {
      const who = browser(all.server), ann = all.account();
      const landed = await enter(who, ann, { newUserCallbackURL: "/new", errorCallbackURL: "/failed" });
      assert.deepEqual([landed.status, landed.location], [303, "/new"]);
      const me = ok(await who.client.getSession());
      assert.deepEqual([me.user.email, me.user.name, me.user.emailVerified], [ann.email, "Ann Example", true]);
      assert.equal(me.session.provider, "oidc");
      assert.ok(me.session.activeOrganizationId, "the default organization is active");
      assert.ok(ok(await who.client.listSessions()).every((s) => s.provider === "oidc"));

      const later = browser(all.server);
      assert.equal((await enter(later, ann, { newUserCallbackURL: "/new" })).location, "/in");
      assert.equal(ok(await later.client.getSession()).user.id, me.user.id, "one user");
      ok(await later.client.signOut());
      assert.equal(ok(await later.client.getSession()), null);
      assert.ok(ok(await who.client.getSession()), "the other session lives");
      assertNoSecret(later);
    });

    test("what is asked for reaches the provider, and only what may", async () => {
      const who = browser(all.server);
      const begun = ok(await who.client.signIn.social({
        provider: "oidc", disableRedirect: true, scopes: ["offline_access"], loginHint: "ann@acme.example", requestSignUp: true,
        additionalData: { plan: "pro" },
      }));
      assert.equal(begun.redirect, false);
      const asked = new URL(begun.url), { searchParams: q } = asked;
      assert.equal(asked.origin, all.idp.issuer);
      assert.deepEqual(["client_id", "response_type", "code_challenge_method", "redirect_uri", "login_hint", "scope"].map((name) => q.get(name)),
        ["quickstart", "code", "S256", all.server.baseURL + callback, "ann@acme.example", "openid email profile offline_access"]);
      assert.ok(q.get("state").length >= 32 && q.get("nonce").length >= 32 && q.get("code_challenge").length === 43);
      await refused(who.client.signIn.social({ provider: "nobody" }), 404, "PROVIDER_NOT_FOUND");
      await refused(who.client.signIn.social({ provider: "oidc", callbackURL: "https://evil.example/" }), 403, "INVALID_CALLBACK_URL");
      await refused(who.client.signIn.social({ provider: "oidc", errorCallbackURL: "//evil.example/" }), 403, "INVALID_CALLBACK_URL");
    });

    test("a refusal leads to errorCallbackURL, with its code", async () => {
      const who = browser(all.server), ann = all.account();
      const begun = ok(await who.client.signIn.social({ provider: "oidc", errorCallbackURL: "/failed?at=oidc" }));
      const brought = await agent(ann).visit(begun.url, { cancel: "consent" });
      const { status, location } = await back(who, brought);
      assert.equal(status, 303);
      const target = new URL(location, all.server.baseURL);
      assert.deepEqual([target.pathname, target.searchParams.get("at"), target.searchParams.get("error")], ["/failed", "oidc", "OAUTH_ACCESS_DENIED"]);
      assert.equal((await back(who, brought)).status, 400, "a replay, which is nobody's flow any more");
      assert.equal(ok(await who.client.getSession()), null);
    });

    test("linkSocial, listAccounts, signIn.social with it, unlinkAccount", async () => {
      const who = await signedIn(all.server), ann = all.account({ domain: "elsewhere.example", verified: false });
      const me = ok(await who.client.getSession()).user;
      assert.deepEqual(ok(await who.client.listAccounts()).map(({ providerId }) => providerId), ["credential"]);
      const begun = ok(await who.client.linkSocial({ provider: "oidc", callbackURL: "/settings", scopes: ["offline_access"] }));
      assert.equal(begun.redirect, true);
      const brought = await agent(ann).visit(begun.url);
      const stranger = browser(all.server);
      assert.equal((await back(stranger, brought)).status, 400, "in another browser");
      assert.deepEqual((({ status, location }) => [status, location])(await back(who, brought)), [303, "/settings"]);
      const [account] = await linked(who);
      assert.deepEqual([account.accountId, account.userId], [ann.sub, me.id]);
      assert.ok(account.scopes.includes("openid") && account.createdAt, JSON.stringify(account));

      const other = browser(all.server);
      assert.equal((await enter(other, ann)).location, "/in");
      assert.equal(ok(await other.client.getSession()).user.id, me.id);

      const thief = await signedIn(all.server);
      await refused(thief.client.unlinkAccount({ accountId: account.id }), 404, "ACCOUNT_NOT_FOUND");
      const taken = ok(await thief.client.linkSocial({ provider: "oidc", errorCallbackURL: "/failed" }));
      assert.match((await back(thief, await agent(ann).visit(taken.url))).location, /\/failed\?error=LINKED_ACCOUNT_ALREADY_EXISTS$/);

      assert.equal(ok(await who.client.unlinkAccount({ accountId: account.id })).status, true);
      assert.deepEqual(await linked(who), []);
      assert.equal(ok(await other.client.getSession()), null, "the session that came by it ended");
      await refused(who.client.unlinkAccount({ accountId: account.id }), 404, "ACCOUNT_NOT_FOUND");
    });

    test("getAccessToken, refreshToken and accountInfo", async () => {
      const who = browser(all.server), ann = all.account();
      await enter(who, ann);
      const [{ id: accountId }] = await linked(who);
      const first = ok(await who.client.getAccessToken({ accountId }));
      assert.ok(first.scopes.includes("email"), JSON.stringify(first));
      const works = async (token) => {
        const answer = await fetch(`${all.idp.issuer}/me`, { headers: { authorization: `Bearer ${token}` } });
        assert.equal(answer.status, 200, await answer.clone().text());
        assert.equal((await answer.json()).sub, ann.sub);
      };
      await works(first.accessToken);
      let second = first;
      for (const deadline = Date.now() + 9_000; second.accessToken === first.accessToken && Date.now() < deadline; await delay(200)) {
        second = ok(await who.client.getAccessToken({ accountId }));
      }
      assert.notEqual(second.accessToken, first.accessToken, "one that lives ten seconds is not refreshed before it ends");
      await works(second.accessToken);
      const third = ok(await who.client.refreshToken({ accountId }));
      assert.notEqual(third.accessToken, second.accessToken);
      await works(third.accessToken);
      const info = ok(await who.client.accountInfo({ query: { accountId } }));
      assert.equal(info.user.email, ann.email);

      const stranger = await signedIn(all.server);
      for (const call of [stranger.client.getAccessToken({ accountId }), stranger.client.refreshToken({ accountId })]) {
        await refused(call, 404, "ACCOUNT_NOT_FOUND");
      }
    });

    // nativeToken has the provider issue an ID token to an app of ours that shares the client id.
    async function nativeToken(account, nonce) {
      const verifier = randomBytes(32).toString("base64url");
      const begin = new URL(`${all.idp.issuer}/auth`);
      begin.search = new URLSearchParams({
        client_id: "quickstart", redirect_uri: app, response_type: "code", scope: "openid email profile", state: "x", nonce,
        code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256",
      });
      const code = new URL(await agent(account).visit(begin.href)).searchParams.get("code");
      const answer = await fetch(`${all.idp.issuer}/token`, { method: "POST", body: new URLSearchParams({
        grant_type: "authorization_code", client_id: "quickstart", redirect_uri: app, code, code_verifier: verifier,
      }) });
      return (await answer.json()).id_token;
    }

    test("signIn.social with an ID token that an app brought", async () => {
      const who = browser(all.server), ann = all.account();
      const nonce = async () => ok(await who.client.$fetch("/oauth/create-nonce", { method: "POST", body: { provider: "oidc" } })).nonce;
      await enter(browser(all.server), ann); // the ID token alone does not tell the address
      const mine = await nonce(), token = await nativeToken(ann, mine);
      const signed = ok(await who.client.signIn.social({ provider: "oidc", idToken: { token, nonce: mine } }));
      assert.equal(signed.redirect, false);
      assert.equal(signed.token, null);
      assert.equal(signed.user.email, ann.email);
      assert.equal(ok(await who.client.getSession()).session.provider, "oidc");
      ok(await who.client.signOut());

      await refused(who.client.signIn.social({ provider: "oidc", idToken: { token, nonce: mine } }), 401, "INVALID_TOKEN");
      const chosen = "a-nonce-that-the-server-never-gave-out";
      await refused(who.client.signIn.social({ provider: "oidc", idToken: { token: await nativeToken(ann, chosen), nonce: chosen } }), 401, "INVALID_TOKEN");
      const fresh = await nonce();
      await refused(who.client.signIn.social({ provider: "oidc", idToken: { token: await nativeToken(ann, await nonce()), nonce: fresh } }), 401, "INVALID_TOKEN");
      assert.equal(ok(await who.client.getSession()), null);
    });
  });
}
