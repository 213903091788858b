// A superuser's work, by the official client's admin plugin, and its jwt plugin.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { adminClient, jwtClient } from "better-auth/client/plugins";
import { databases, start } from "../lib/quickstart.mjs";
import { address, assertNoSecret, browser, ok, password, signUp } from "./setup.mjs";

for (const database of databases) {
  describe(`admin on ${database}`, { timeout: 120_000 }, () => {
    const boss = address("root");
    let server, root;
    before(async () => {
      server = await start(database, "-superuser", boss);
      root = browser(server, [adminClient()]);
      await signUp(server, root, boss);
      ok(await root.client.signIn.email({ email: boss, password }));
    });
    after(async () => { assert.equal(await server?.stop(), 0, "SIGTERM: exit code"); });

    async function refused(call, status, code) {
      const { data, error } = await call;
      assert.equal(data, null);
      assert.deepEqual([error.status, error.code], [status, code], JSON.stringify(error));
    }

    // person returns a new user with a browser that is signed in.
    async function person() {
      const who = browser(server, [adminClient()]);
      const { email } = await signUp(server, who);
      const { user } = ok(await who.client.signIn.email({ email, password }));
      return { ...who, email, id: user.id };
    }
    const active = async (who) => ok(await who.client.getSession())?.user.email ?? null;

    test("list, search, get, update and set a role", async () => {
      const ada = await person();
      assert.equal(ok(await root.client.getSession()).user.role, "admin");
      const { users, total } = ok(await root.client.admin.listUsers({ query: { limit: 100, sortBy: "createdAt", sortDirection: "desc" } }));
      assert.ok(total >= 2 && users.some((u) => u.email === ada.email && u.role === "user" && u.banned === false));
      assert.equal(users[0].email, ada.email);
      const found = ok(await root.client.admin.listUsers({
        query: { searchField: "email", searchOperator: "starts_with", searchValue: ada.email.slice(0, -4), filterField: "role", filterOperator: "eq", filterValue: "user" },
      }));
      assert.deepEqual(found.users.map((u) => u.id), [ada.id]);
      assert.ok(found.users[0].createdAt instanceof Date);
      const changed = ok(await root.client.admin.updateUser({ userId: ada.id, data: { name: "Countess" } }));
      assert.equal(changed.name, "Countess");
      assert.equal(ok(await root.client.$fetch(`/admin/get-user?id=${ada.id}`)).name, "Countess");
      await refused(ada.client.admin.listUsers({ query: {} }), 403, "FORBIDDEN");
      assert.equal(ok(await root.client.admin.setRole({ userId: ada.id, role: "admin" })).user.role, "admin");
      ok(await ada.client.admin.listUsers({ query: {} }));
      assert.equal(ok(await root.client.admin.setRole({ userId: ada.id, role: ["user"] })).user.role, "user");
      await refused(ada.client.admin.listUsers({ query: {} }), 403, "FORBIDDEN");
      await refused(root.client.admin.setRole({ userId: ada.id, role: "owner" }), 400, "YOU_ARE_NOT_ALLOWED_TO_SET_NON_EXISTENT_VALUE");
    });

    test("ban, unban, sessions and removal", async () => {
      const ada = await person();
      const listed = ok(await root.client.admin.listUserSessions({ userId: ada.id })).sessions;
      assert.ok(listed.length >= 1 && listed.every((s) => s.userId === ada.id && s.token === s.id));
      for (const s of listed) assert.equal(ok(await root.client.admin.revokeUserSession({ sessionToken: s.token })).success, true);
      assert.equal(await active(ada), null);
      ok(await ada.client.signIn.email({ email: ada.email, password }));
      assert.equal(ok(await root.client.admin.revokeUserSessions({ userId: ada.id })).success, true);
      assert.equal(await active(ada), null);

      const { user } = ok(await root.client.admin.banUser({ userId: ada.id, banReason: "spam", banExpiresIn: 3600 }));
      assert.deepEqual([user.banned, user.banReason, user.banExpires instanceof Date], [true, "spam", true]);
      await refused(ada.client.signIn.email({ email: ada.email, password }), 401, "INVALID_EMAIL_OR_PASSWORD");
      assert.equal(ok(await root.client.admin.unbanUser({ userId: ada.id })).user.banned, false);
      ok(await ada.client.signIn.email({ email: ada.email, password }));

      assert.equal(ok(await root.client.admin.removeUser({ userId: ada.id })).success, true);
      assert.equal(await active(ada), null);
      await refused(root.client.admin.removeUser({ userId: ada.id }), 404, "USER_NOT_FOUND");
      await refused(root.client.admin.banUser({ userId: (ok(await root.client.getSession())).user.id }), 400, "YOU_CANNOT_BAN_YOURSELF");
    });

    test("create a user, who chooses a password by the mailed link", async () => {
      const email = address("made");
      const { user } = ok(await root.client.admin.createUser({ email, name: "Made", role: "user", data: { image: "https://example.com/m.png" } }));
      assert.deepEqual([user.email, user.emailVerified, user.role], [email, false, "user"]);
      await refused(root.client.admin.createUser({ email, name: "Twice" }), 409, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL");
      await refused(root.client.admin.createUser({ email: address("x"), name: "X", password }), 403, "TYPED_PASSWORDS_NOT_ALLOWED");
      const link = new URL((await server.mailTo(email)).links[0]);
      const made = browser(server);
      ok(await made.client.resetPassword({ newPassword: password, token: link.pathname.split("/").at(-1) }));
      ok(await made.client.signIn.email({ email, password }));
      assert.equal(ok(await made.client.getSession()).user.emailVerified, true);
      await refused(root.client.admin.setUserPassword({ userId: user.id, newPassword: password }), 403, "TYPED_PASSWORDS_NOT_ALLOWED");
    });

    test("act as a user and stop", async () => {
      const ada = await person();
      const { session, user } = ok(await root.client.admin.impersonateUser({ userId: ada.id }));
      const me = ok(await root.client.getSession());
      assert.deepEqual([user.id, me.user.id, me.session.id], [ada.id, ada.id, session.id]);
      assert.ok(me.session.impersonatedBy && me.session.impersonatedBy !== ada.id);
      assert.ok(session.expiresAt - Date.now() <= 3_600_000);
      await refused(root.client.admin.listUsers({ query: {} }), 403, "FORBIDDEN");
      await refused(root.client.changePassword({ currentPassword: password, newPassword: "another mild evening" }), 403, "FORBIDDEN");
      ok(await root.client.admin.stopImpersonating());
      assert.equal(await active(root), boss);
      assert.equal(await active(ada), ada.email);
      await refused(root.client.admin.impersonateUser({ userId: ok(await root.client.getSession()).user.id }), 403, "YOU_CANNOT_IMPERSONATE_ADMINS");
      assertNoSecret(root);
    });

    test("the keys of access tokens are published", async () => {
      const { client } = browser(server, [jwtClient()]);
      const { keys } = ok(await client.jwks());
      assert.ok(keys.length >= 1 && keys.every((k) => k.kty === "OKP" && k.crv === "Ed25519" && k.alg === "EdDSA" && k.kid && !k.d));
    });
  });
}
