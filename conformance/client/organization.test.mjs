// Organizations, members, roles and ownership by the official client's organization plugin, and its store atoms.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { databases, start } from "../lib/quickstart.mjs";

// The atoms ask nothing where there is no window, and the client looks for one when it is loaded.
globalThis.window ??= globalThis;
const { organizationClient } = await import("better-auth/client/plugins");
const { assertNoSecret, browser, ok, password, signUp } = await import("./setup.mjs");

const plugins = () => [organizationClient({ teams: { enabled: true }, dynamicAccessControl: { enabled: true } })];

let slugs = 0;
const slug = () => `acme-${process.pid}-${++slugs}`;

for (const database of databases) {
  describe(`organizations on ${database}`, { timeout: 180_000 }, () => {
    let server;
    before(async () => { server = await start(database); });
    after(async () => { assert.equal(await server?.stop(), 0, "SIGTERM: exit code"); });

    // person is somebody new, signed in.
    async function person() {
      const who = browser(server, plugins());
      const { email } = await signUp(server, who);
      ok(await who.client.signIn.email({ email, password }));
      const { user } = ok(await who.client.getSession());
      return { ...who, email, id: user.id, organization: who.client.organization };
    }

    // hire lets somebody into an organization, the active one of the owner.
    async function hire(owner, who, role = "member") {
      const invitation = ok(await owner.organization.inviteMember({ email: who.email, role }));
      ok(await who.organization.acceptInvitation({ invitationId: invitation.id }));
      const { members } = ok(await owner.organization.listMembers({ query: {} }));
      return members.find((m) => m.userId === who.id);
    }

    const active = async (who) => ok(await who.client.getSession()).session.activeOrganizationId;

    async function refused(call, status, code) {
      const { data, error } = await call;
      assert.equal(data, null);
      assert.deepEqual([error.status, error.code], [status, code], JSON.stringify(error));
    }

    test("create, check, update, switch, list, read in full, delete", async () => {
      const ada = await person();
      const own = await active(ada), name = slug();
      assert.ok(own, "everybody starts with an organization");
      assert.equal(ok(await ada.organization.checkSlug({ slug: name })).status, true);
      const made = ok(await ada.organization.create({ name: "Acme", slug: name, logo: "https://example.com/l.png", metadata: { plan: "free" } }));
      assert.deepEqual([made.name, made.slug, made.logo, made.metadata, made.members[0].role], ["Acme", name, "https://example.com/l.png", { plan: "free" }, "owner"]);
      assert.ok(made.createdAt instanceof Date && Math.abs(made.createdAt - Date.now()) < 60_000);
      assert.equal(await active(ada), made.id);
      await refused(ada.organization.checkSlug({ slug: name }), 409, "ORGANIZATION_SLUG_ALREADY_TAKEN");
      await refused(ada.organization.create({ name: "Again", slug: name }), 409, "ORGANIZATION_ALREADY_EXISTS");
      const updated = ok(await ada.organization.update({ data: { name: "Acme 2", metadata: { plan: "pro" } }, organizationId: made.id }));
      assert.deepEqual([updated.name, updated.metadata], ["Acme 2", { plan: "pro" }]);
      assert.deepEqual(ok(await ada.organization.list()).map((o) => o.id), [own, made.id]);
      assert.equal(ok(await ada.organization.setActive({ organizationId: own })).id, own);
      assert.equal(await active(ada), own);
      assert.equal(ok(await ada.organization.setActive({ organizationSlug: name })).id, made.id);
      const full = ok(await ada.organization.getFullOrganization());
      assert.equal(full.id, made.id);
      assert.deepEqual(full.members.map((m) => [m.role, m.user.email, m.user.id]), [["owner", ada.email, ada.id]]);
      assert.deepEqual([full.invitations, full.teams], [[], []]);
      const invitation = ok(await ada.organization.inviteMember({ email: `x.${name}@example.com`, role: "member" }));
      const team = ok(await ada.organization.createTeam({ name: "Blue" }));
      const filled = ok(await ada.organization.getFullOrganization());
      assert.deepEqual([filled.invitations.map((i) => i.id), filled.teams.map((t) => t.id)], [[invitation.id], [team.id]]);
      assert.equal(ok(await ada.organization.getFullOrganization({ query: { organizationId: own } })).id, own);
      assert.equal(ok(await ada.organization.setActive({ organizationId: null })), null);
      assert.equal(ok(await ada.organization.getFullOrganization()), null);
      assert.equal(ok(await ada.organization.delete({ organizationId: made.id })).id, made.id);
      assert.deepEqual(ok(await ada.organization.list()).map((o) => o.id), [own]);
      assertNoSecret(ada);
    });

    test("members: roles, permissions, removal, leaving", async () => {
      const ada = await person(), bob = await person();
      const id = await active(ada), member = await hire(ada, bob);
      assert.equal(ok(await ada.organization.getActiveMember()).role, "owner");
      assert.equal(ok(await ada.organization.getActiveMemberRole()).role, "owner");
      ok(await bob.organization.setActive({ organizationId: id }));
      const may = async (who, permissions) => ok(await who.organization.hasPermission({ permissions })).success;
      assert.deepEqual([await may(ada, { organization: ["delete"] }), await may(bob, { member: ["update"] })], [true, false]);
      await refused(bob.organization.updateMemberRole({ memberId: member.id, role: "admin" }), 403, "YOU_ARE_NOT_ALLOWED_TO_UPDATE_THIS_MEMBER");
      assert.equal(ok(await ada.organization.updateMemberRole({ memberId: member.id, role: ["admin"] })).role, "admin");
      for (const permissions of [{ member: ["update"] }, { organization: ["update"] }, { organization: ["delete"] }, { ac: ["create"], team: ["delete"] }]) {
        const here = bob.organization.checkRolePermission({ role: "admin", permissions });
        assert.equal(await may(bob, permissions), here, `the client and the server agree about ${JSON.stringify(permissions)}`);
      }
      await refused(bob.organization.updateMemberRole({ memberId: member.id, role: "owner" }), 409, "USE_TRANSFER_OWNERSHIP");
      const owner = ok(await ada.organization.getActiveMember());
      await refused(bob.organization.removeMember({ memberIdOrEmail: owner.id }), 403, "YOU_ARE_NOT_ALLOWED_TO_DELETE_THIS_MEMBER");
      await refused(ada.organization.leave({ organizationId: id }), 409, "YOU_CANNOT_LEAVE_THE_ORGANIZATION_AS_THE_ONLY_OWNER");
      const listed = ok(await ada.organization.listMembers({ query: { limit: 1, offset: 1, sortBy: "createdAt", sortDirection: "asc" } }));
      assert.deepEqual([listed.total, listed.members.map((m) => m.userId)], [2, [bob.id]]);
      assert.equal(ok(await bob.organization.leave({ organizationId: id })).id, member.id);
      assert.equal(await active(bob), null);
      const again = await hire(ada, bob);
      assert.equal(ok(await ada.organization.removeMember({ memberIdOrEmail: bob.email })).member.id, again.id);
      assertNoSecret(bob);
    });

    test("roles of an organization's own", async () => {
      const ada = await person(), bob = await person();
      const member = await hire(ada, bob);
      const { success, roleData, statements } = ok(await ada.organization.createRole({ role: "Deputy", permission: { team: ["create"] } }));
      assert.deepEqual([success, roleData.role, roleData.permission, statements], [true, "deputy", { team: ["create"] }, { team: ["create"] }]);
      await refused(ada.organization.createRole({ role: "deputy", permission: {} }), 409, "ROLE_NAME_IS_ALREADY_TAKEN");
      await refused(ada.organization.createRole({ role: "owner", permission: {} }), 409, "ROLE_NAME_IS_ALREADY_TAKEN");
      await refused(ada.organization.createRole({ role: "x", permission: { universe: ["delete"] } }), 400, "INVALID_RESOURCE");
      assert.equal(ok(await ada.organization.updateMemberRole({ memberId: member.id, role: "deputy" })).role, "deputy");
      await refused(ada.organization.deleteRole({ roleName: "deputy" }), 409, "ROLE_IS_ASSIGNED_TO_MEMBERS");
      const updated = ok(await ada.organization.updateRole({ roleName: "deputy", data: { permission: { team: ["delete"] } } }));
      assert.deepEqual(updated.roleData.permission, { team: ["delete"] });
      assert.deepEqual(ok(await ada.organization.listRoles()).map((r) => r.role), ["deputy"]);
      assert.equal(ok(await ada.organization.getRole({ query: { roleId: roleData.id } })).role, "deputy");
      ok(await ada.organization.updateMemberRole({ memberId: member.id, role: "member" }));
      assert.equal(ok(await ada.organization.deleteRole({ roleId: roleData.id })).success, true);
      assert.deepEqual(ok(await ada.organization.listRoles()), []);
    });

    test("R31: ownership changes hands in two steps", async () => {
      const ada = await person(), bob = await person();
      const id = await active(ada);
      await hire(ada, bob);
      await refused(bob.organization.acceptOwnership({ organizationId: id }), 404, "NO_OWNERSHIP_OFFER");
      const offer = ok(await ada.organization.transferOwnership({ organizationId: id, userId: bob.id }));
      assert.ok(offer.userId === bob.id && new Date(offer.expiresAt) > new Date());
      assert.equal(ok(await bob.organization.acceptOwnership({ organizationId: id })).id, id);
      assert.equal(ok(await ada.organization.getActiveMemberRole()).role, "admin");
      await refused(ada.organization.delete({ organizationId: id }), 403, "YOU_ARE_NOT_ALLOWED_TO_DELETE_THIS_ORGANIZATION");
    });

    test("promise 7: a stranger is told what somebody would be told of nothing", async () => {
      const ada = await person(), eve = await person();
      const id = await active(ada);
      for (const organizationId of [id, "0190b2c4-7f3a-7c11-8d2e-5b1f0a9c3e77"]) {
        await refused(eve.organization.getFullOrganization({ query: { organizationId } }), 404, "ORGANIZATION_NOT_FOUND");
        await refused(eve.organization.setActive({ organizationId }), 404, "ORGANIZATION_NOT_FOUND");
        await refused(eve.organization.delete({ organizationId }), 404, "ORGANIZATION_NOT_FOUND");
        await refused(eve.organization.update({ organizationId, data: { name: "x" } }), 404, "ORGANIZATION_NOT_FOUND");
      }
    });

    test("the store atoms follow what the client does", async () => {
      const ada = await person();
      const own = await active(ada);
      const lists = ada.client.useListOrganizations, current = ada.client.useActiveOrganization;
      // until resolves when an atom says what is wanted, or fails with what it says.
      const until = (atom, wanted) => new Promise((resolve, reject) => {
        let said;
        const timer = setTimeout(() => { stop(); reject(new Error(JSON.stringify(said))); }, 20_000);
        const stop = atom.subscribe((value) => {
          said = value;
          if (value.isPending || value.isRefetching || !wanted(value.data)) return;
          clearTimeout(timer);
          queueMicrotask(() => stop());
          resolve(value.data);
        });
      });
      const quiet = [lists.subscribe(() => {}), current.subscribe(() => {})]; // mounted, as in a page
      await until(lists, (data) => data?.length === 1);
      await until(current, (data) => data?.id === own);
      const made = ok(await ada.organization.create({ name: "Acme", slug: slug() }));
      await until(lists, (data) => data?.length === 2);
      await until(current, (data) => data?.id === made.id && data.members.length === 1);
      ok(await ada.organization.setActive({ organizationId: own }));
      await until(current, (data) => data?.id === own);
      ok(await ada.organization.delete({ organizationId: made.id }));
      await until(lists, (data) => data?.length === 1);
      for (const stop of quiet) stop();
    });
  });
}
