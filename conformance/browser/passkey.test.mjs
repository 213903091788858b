// The life of a passkey in Chromium: the unmodified official client in a page, and a virtual authenticator that can be
// told to lie (CDP WebAuthn).
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { databases, start } from "../lib/quickstart.mjs";
import { serve } from "../lib/modules.mjs";
import { launch } from "./pages.mjs";

const password = "a mild winter evening";
let people = 0;
const address = () => `grace.${++people}@example.com`;

// person is a browser profile with a page in which the official client runs, and an authenticator.
async function person(browser, server) {
  const context = await browser.newContext({ baseURL: server.baseURL });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const faults = [];
  page.on("pageerror", (err) => faults.push(String(err)));
  const module = await serve(page);
  await page.route("**/passkeys-in-a-page", (route) => route.fulfill({
    contentType: "text/html", body: `<!doctype html><title>Passkeys</title><input name="email" autocomplete="username webauthn">
<script>window.process = { env: {} }; // a bundler does that</script>
<script type="module">
  import { createAuthClient } from "${module("better-auth/client")}";
  import { twoFactorClient } from "${module("better-auth/client/plugins")}";
  import { passkeyClient } from "${module("@better-auth/passkey/client")}";
  import { startAuthentication } from "${module("@simplewebauthn/browser")}";
  window.client = createAuthClient({ plugins: [passkeyClient(), twoFactorClient()] });
  window.startAuthentication = startAuthentication;
</script>`,
  }));
  const cdp = await context.newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", { options: {
    protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true,
  } });
  const open = async () => {
    await page.goto("/passkeys-in-a-page");
    await page.waitForFunction(() => window.client !== undefined);
  };
  await open();
  return {
    context, page, faults, open,
    // call runs fn(client, argument) in the page and returns what the client answered.
    call: (fn, argument) => page.evaluate(`(${fn})(window.client, ${JSON.stringify(argument) ?? "undefined"})`),
    lie: (bits) => cdp.send("WebAuthn.setResponseOverrideBits", { authenticatorId, isBogusSignature: false, isBadUV: false, isBadUP: false, ...bits }),
    verify: (isUserVerified) => cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified }),
    credentials: async () => (await cdp.send("WebAuthn.getCredentials", { authenticatorId })).credentials,
    import: (credential) => cdp.send("WebAuthn.addCredential", { authenticatorId, credential }),
    session: () => page.evaluate(async () => (await window.client.getSession()).data),
    signOut: async () => { await page.evaluate(() => window.client.signOut()); },
    close: () => context.close(),
  };
}

function ok({ data, error }) {
  assert.equal(error, null, JSON.stringify(error));
  return data;
}

function refused({ data, error }, status, code) {
  assert.equal(data, null, JSON.stringify(data));
  assert.deepEqual([error.status, error.code], [status, code], JSON.stringify(error));
}

// signedIn is a person who signed up by the client and is signed in with the password.
async function signedIn(browser, server) {
  const who = await person(browser, server), email = address();
  ok(await who.call((client, p) => client.signUp.email(p), { name: "Grace", email, password }));
  const token = new URL((await server.mailTo(email)).links[0]).searchParams.get("token");
  ok(await who.call((client, t) => client.verifyEmail({ query: { token: t }, fetchOptions: { method: "POST" } }), token));
  ok(await who.call((client, p) => client.signIn.email(p), { email, password }));
  return { ...who, email };
}

const add = (who, options = {}) => who.call((client, o) => client.passkey.addPasskey(o), options);
const signIn = (who, options = {}) => who.call((client, o) => client.signIn.passkey(o), options);
const list = async (who) => ok(await who.call((client) => client.passkey.listUserPasskeys()));

describe("passkeys in Chromium", { timeout: 300_000 }, () => {
  let browser;
  before(async () => { browser = await launch(); });
  after(async () => { await browser?.close(); });

  for (const database of databases) {
    describe(`on ${database}`, () => {
      let server;
      before(async () => { server = await start(database); });
      after(async () => { assert.equal(await server?.stop(), 0, "SIGTERM: exit code"); });

      test("add, list, rename, sign in without a name, delete", async () => {
        const who = await signedIn(browser, server);
        const added = ok(await add(who, { name: "My laptop" }));
        assert.deepEqual([added.name, added.counter, added.transports], ["My laptop", 1, "internal"]);
        const [have] = await list(who);
        assert.deepEqual([have.id, have.userVerified, have.lastUsedAt], [added.id, true, null]);
        assert.equal((await who.credentials()).length, 1);
        assert.equal((await who.credentials())[0].isResidentCredential, true);
        refused(await add(who), 400, "ERROR_AUTHENTICATOR_PREVIOUSLY_REGISTERED");
        const { passkey } = ok(await who.call((client, id) => client.passkey.updatePasskey({ id, name: "The old one" }), added.id));
        assert.equal(passkey.name, "The old one");

        await who.signOut();
        assert.equal(await who.session(), null);
        const signed = ok(await signIn(who));
        assert.deepEqual([signed.user.email, signed.session.userId, signed.token], [who.email, signed.user.id, null]);
        assert.equal((await who.session()).user.email, who.email);
        const [used] = await list(who);
        assert.ok(used.counter > added.counter && used.lastUsedAt !== null, JSON.stringify(used));

        assert.equal(ok(await who.call((client, id) => client.passkey.deletePasskey({ id }), added.id)).status, true);
        assert.deepEqual(await list(who), []);
        await who.signOut();
        refused(await signIn(who), 401, "AUTHENTICATION_FAILED");
        assert.equal(await who.session(), null);
        assert.deepEqual((await server.mailbox()).filter((m) => m.to.includes(who.email)).map((m) => /passkey/i.test(m.subject)), [false, true, true]);
        assert.deepEqual(who.faults, []);
        await who.close();
      });

      test("conditional UI", async () => {
        const who = await signedIn(browser, server);
        ok(await add(who));
        await who.signOut();
        assert.equal(await who.page.evaluate(() => PublicKeyCredential.isConditionalMediationAvailable()), true);
        const signed = ok(await signIn(who, { autoFill: true }));
        assert.equal(signed.user.email, who.email);
        await who.close();
      });

      for (const [name, bits] of Object.entries({ "bogus signature": { isBogusSignature: true }, "bad UV": { isBadUV: true }, "bad UP": { isBadUP: true } })) {
        test(`${name} is refused`, async () => {
          const who = await signedIn(browser, server);
          if (!bits.isBogusSignature) {
            await who.lie(bits);
            refused(await add(who), 400, "FAILED_TO_VERIFY_REGISTRATION");
            assert.deepEqual(await list(who), []);
            await who.lie({});
          }
          ok(await add(who));
          assert.equal((await who.credentials()).length, 1, "the same handle: one made in vain is replaced");
          await who.signOut();
          await who.lie(bits);
          refused(await signIn(who), 401, "AUTHENTICATION_FAILED");
          assert.equal(await who.session(), null);
          ok(await who.call((client, p) => client.signIn.email(p), { email: who.email, password }));
          assert.equal((await list(who))[0].lastUsedAt, null);
          await who.signOut();
          await who.lie({});
          assert.equal(ok(await signIn(who)).user.email, who.email);
          await who.close();
        });
      }

      test("a clone is refused", async () => {
        const who = await signedIn(browser, server), thief = await person(browser, server);
        ok(await add(who));
        await thief.import((await who.credentials())[0]);
        await who.signOut();
        for (let i = 0; i < 2; i++) ok(await signIn(who));
        refused(await signIn(thief), 401, "AUTHENTICATION_FAILED");
        assert.equal(await thief.session(), null);
        ok(await signIn(who));
        await who.close();
        await thief.close();
      });

      test("the second step and step-up", async () => {
        const who = await signedIn(browser, server);
        ok(await add(who));
        const enabled = ok(await who.call((client, p) => client.twoFactor.enable({ password: p, method: "passkey" }), password));
        assert.equal(enabled.backupCodes.length, 10);
        const [{ id }] = await list(who);
        await who.signOut();
        const first = ok(await who.call((client, p) => client.signIn.email(p), { email: who.email, password }));
        assert.deepEqual([first.twoFactorRedirect, first.twoFactorMethods.includes("passkey")], [true, true]);
        assert.equal(await who.session(), null);
        await who.lie({ isBogusSignature: true });
        refused(await signIn(who), 401, "AUTHENTICATION_FAILED");
        await who.lie({});
        assert.equal(ok(await signIn(who)).user.email, who.email);
        const { user } = await who.session();
        assert.equal(user.twoFactorEnabled, true);

        const stepUp = () => who.page.evaluate(async () => {
          const { data: optionsJSON, error } = await window.client.$fetch("/passkey/generate-step-up-options", { method: "GET" });
          if (error) return { data: null, error };
          const response = await window.startAuthentication({ optionsJSON });
          return window.client.$fetch("/passkey/verify-step-up", { method: "POST", body: { response } });
        });
        assert.ok(new Date(ok(await stepUp()).freshUntil) > new Date(), "fresh from now on");
        refused(await who.call((client, p) => client.passkey.deletePasskey({ id: p }), id), 409, "LAST_SECOND_FACTOR");
        await who.lie({ isBadUV: true });
        refused(await stepUp(), 401, "AUTHENTICATION_FAILED");
        await who.lie({});
        ok(await who.call((client, p) => client.twoFactor.disable({ password: p }), password));
        ok(await who.call((client, p) => client.passkey.deletePasskey({ id: p }), id));
        await who.close();
      });
    });
  }
});
