// The unmodified official client invites, answers invitations and keeps teams.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { organizationClient } from "better-auth/client/plugins";
import { databases, start } from "../lib/quickstart.mjs";
import { address, assertNoSecret, assertTokensNull, browser, ok, password, signUp, tokenOf } from "./setup.mjs";

const minute = 60_000, day = 24 * 60 * minute;
const plugins = () => [organizationClient({ teams: { enabled: true } })];

for (const database of databases) {
  describe(`invitations by the official client on ${database}`, { timeout: 2 * minute }, () => {
    let server;
    before(async () => { server = await start(database); });
    after(async () => { assert.equal(await server?.stop(), 0, "SIGTERM: exit code"); });

    // person is a browser that is signed in as somebody new.
    async function person(name) {
      const who = browser(server, plugins());
      const { email } = await signUp(server, who, address(name));
      ok(await who.client.signIn.email({ email, password }));
      return { ...who, email, organization: who.client.organization };
    }
    const refused = ({ error }, status, code) => assert.deepEqual([error?.status, error?.code], [status, code], JSON.stringify(error));

    test("invite, look, accept, decline, cancel", async () => {
      const ada = await person("ada"), bob = await person("bob");
      const invited = ok(await ada.organization.inviteMember({ email: bob.email, role: ["member", "admin"] }));
      assert.deepEqual([invited.email, invited.role, invited.status], [bob.email, "admin,member", "pending"]);
      assert.ok(Math.abs(invited.expiresAt.getTime() - Date.now() - 2 * day) < 2 * minute, "48 hours");
      refused(await ada.organization.inviteMember({ email: bob.email, role: "member" }), 409, "USER_IS_ALREADY_INVITED_TO_THIS_ORGANIZATION");
      refused(await ada.organization.inviteMember({ email: address(), role: "owner" }), 409, "USE_TRANSFER_OWNERSHIP");
      assert.equal(ok(await ada.organization.inviteMember({ email: bob.email, role: "member", resend: true })).id, invited.id);
      const mail = await server.mailTo(bob.email);

      const [received] = ok(await bob.organization.listUserInvitations());
      assert.equal(received.id, invited.id);
      const offer = ok(await bob.organization.getInvitation({ query: { id: invited.id } }));
      assert.deepEqual([offer.organizationId, offer.inviterEmail, offer.role], [invited.organizationId, ada.email, "member"]);
      refused(await ada.organization.getInvitation({ query: { id: invited.id } }), 404, "INVITATION_NOT_FOUND");
      const accepted = ok(await bob.organization.acceptInvitation({ invitationId: invited.id }));
      assert.deepEqual([accepted.invitation.status, accepted.member.role], ["accepted", "member"]);
      assert.equal(ok(await bob.client.getSession()).session.activeOrganizationId, invited.organizationId);
      refused(await bob.organization.acceptInvitation({ invitationId: invited.id }), 404, "INVITATION_NOT_FOUND");

      const cem = await person("cem");
      const declined = ok(await ada.organization.inviteMember({ email: cem.email, role: "member" }));
      assert.equal(ok(await cem.organization.rejectInvitation({ invitationId: declined.id })).invitation.status, "rejected");
      const taken = ok(await ada.organization.inviteMember({ email: address(), role: "member" }));
      refused(await cem.organization.cancelInvitation({ invitationId: taken.id }), 404, "INVITATION_NOT_FOUND");
      assert.equal(ok(await ada.organization.cancelInvitation({ invitationId: taken.id })).status, "canceled");
      assert.deepEqual(ok(await ada.organization.listInvitations()).map((i) => i.status), ["accepted", "rejected", "canceled"]);
      for (const who of [ada, bob, cem]) assertNoSecret(who, tokenOf(mail));
    });

    test("somebody new signs up by the mailed secret in one go", async () => {
      const ada = await person("ada"), email = address("dee");
      const invited = ok(await ada.organization.inviteMember({ email, role: "member" }));
      const dee = browser(server, plugins()), token = tokenOf(await server.mailTo(email));
      const answer = ok(await dee.client.$fetch("/organization/accept-invitation", { method: "POST", body: { token, name: "Dee", password } }));
      assert.deepEqual([answer.token, answer.user.email, answer.user.name], [null, email, "Dee"]);
      const me = ok(await dee.client.getSession());
      assert.deepEqual([me.user.id, me.session.activeOrganizationId], [answer.user.id, invited.organizationId]);
      assertNoSecret(dee, token);
      assertTokensNull(dee);
    });

    test("teams", async () => {
      const ada = await person("ada"), bob = await person("bob");
      const team = ok(await ada.organization.createTeam({ name: "Blue" })), other = ok(await ada.organization.createTeam({ name: "Red" }));
      assert.equal(ok(await ada.organization.updateTeam({ teamId: team.id, data: { name: "Green" } })).name, "Green");
      assert.deepEqual(ok(await ada.organization.listTeams()).map((t) => t.name), ["Green", "Red"]);
      const invited = ok(await ada.organization.inviteMember({ email: bob.email, role: "member", teamId: team.id }));
      assert.equal(invited.teamId, team.id);
      const { member } = ok(await bob.organization.acceptInvitation({ invitationId: invited.id }));
      assert.deepEqual(ok(await bob.organization.listUserTeams()).map((t) => t.id), [team.id]);
      assert.equal(ok(await bob.organization.setActiveTeam({ teamId: team.id })).id, team.id);
      assert.equal(ok(await bob.client.getSession()).session.activeTeamId, team.id);
      assert.deepEqual(ok(await bob.organization.listTeamMembers({ query: {} })).map((m) => m.userId), [member.userId]);
      assert.equal(ok(await ada.organization.addTeamMember({ teamId: other.id, userId: member.userId })).teamId, other.id);
      assert.deepEqual(ok(await ada.organization.listTeamMembers({ query: { teamId: other.id } })).map((m) => m.userId), [member.userId]);
      ok(await ada.organization.removeTeamMember({ teamId: other.id, userId: member.userId }));
      refused(await bob.organization.removeTeam({ teamId: other.id }), 403, "YOU_ARE_NOT_ALLOWED_TO_DELETE_TEAMS_IN_THIS_ORGANIZATION");
      assert.equal(ok(await ada.organization.removeTeam({ teamId: other.id })).message, "Team removed successfully.");
      assert.equal(ok(await bob.organization.setActiveTeam({ teamId: null })), null);
    });
  });
}
