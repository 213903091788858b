// The official client's jwt plugin, and npm's jose as the third party that gets the token: it knows the key set's URL, the
// issuer and its own audience, and nothing else. jose is a dependency of better-auth, pinned by the same lock file.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { jwtClient } from "better-auth/client/plugins";
import { createLocalJWKSet, createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { databases, start } from "../lib/quickstart.mjs";
import { browser, ok, password, signUp } from "./setup.mjs";

const audience = "https://reports.example"; // the quickstart's third party

for (const database of databases) {
  describe(`access tokens on ${database}`, { timeout: 120_000 }, () => {
    let server, issuer;
    before(async () => { server = await start(database); issuer = new URL(server.baseURL).origin; });
    after(async () => { assert.equal(await server?.stop(), 0, "SIGTERM: exit code"); });

    async function signedIn() {
      const who = browser(server, [jwtClient()]);
      const { email } = await signUp(server, who);
      ok(await who.client.signIn.email({ email, password }));
      return who;
    }

    test("the key set holds public keys only", async () => {
      const { keys } = ok(await browser(server, [jwtClient()]).client.jwks());
      assert.equal(keys.length, 1);
      assert.deepEqual(Object.keys(keys[0]).sort(), ["alg", "crv", "kid", "kty", "use", "x"]);
    });

    test("token convinces the third party, and opens nothing here", async () => {
      const who = await signedIn();
      const { token } = ok(await who.client.token());
      const { user } = ok(await who.client.getSession());
      const keys = createRemoteJWKSet(new URL(`${issuer}/api/auth/jwks`));
      const { payload, protectedHeader } = await jwtVerify(token, keys, { issuer, audience, algorithms: ["EdDSA"], typ: "JWT", requiredClaims: ["jti", "exp", "iat"] });
      assert.equal(payload.sub, user.id);
      assert.equal(protectedHeader.alg, "EdDSA");
      assert.ok(payload.exp - payload.iat <= 601);
      assert.ok(!("sid" in payload) && !("epoch" in payload));
      await assert.rejects(jwtVerify(token, keys, { issuer, audience: issuer }), /aud/);
      const stranger = browser(server);
      assert.equal(ok(await stranger.client.getSession({ fetchOptions: { headers: { Authorization: `Bearer ${token}` } } })), null);
    });

    test("token needs a session", async () => {
      const { data, error } = await browser(server, [jwtClient()]).client.token();
      assert.equal(data, null);
      assert.equal(error.status, 401);
    });

    test("an access token of bearer mode is an at+jwt for this site", async () => {
      const who = browser(server, [jwtClient()]);
      const { email } = await signUp(server, who);
      const { accessToken } = ok(await who.client.signIn.email({ email, password, fetchOptions: { headers: { "X-Token-Mode": "bearer" } } }));
      const keys = createLocalJWKSet(ok(await who.client.jwks()));
      const { payload } = await jwtVerify(accessToken, keys, { issuer, audience: issuer, typ: "at+jwt", algorithms: ["EdDSA"] });
      for (const claim of ["sub", "sid", "jti"]) assert.equal(typeof payload[claim], "string");
      for (const claim of ["epoch", "iat", "exp"]) assert.ok(Number.isInteger(payload[claim]));
      assert.deepEqual(Object.keys(decodeProtectedHeader(accessToken)).sort(), ["alg", "kid", "typ"]);
      await assert.rejects(jwtVerify(accessToken, keys, { issuer, audience }), /aud/);
    });
  });
}
