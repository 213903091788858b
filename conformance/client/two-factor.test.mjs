// The unmodified official client with its plugin for second factors. The codes of the app are computed in lib/totp.mjs.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { twoFactorClient } from "better-auth/client/plugins";
import { databases, start } from "../lib/quickstart.mjs";
import { app } from "../lib/totp.mjs";
import { assertNoSecret, assertTokensNull, browser, ok, password, signUp } from "./setup.mjs";

async function refused(call, status, code) {
  const { data, error } = await call;
  assert.equal(data, null, JSON.stringify(data));
  assert.deepEqual([error.status, error.code], [status, code], JSON.stringify(error));
}

for (const database of databases) {
  describe(`twoFactor on ${database}`, { timeout: 120_000 }, () => {
    let server;
    before(async () => { server = await start(database, "-mail-codes"); });
    after(async () => { assert.equal(await server?.stop(), 0, "SIGTERM: exit code"); });

    // visitor is a browser whose client remembers that it was sent to the second step.
    function visitor() {
      const redirects = [];
      const who = browser(server, [twoFactorClient({ onTwoFactorRedirect: (context) => { redirects.push(context); } })]);
      return { ...who, redirects };
    }

    async function signedIn() {
      const who = visitor();
      const { email } = await signUp(server, who);
      ok(await who.client.signIn.email({ email, password }));
      return { ...who, email };
    }

    async function enrolled() {
      const who = await signedIn();
      const enabled = ok(await who.client.twoFactor.enable({ password }));
      const made = app(enabled.totpURI);
      ok(await who.client.twoFactor.verifyTotp({ code: made.next() }));
      return { ...who, app: made, codes: enabled.backupCodes };
    }

    // again begins to sign in from another browser, and stops at the second step.
    async function again(email) {
      const other = visitor();
      const answer = ok(await other.client.signIn.email({ email, password }));
      assert.equal(answer.twoFactorRedirect, true);
      assert.equal(ok(await other.client.getSession()), null);
      return { ...other, answer };
    }

    test("enable, getTotpUri, verifyTotp", async () => {
      const who = await signedIn(), other = visitor();
      ok(await other.client.signIn.email({ email: who.email, password }));
      await refused(who.client.twoFactor.enable({ password: "not the password" }), 400, "INVALID_PASSWORD");
      await refused(who.client.twoFactor.getTotpUri({ password }), 400, "TOTP_NOT_ENABLED");
      const enabled = ok(await who.client.twoFactor.enable({ password, issuer: "Ada & Co" }));
      assert.equal(enabled.method, "totp");
      const made = app(enabled.totpURI);
      assert.deepEqual([made.label, made.issuer], [`Ada & Co:${who.email}`, "Ada & Co"]);
      assert.equal(enabled.backupCodes.length, 10);
      for (const code of enabled.backupCodes) assert.match(code, /^[A-Z2-7]{5}(-[A-Z2-7]{5}){4}$/);
      assert.equal(ok(await who.client.getSession()).user.twoFactorEnabled, false, "pending");
      const secret = (uri) => new URL(uri).searchParams.get("secret");
      assert.equal(secret(ok(await who.client.twoFactor.getTotpUri({ password })).totpURI), secret(enabled.totpURI));
      const qr = await who.jar.fetch(`${server.baseURL}/api/auth/two-factor/qr`);
      assert.deepEqual([qr.status, qr.headers.get("content-type"), qr.headers.get("cache-control")], [200, "image/png", "no-store"]);
      await refused(who.client.twoFactor.verifyTotp({ code: "000000" }), 401, "INVALID_CODE");
      const on = ok(await who.client.twoFactor.verifyTotp({ code: made.next() }));
      assert.deepEqual([on.token, on.user.email, on.user.twoFactorEnabled], [null, who.email, true]);
      assert.equal(ok(await who.client.getSession()).user.twoFactorEnabled, true);
      assert.equal(ok(await other.client.getSession()), null, "turning it on ends the other sessions");
      await refused(who.client.twoFactor.getTotpUri({ password }), 400, "TOTP_NOT_ENABLED");
      assert.equal((await server.mailTo(who.email, 2)).links.length, 0, "the owner is told");
      assert.equal(who.redirects.length, 0);
      assertNoSecret(who);
    });

    test("signIn in two steps, by a code of the app", async () => {
      const who = await enrolled(), other = await again(who.email);
      assert.deepEqual(other.redirects, [{ twoFactorMethods: ["totp", "backup_code"] }]);
      await refused(other.client.twoFactor.verifyTotp({ code: who.app.last() }), 401, "INVALID_CODE"); // used to turn it on
      const signed = ok(await other.client.twoFactor.verifyTotp({ code: ` ${who.app.next()} `, trustDevice: true }));
      assert.deepEqual([signed.token, signed.user.email], [null, who.email]);
      assert.equal(ok(await other.client.getSession()).user.email, who.email);
      await refused(visitor().client.twoFactor.verifyTotp({ code: who.app.next() }), 401, "INVALID_TWO_FACTOR_COOKIE");
      assertNoSecret(other);
      assertTokensNull(other);
    });

    test("verifyBackupCode, generateBackupCodes", async () => {
      const who = await enrolled();
      const first = await again(who.email);
      ok(await first.client.twoFactor.verifyBackupCode({ code: who.codes[0], disableSession: false, trustDevice: false }));
      assert.equal(ok(await first.client.getSession()).user.email, who.email);
      const second = await again(who.email);
      await refused(second.client.twoFactor.verifyBackupCode({ code: who.codes[0] }), 401, "INVALID_BACKUP_CODE");
      assert.match((await server.mailTo(who.email, 3)).text, /Codes left: 9/);
      await refused(who.client.twoFactor.generateBackupCodes({ password: "not the password" }), 400, "INVALID_PASSWORD");
      const made = ok(await who.client.twoFactor.generateBackupCodes({ password }));
      assert.deepEqual([made.status, made.backupCodes.length], [true, 10]);
      assert.equal(ok(await first.client.getSession()), null, "the other sessions end");
      const third = await again(who.email);
      await refused(third.client.twoFactor.verifyBackupCode({ code: who.codes[1] }), 401, "INVALID_BACKUP_CODE");
      ok(await third.client.twoFactor.verifyBackupCode({ code: made.backupCodes[0] }));
    });

    test("disable", async () => {
      const who = await enrolled(), waiting = await again(who.email);
      await refused(who.client.twoFactor.disable({ password: "not the password" }), 400, "INVALID_PASSWORD");
      assert.equal(ok(await who.client.twoFactor.disable({ password })).status, true);
      await refused(waiting.client.twoFactor.verifyBackupCode({ code: who.codes[0] }), 401, "INVALID_TWO_FACTOR_COOKIE");
      const other = visitor();
      assert.equal(ok(await other.client.signIn.email({ email: who.email, password })).twoFactorRedirect, undefined);
      assert.equal(ok(await other.client.getSession()).user.twoFactorEnabled, false);
      await refused(who.client.twoFactor.disable({ password }), 400, "TWO_FACTOR_NOT_ENABLED");
    });

    test("sendOtp, verifyOtp, where the host offers codes by mail", async () => {
      const who = await signedIn();
      const on = ok(await who.client.twoFactor.enable({ password, method: "otp" }));
      assert.deepEqual(Object.keys(on).sort(), ["backupCodes", "method"]);
      assert.equal(on.method, "otp");
      assert.equal(on.backupCodes.length, 10); // the way on after a mailed link, which is no second channel beside a mailed code
      const other = await again(who.email);
      assert.deepEqual(other.answer.twoFactorMethods, ["otp", "backup_code"]);
      assert.equal(ok(await other.client.twoFactor.sendOtp()).status, true);
      const { code } = await server.mailTo(who.email, 3);
      await refused(other.client.twoFactor.verifyOtp({ code: code === "000000" ? "000001" : "000000" }), 401, "INVALID_CODE");
      const elsewhere = await again(who.email);
      await refused(elsewhere.client.twoFactor.verifyOtp({ code }), 401, "INVALID_CODE"); // asked for at another sign-in
      const signed = ok(await other.client.twoFactor.verifyOtp({ code }));
      assert.equal(signed.user.email, who.email);
      assert.equal(ok(await other.client.getSession()).user.email, who.email);
    });
  });
}
