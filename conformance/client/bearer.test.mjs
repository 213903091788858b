// A session without cookies, by the official client: sign-in with X-Token-Mode: bearer, token/refresh and token/revoke,
// which its proxy reaches because they follow the grammar of its own routes.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { databases, start } from "../lib/quickstart.mjs";
import { browser, ok, password, signUp } from "./setup.mjs";

const refreshShape = /^tnn_ref_[0-9A-Za-z]{110}$/;

for (const database of databases) {
  describe(`bearer mode on ${database}`, { timeout: 120_000 }, () => {
    let server;
    before(async () => { server = await start(database); });
    after(async () => { assert.equal(await server?.stop(), 0, "SIGTERM: exit code"); });

    // signIn returns a client that has tokens and no cookie.
    async function signIn() {
      const { email } = await signUp(server, browser(server));
      const app = browser(server);
      const tokens = ok(await app.client.signIn.email({ email, password, fetchOptions: { headers: { "X-Token-Mode": "bearer" } } }));
      assert.equal(tokens.token, null);
      assert.match(tokens.refreshToken, refreshShape);
      return { ...app, email, tokens };
    }
    const as = (tokens) => ({ fetchOptions: { headers: { Authorization: `Bearer ${tokens.accessToken}` } } });
    const who = async (app, tokens) => ok(await app.client.getSession(as(tokens)))?.user.email ?? null;

    async function refused(call, status, code) {
      const { data, error } = await call;
      assert.equal(data, null);
      assert.deepEqual([error.status, error.code], [status, code], JSON.stringify(error));
    }

    test("sign in, refresh, list, sign out", async () => {
      const app = await signIn();
      assert.equal(await who(app, app.tokens), app.email);
      assert.equal(ok(await app.client.getSession()), null, "there is no cookie");
      assert.equal(app.jar.secrets.size, 0);

      const next = ok(await app.client.token.refresh({ refreshToken: app.tokens.refreshToken }));
      assert.deepEqual(Object.keys(next).sort(), ["accessToken", "accessTokenExpiresAt", "refreshToken", "refreshTokenExpiresAt"]);
      assert.notEqual(next.refreshToken, app.tokens.refreshToken);
      const again = ok(await app.client.token.refresh({ refreshToken: app.tokens.refreshToken }));
      assert.equal(again.refreshToken, next.refreshToken, "a lost answer is repeated");
      const minutes = (new Date(next.accessTokenExpiresAt) - Date.now()) / 60_000;
      assert.ok(minutes > 9 && minutes < 10.1, `the access token works for ${minutes} minutes`);

      assert.equal(ok(await app.client.listSessions(as(next))).filter((s) => s.current).length, 1);
      ok(await app.client.signOut(as(next)));
      assert.equal(await who(app, next), null);
      await refused(app.client.token.refresh({ refreshToken: next.refreshToken }), 401, "INVALID_REFRESH_TOKEN");
    });

    test("an older token ends the session", async () => {
      const app = await signIn();
      let newest = app.tokens;
      for (let i = 0; i < 2; i++) newest = ok(await app.client.token.refresh({ refreshToken: newest.refreshToken }));
      await refused(app.client.token.refresh({ refreshToken: app.tokens.refreshToken }), 401, "INVALID_REFRESH_TOKEN");
      await refused(app.client.token.refresh({ refreshToken: newest.refreshToken }), 401, "INVALID_REFRESH_TOKEN");
      assert.equal(await who(app, newest), null);
    });

    test("token/revoke ends the session and says so to everybody", async () => {
      const app = await signIn();
      for (const refreshToken of [app.tokens.refreshToken, app.tokens.refreshToken, "nonsense"]) {
        assert.deepEqual(ok(await app.client.token.revoke({ refreshToken })), { success: true });
      }
      assert.equal(await who(app, app.tokens), null);
    });
  });
}
