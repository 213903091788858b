// The unmodified official client looks after its own account.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { databases, start } from "../lib/quickstart.mjs";
import { address, assertNoSecret, assertTokensNull, browser, ok, password, signedIn, tokenOf } from "./setup.mjs";

const newPassword = "another mild evening";

for (const database of databases) {
  describe(`the own account on ${database}`, { timeout: 120_000 }, () => {
    let server;
    before(async () => { server = await start(database); });
    after(async () => { assert.equal(await server?.stop(), 0, "SIGTERM: exit code"); });

    const fails = async (call, status, code) => {
      const { data, error } = await call;
      assert.equal(data, null);
      assert.deepEqual([error.status, error.code], [status, code], JSON.stringify(error));
    };

    test("changePassword ends the other sessions and keeps this one", async () => {
      const who = await signedIn(server), other = browser(server);
      ok(await other.client.signIn.email({ email: who.email, password }));
      await fails(who.client.changePassword({ currentPassword: "not this one", newPassword }), 400, "INVALID_PASSWORD");
      await fails(who.client.changePassword({ currentPassword: password, newPassword: "short" }), 400, "PASSWORD_TOO_SHORT");
      const changed = ok(await who.client.changePassword({ currentPassword: password, newPassword, revokeOtherSessions: true }));
      assert.equal(changed.token, null);
      assert.equal(changed.user.email, who.email);
      assert.ok(changed.user.createdAt instanceof Date);
      assert.ok(ok(await who.client.getSession()), "this session goes on");
      assert.equal(ok(await other.client.getSession()), null);
      await fails(other.client.signIn.email({ email: who.email, password }), 401, "INVALID_EMAIL_OR_PASSWORD");
      ok(await other.client.signIn.email({ email: who.email, password: newPassword }));
      assert.match((await server.mailTo(who.email, 2)).subject, /password/);
      for (const one of [who, other]) assertNoSecret(one);
      assertTokensNull(who);
    });

    test("verifyPassword and stepUp", async () => {
      const who = await signedIn(server);
      assert.equal(ok(await who.client.$fetch("/verify-password", { method: "POST", body: { password } })).status, true);
      await fails(who.client.$fetch("/verify-password", { method: "POST", body: { password: "x" } }), 400, "INVALID_PASSWORD");
      const up = ok(await who.client.stepUp({ password }));
      const left = new Date(up.freshUntil).getTime() - Date.now();
      assert.ok(left > 8 * 60_000 && left < 12 * 60_000, `freshUntil: ${up.freshUntil}`);
      assert.ok(ok(await who.client.getSession()), "the session goes on under a new token");
      assertNoSecret(who);
    });

    test("updateUser and listAccounts", async () => {
      const who = await signedIn(server);
      assert.equal(ok(await who.client.updateUser({ name: "Ada L.", image: "https://example.com/ada.png" })).status, true);
      let me = ok(await who.client.getSession()).user;
      assert.deepEqual([me.name, me.image], ["Ada L.", "https://example.com/ada.png"]);
      ok(await who.client.updateUser({ image: null }));
      me = ok(await who.client.getSession()).user;
      assert.deepEqual([me.name, me.image], ["Ada L.", null]);
      await fails(who.client.updateUser({ email: address() }), 400, "EMAIL_CAN_NOT_BE_UPDATED");
      await fails(who.client.updateUser({ name: "Ada", admin: true }), 422, "VALIDATION_ERROR");
      const [account, ...more] = ok(await who.client.listAccounts());
      assert.equal(more.length, 0);
      assert.deepEqual([account.providerId, account.userId, account.accountId, account.scopes], ["credential", me.id, me.id, []]);
      assert.ok(account.id && account.createdAt instanceof Date && account.updatedAt instanceof Date);
      assert.equal(ok(await who.client.user.get({ query: { userId: me.id } })).email, who.email);
      const stranger = await signedIn(server);
      await fails(stranger.client.user.get({ query: { userId: me.id } }), 404, "USER_NOT_FOUND");
    });

    test("changeEmail asks the present mailbox, then the new one", async () => {
      const who = await signedIn(server), newEmail = address("new");
      assert.equal(ok(await who.client.changeEmail({ newEmail, callbackURL: "/" })).status, true);
      const leave = tokenOf(await server.mailTo(who.email, 2));
      assert.equal((await server.mailbox()).filter((mail) => mail.to === newEmail).length, 0, "the new mailbox is not asked yet");
      await fails(who.client.changeEmail.confirm({ query: { token: leave } }), 405, "CONFIRM_WITH_POST");
      ok(await who.client.changeEmail.confirm({ token: leave }));
      const enter = tokenOf(await server.mailTo(newEmail));
      const moved = ok(await who.client.changeEmail.verify({ token: enter }));
      assert.equal(moved.user.email, newEmail);
      assert.equal(ok(await who.client.getSession()).user.email, newEmail);
      const elsewhere = browser(server);
      await fails(elsewhere.client.signIn.email({ email: who.email, password }), 401, "INVALID_EMAIL_OR_PASSWORD");
      ok(await elsewhere.client.signIn.email({ email: newEmail, password }));
      assert.equal((await server.mailTo(who.email, 3)).links.length, 0, "the old address is told, and gets no link");
      assertNoSecret(who, leave, enter);
    });

    test("changeEmail says nothing about whether the address is taken", async () => {
      const owner = await signedIn(server), who = await signedIn(server);
      const answers = [];
      for (const newEmail of [owner.email, address()]) {
        answers.push(ok(await who.client.changeEmail({ newEmail })));
      }
      assert.deepEqual(answers[0], answers[1]);
    });

    test("deleteUser by password, and by the mailed link", async () => {
      const who = await signedIn(server);
      await fails(who.client.deleteUser({ password: "not this one" }), 400, "INVALID_PASSWORD");
      assert.deepEqual(ok(await who.client.deleteUser({ password })), { success: true, message: "User deleted" });
      assert.equal(ok(await who.client.getSession()), null);
      assert.ok(![...who.jar.cookies.keys()].some((name) => name.endsWith("_session")), "the cookie is gone");
      await fails(who.client.signIn.email({ email: who.email, password }), 401, "INVALID_EMAIL_OR_PASSWORD");

      const other = await signedIn(server), stranger = await signedIn(server);
      assert.deepEqual(ok(await other.client.deleteUser()), { success: true, message: "Verification email sent" });
      const token = tokenOf(await server.mailTo(other.email, 2));
      await fails(stranger.client.deleteUser({ token }), 401, "SIGN_IN_FIRST");
      assert.deepEqual(ok(await other.client.deleteUser({ token })), { success: true, message: "User deleted" });
      assert.equal(ok(await other.client.getSession()), null);
      assertNoSecret(other, token);
    });
  });
}
