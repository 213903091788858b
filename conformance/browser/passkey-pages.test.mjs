// A person uses passkeys on the quickstart's own pages, by the library's script, in Chromium with a virtual
// authenticator. What a lying authenticator gets is the business of passkey.test.mjs.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { databases, start } from "../lib/quickstart.mjs";
import { judge, launch, looks, person } from "./pages.mjs";
import { ask, enrol, member, signIn, signOut } from "./steps.mjs";

const hello = ({ page }) => page.getByRole("heading", { name: "Hello, Ada Lovelace" }).waitFor();

// holder is a person with scripts and an authenticator that acts by itself while somebody is there.
async function holder(browser, server, look) {
  const who = await person(browser, server, look, { scripts: true });
  const cdp = await who.context.newCDPSession(who.page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", { options: {
    protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: false,
  } });
  const tell = (method, values) => cdp.send(`WebAuthn.${method}`, { authenticatorId, ...values });
  return {
    ...who,
    there: (enabled) => tell("setAutomaticPresenceSimulation", { enabled }),
    knows: (isUserVerified) => tell("setUserVerified", { isUserVerified }),
    // touch presses a button for which the authenticator is needed.
    touch: async (name) => {
      await tell("setAutomaticPresenceSimulation", { enabled: true });
      await who.page.getByRole("button", { name, exact: true }).click();
    },
  };
}

async function add(who, name) {
  await who.page.goto("/security");
  await who.page.getByLabel("Name of the new passkey").fill(name);
  await who.touch("Add a passkey");
  await who.page.getByText("The passkey is added").waitFor();
  await who.there(false);
}

const said = ({ page }) => page.locator("[data-passkey-message]:not([hidden])");

describe("passkeys on the quickstart's pages", { timeout: 300_000 }, () => {
  let browser;
  before(async () => { browser = await launch(); });
  after(async () => { await browser?.close(); });

  for (const database of databases) {
    describe(`on ${database}`, () => {
      let server;
      before(async () => { server = await start(database); });
      after(async () => { assert.equal(await server?.stop(), 0, "SIGTERM: exit code"); });

      for (const look of looks.slice(0, database === "sqlite" ? 2 : 1)) {
        test(`add, sign in, rename, delete, ${look.name}`, async () => {
          const who = await holder(browser, server, look), { page } = who;
          const email = await member(server, who);
          await page.goto("/security");
          await judge(who, "w1-none");
          assert.equal(await page.locator("[data-passkey-missing]").isVisible(), false);
          await who.knows(false);
          await who.touch("Add a passkey");
          await said(who).getByText("cancelled").waitFor();
          await judge(who, "w2-cancelled");
          await who.knows(true);
          await add(who, "My laptop");
          await page.getByText("added today, never used").waitFor();
          await page.getByText("Rename or delete").click();
          await judge(who, "w3-added");
          await who.touch("Add a passkey");
          await said(who).getByText("has a passkey of your account already").waitFor();
          await who.there(false);

          await signOut(who);
          await judge(who, "w4-sign-in");
          await who.touch("Sign in with a passkey");
          await hello(who);
          await page.goto("/security");
          await page.getByText("last used just now").waitFor();
          await page.getByText("Rename or delete").click();
          await page.getByLabel("Name", { exact: true }).fill("<b>Ada’s laptop</b>");
          await page.getByRole("button", { name: "Rename" }).click();
          await page.locator("strong", { hasText: "<b>Ada’s laptop</b>" }).waitFor();
          await judge(who, "w5-renamed");
          await page.getByText("Rename or delete").click();
          await page.getByRole("button", { name: "Delete this passkey" }).click();
          await page.getByText("You have none yet").waitFor();
          await who.there(false);

          await signOut(who);
          await who.touch("Sign in with a passkey");
          await said(who).getByText("The passkey was not accepted").waitFor();
          await judge(who, "w6-refused");
          await who.there(false);
          await signIn(who, email);
          await hello(who);
          await who.close();
        });
      }

      test("a field that is filled in with a passkey signs in", async () => {
        const who = await holder(browser, server), { page, context } = who;
        await member(server, who);
        await add(who, "My phone");
        await signOut(who);
        const asked = [];
        await context.exposeFunction("asked", (mediation) => asked.push(mediation));
        await context.addInitScript(() => {
          const get = navigator.credentials.get.bind(navigator.credentials);
          navigator.credentials.get = (options) => { window.asked(options.mediation); return get(options); };
        });
        await who.there(true); // chooses what the field offers
        await page.goto("/");
        await hello(who);
        assert.deepEqual(asked, ["conditional"], "nothing pops up by itself");
        assert.deepEqual(who.faults, []);
        await who.close();
      });

      test("a passkey is the second step, and leads to where the first one wanted", async () => {
        const who = await holder(browser, server), { page, context } = who;
        const email = await member(server, who);
        await add(who, "My phone");
        await ask(who, "Use your passkeys as the second step", "Turn it on");
        assert.equal((await page.locator(".codes li").allTextContents()).length, 10);
        await judge(who, "x1-codes");
        await page.getByRole("link", { name: "I have kept them" }).click();
        await judge(who, "x2-on");
        await signOut(who);
        const first = await context.request.post("/api/auth/sign-in/email", {
          data: { email, password: "a mild winter evening", callbackURL: "/security?again" },
        });
        assert.equal((await first.json()).twoFactorRedirect, true);
        await page.goto("/api/auth/two-factor/challenge");
        await judge(who, "x3-second-step");
        await page.getByLabel("Do not ask again").check();
        await who.knows(false);
        await who.touch("Use your passkey");
        await said(who).getByText("cancelled").waitFor();
        await judge(who, "x4-second-step-cancelled");
        await who.knows(true);
        await who.touch("Use your passkey");
        await page.waitForURL("**/security?again");
        await page.getByRole("button", { name: /Ask again/ }).waitFor();
        await who.there(false);
        await page.getByText("Rename or delete").click();
        await page.getByRole("button", { name: "Delete this passkey" }).click();
        await page.getByText("the account's only second factor").waitFor();
        await judge(who, "x5-last-factor");
        await who.close();
      });

      test("what the browser, the network and the server say no to is told", async () => {
        const who = await holder(browser, server), { page } = who;
        await member(server, who);
        await add(who, "My phone");
        await page.goto("/confirm?next=/security");
        for (const [answer, told] of [
          [(route) => route.abort(), "could not be reached"],
          [(route) => route.fulfill({ status: 502, contentType: "text/html", body: "<h1>Bad gateway</h1>" }), "could not be used"],
        ]) {
          await page.route("**/generate-step-up-options", answer);
          await page.getByRole("button", { name: "Use a passkey" }).click();
          await said(who).getByText(told).waitFor();
          await page.unroute("**/generate-step-up-options");
        }
        await who.close();
        const old = await person(browser, server, looks[0], { scripts: true });
        await old.context.addInitScript(() => { delete window.PublicKeyCredential; });
        await member(server, old);
        await old.page.goto("/security");
        await old.page.getByText("This browser cannot add or use passkeys").waitFor();
        assert.equal(await old.page.getByRole("button", { name: "Add a passkey" }).count(), 0);
        await judge(old, "w7-old-browser");
        await old.page.goto("/");
        await old.close();
      });

      test("without JavaScript the second step says what it needs", async () => {
        const who = await holder(browser, server);
        const email = await member(server, who);
        await add(who, "My phone");
        await ask(who, "Use your passkeys as the second step", "Turn it on");
        const codes = await who.page.locator(".codes li").allTextContents();
        const plain = await person(browser, server, looks[1]), { page } = plain;
        await signIn(plain, email);
        await page.getByText("This browser cannot use passkeys").waitFor();
        assert.deepEqual(await page.getByRole("button").allTextContents(), ["Sign in as somebody else"]);
        await judge(plain, "x6-second-step-without-scripts");
        await page.getByRole("link", { name: "Use a recovery code" }).click();
        await page.getByLabel("Recovery code").fill(codes[3]);
        await page.getByRole("button", { name: "Continue" }).click();
        await hello(plain);
        await plain.close();
        await who.close();
      });

      test("a trusted browser skips the second step, and proves it for what is important", async () => {
        const who = await holder(browser, server), { page } = who;
        const email = await member(server, who);
        await add(who, "My phone");
        const { app } = await enrol(who);
        await signOut(who);
        await signIn(who, email);
        await page.getByLabel("Do not ask again").check();
        await page.getByLabel("Code").fill("000000");
        await page.getByRole("button", { name: "Continue" }).click();
        assert.equal(await page.getByLabel("Do not ask again").isChecked(), true, "what was ticked stays so");
        await judge(who, "y1-second-step");
        await page.getByLabel("Code").fill(app.code());
        await page.getByRole("button", { name: "Continue" }).click();
        await hello(who);
        await signOut(who);
        await signIn(who, email);
        await hello(who);

        await ask(who, "Make new recovery codes", "Make new recovery codes");
        await page.getByRole("heading", { name: "Confirm that it is you" }).waitFor();
        await judge(who, "y2-confirm");
        await page.getByLabel("Code of your authenticator app").fill("000000");
        await page.getByRole("button", { name: "Confirm" }).first().click();
        await page.getByRole("alert").filter({ hasText: "wrong" }).waitFor();
        await judge(who, "y3-confirm-wrong");
        await who.touch("Use a passkey");
        await page.waitForURL("**/security?again");
        await who.there(false);
        await judge(who, "y4-again");
        await ask(who, "Make new recovery codes", "Make new recovery codes");
        await page.getByRole("heading", { name: "Your recovery codes" }).waitFor();
        await page.goto("/security");
        await page.getByText("None. You can choose that").waitFor(); // the change ended the trust

        await signOut(who);
        await signIn(who, email);
        await page.getByLabel("Do not ask again").check();
        await page.getByLabel("Code").fill(app.code());
        await page.getByRole("button", { name: "Continue" }).click();
        await hello(who);
        await page.goto("/security");
        await judge(who, "y5-trusted");
        await page.getByRole("button", { name: /Ask again/ }).click();
        await page.getByText("asked for the second step again").waitFor();
        await signOut(who);
        await signIn(who, email);
        await page.getByRole("heading", { name: "Enter the code of your app" }).waitFor();
        assert.deepEqual(who.faults, []);
        await who.close();
      });

      test("a new passkey needs a fresh proof, and the page leads there and back", async () => {
        const who = await holder(browser, server), { page } = who;
        const email = await member(server, who);
        const { app } = await enrol(who);
        await signOut(who);
        await signIn(who, email);
        await page.getByLabel("Do not ask again").check();
        await page.getByLabel("Code").fill(app.code());
        await page.getByRole("button", { name: "Continue" }).click();
        await hello(who);
        await signOut(who);
        await signIn(who, email);
        await page.goto("/security");
        await page.getByRole("button", { name: "Add a passkey" }).click();
        await page.waitForURL("**/confirm?next=/security");
        await page.getByLabel("Code of your authenticator app").fill(app.code());
        await page.getByRole("button", { name: "Confirm" }).first().click();
        await page.waitForURL("**/security?again");
        await add(who, "My key");
        await page.locator("strong", { hasText: "My key" }).waitFor();
        await who.close();
      });
    });
  }
});
