// The unmodified official client with its plugins for links and codes: a lost password, and ways in without one.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { emailOTPClient, magicLinkClient } from "better-auth/client/plugins";
import { databases, start } from "../lib/quickstart.mjs";
import { address, assertNoSecret, assertTokensNull, browser, ok, password, signedIn, signUp, tokenOf } from "./setup.mjs";

const plugins = [magicLinkClient(), emailOTPClient()];
const another = "a wild summer morning";
const post = { method: "POST" };

for (const database of databases) {
  describe(`recovery and passwordless on ${database}`, { timeout: 120_000 }, () => {
    let server;
    before(async () => { server = await start(database); });
    after(async () => { assert.equal(await server?.stop(), 0, "SIGTERM: exit code"); });

    async function refused(call, status, code) {
      const { data, error } = await call;
      assert.equal(data, null);
      assert.deepEqual([error.status, error.code], [status, code], JSON.stringify(error));
    }

    test("requestPasswordReset, resetPassword", async () => {
      const who = await signedIn(server), other = browser(server);
      ok(await other.client.signIn.email({ email: who.email, password }));
      const asked = ok(await who.client.requestPasswordReset({ email: who.email, redirectTo: "/new-password" }));
      assert.equal(asked.status, true);
      assert.deepEqual(ok(await who.client.requestPasswordReset({ email: address("nobody"), redirectTo: "/new-password" })), asked);
      const mail = await server.mailTo(who.email, 2), link = mail.links[0];
      let token;
      for (let i = 0; i < 2; i++) { // following the link consumes nothing
        const led = await fetch(link, { redirect: "manual" });
        assert.equal(led.status, 303);
        const target = new URL(led.headers.get("location"), server.baseURL);
        assert.equal(target.pathname, "/new-password");
        token = target.searchParams.get("token");
      }
      assert.ok(new URL(link).pathname.endsWith(`/reset-password/${token}`), "the secret is in the path");
      await refused(other.client.resetPassword({ newPassword: "short", token }), 400, "PASSWORD_TOO_SHORT");
      assert.equal(ok(await other.client.resetPassword({ newPassword: another, token })).status, true);
      await refused(other.client.resetPassword({ newPassword: password, token }), 400, "INVALID_TOKEN");
      for (const { client } of [who, other]) assert.equal(ok(await client.getSession()), null, "all sessions end");
      await refused(who.client.signIn.email({ email: who.email, password }), 401, "INVALID_EMAIL_OR_PASSWORD");
      ok(await who.client.signIn.email({ email: who.email, password: another }));
      assert.equal((await server.mailTo(who.email, 3)).links.length, 0, "the owner is told");
      await refused(who.client.requestPasswordReset({ email: who.email, redirectTo: "https://evil.example.net/" }), 403, "INVALID_CALLBACK_URL");
      for (const one of [who, other]) {
        assertNoSecret(one, token);
        assertTokensNull(one);
      }
    });

    test("signIn.magicLink, magicLink.verify", async () => {
      const who = browser(server, plugins), email = address();
      for (const expected of ["new", "known"]) {
        const asked = ok(await who.client.signIn.magicLink({ email: expected === "new" ? email : email.toUpperCase(), name: "Ada", callbackURL: "/in", newUserCallbackURL: "/welcome", errorCallbackURL: "/oops", metadata: { a: 1 } }));
        assert.equal(asked.status, true);
        if (expected === "known") break; // one mail a minute
        const mail = await server.mailTo(email), token = tokenOf(mail);
        for (let i = 0; i < 2; i++) {
          await refused(who.client.magicLink.verify({ query: { token } }), 405, "CONFIRM_WITH_POST");
        }
        const link = new URL(mail.links[0]);
        assert.deepEqual(["callbackURL", "newUserCallbackURL", "errorCallbackURL"].map((n) => link.searchParams.get(n)), ["/in", "/welcome", "/oops"]);
        const signed = ok(await who.client.magicLink.verify({ query: { token }, fetchOptions: post }));
        assert.equal(signed.token, null);
        assert.deepEqual([signed.user.email, signed.user.name, signed.user.emailVerified], [email, "Ada", true]);
        const { session, user } = ok(await who.client.getSession());
        assert.equal(user.id, signed.user.id);
        for (const [field, value] of Object.entries(signed.session)) { // the type of the official client's, and nothing that opens anything
          assert.deepEqual(value, session[field], field);
        }
        assert.deepEqual(Object.keys(signed.session).sort(), ["createdAt", "expiresAt", "id", "ipAddress", "token", "updatedAt", "userAgent", "userId"]);
        await refused(who.client.magicLink.verify({ query: { token }, fetchOptions: post }), 400, "INVALID_TOKEN");
        assertNoSecret(who, token);
      }
      assertTokensNull(who);
    });

    test("emailOtp.sendVerificationOtp, checkVerificationOtp, signIn.emailOtp", async () => {
      const who = browser(server, plugins), stranger = browser(server, plugins), email = address();
      assert.equal(ok(await who.client.emailOtp.sendVerificationOtp({ email, type: "sign-in" })).success, true);
      const { code: otp } = await server.mailTo(email);
      assert.match(otp, /^\d{6}$/);
      const not = otp.slice(0, 5) + ((Number(otp[5]) + 1) % 10);
      await refused(who.client.signIn.emailOtp({ email, otp: not }), 400, "INVALID_OTP");
      await refused(stranger.client.signIn.emailOtp({ email, otp }), 400, "INVALID_OTP");
      assert.equal(ok(await who.client.emailOtp.checkVerificationOtp({ email, otp, type: "sign-in" })).success, true);
      const signed = ok(await who.client.signIn.emailOtp({ email, otp, name: "Ada" }));
      assert.equal(signed.token, null);
      assert.deepEqual([signed.user.email, signed.user.name], [email, "Ada"]);
      assert.equal(ok(await who.client.getSession()).user.id, signed.user.id);
      await refused(who.client.signIn.emailOtp({ email, otp }), 400, "INVALID_OTP");
      await refused(who.client.emailOtp.sendVerificationOtp({ email, type: "forget-password" }), 400, "INVALID_OTP_TYPE");
      await refused(who.client.emailOtp.requestPasswordReset({ email }), 404, "NOT_FOUND");
      assertNoSecret(who);
      assertTokensNull(who);
    });

    test("emailOtp.verifyEmail proves the address of a sign-up in its browser", async () => {
      const who = browser(server, plugins), stranger = browser(server, plugins), email = address();
      ok(await who.client.signUp.email({ name: "Ada", email, password }));
      ok(await who.client.emailOtp.sendVerificationOtp({ email, type: "email-verification" }));
      const { code: otp } = await server.mailTo(email, 2);
      await refused(who.client.signIn.emailOtp({ email, otp }), 400, "INVALID_OTP");
      await refused(stranger.client.emailOtp.verifyEmail({ email, otp }), 400, "INVALID_OTP");
      const verified = ok(await who.client.emailOtp.verifyEmail({ email, otp }));
      assert.deepEqual([verified.status, verified.token, verified.user.emailVerified], [true, null, true]);
      assert.equal(ok(await who.client.getSession()), null);
      ok(await who.client.signIn.email({ email, password }));
      assertNoSecret(who);
      assertTokensNull(who);
    });

    test("emailOtp.requestEmailChange, emailOtp.changeEmail", async () => {
      const who = browser(server, plugins), { email } = await signUp(server, who), newEmail = address("lovelace");
      ok(await who.client.signIn.email({ email, password }));
      await refused(who.client.emailOtp.requestEmailChange({ newEmail }), 400, "INVALID_OTP");
      ok(await who.client.emailOtp.sendVerificationOtp({ email, type: "email-verification" }));
      const { code: present } = await server.mailTo(email, 2);
      assert.equal(ok(await who.client.emailOtp.requestEmailChange({ newEmail, otp: present })).success, true);
      const { code: otp } = await server.mailTo(newEmail);
      assert.equal(ok(await who.client.emailOtp.changeEmail({ newEmail, otp })).success, true);
      assert.equal(ok(await who.client.getSession()).user.email, newEmail);
      await refused(browser(server).client.signIn.email({ email, password }), 401, "INVALID_EMAIL_OR_PASSWORD");
      assertNoSecret(who);
    });

    test("R7: links and codes are asked for alike by known and unknown addresses", async () => {
      const { email } = await signUp(server, browser(server));
      const seen = [];
      for (const to of [email, address("nobody")]) {
        const { client, jar } = browser(server, plugins);
        for (const ask of [
          () => client.signIn.magicLink({ email: to }), () => client.requestPasswordReset({ email: to }),
          () => client.emailOtp.sendVerificationOtp({ email: to, type: "sign-in" }),
          () => client.emailOtp.sendVerificationOtp({ email: to, type: "email-verification" }),
        ]) {
          ok(await ask());
          seen.push([jar.last().status, jar.last().text]);
        }
      }
      assert.deepEqual(seen.slice(0, 4), seen.slice(4));
    });
  });
}
