// People sign in to the quickstart by a certified provider, in Chromium without JavaScript.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { databases } from "../lib/quickstart.mjs";
import { assertStrict, judge, launch, looks, person as anybody } from "../browser/pages.mjs";
import { address, ask, enrol, member, proceed, signIn, signOut, signUp } from "../browser/steps.mjs";
import { callback, start } from "./setup.mjs";

const security = "/security";
const go = ({ page }, name = "Continue with Acme") => page.getByRole("button", { name, exact: true }).click();
const hello = ({ page }, name = "Ann Example") => page.getByRole("heading", { name: `Hello, ${name}` }).waitFor();
const userID = ({ page }) => page.locator("dt:text-is('User') + dd").textContent();

// login answers the provider's page for it, and consent the one after it.
async function login({ page }, { login }) {
  await page.getByRole("heading", { name: "Sign in for quickstart" }).waitFor();
  await page.getByLabel("Name").fill(login);
  await page.getByLabel("Password").fill("password");
  await page.getByRole("button", { name: "Sign in" }).click();
}
async function consent({ page }, button = "Allow") {
  await page.getByRole("heading", { name: "Consent for quickstart" }).waitFor();
  await page.getByRole("button", { name: button }).click();
}

// stopBefore consents, follows where that leads, and returns the address before it would be visited.
async function stopBefore({ page, context }, path) {
  const form = page.locator("form", { has: page.getByRole("button", { name: "Allow" }) });
  let address = new URL(await form.getAttribute("action"), page.url()).href;
  for (let method = "POST"; !address.includes(path); method = "GET") {
    const answer = await context.request.fetch(address, { method, maxRedirects: 0 });
    assert.equal(answer.status(), 303, `${address}: ${await answer.text()}`);
    address = new URL(answer.headers().location, address).href;
  }
  return address;
}

// enter signs in for the first time, from the first page.
async function enter(who, account) {
  await who.page.goto("/");
  await go(who);
  await login(who, account);
  await consent(who);
}

describe("sign-in by a certified provider in Chromium", { timeout: 300_000 }, () => {
  let browser;
  before(async () => { browser = await launch(); });
  after(async () => { await browser?.close(); });

  for (const database of databases) {
    describe(`on ${database}`, () => {
      let all;
      before(async () => { all = await start(database); });
      after(async () => { assert.equal(await all?.stop(), 0, "SIGTERM: exit code"); });
      const person = (look) => anybody(browser, all.server, look, { also: [all.idp.issuer] });
      const anonymous = async ({ page }) => {
        await page.goto("/");
        await page.getByRole("heading", { name: "A product with accounts" }).waitFor();
      };

      for (const look of looks.slice(0, database === "sqlite" ? 2 : 1)) {
        test(`login, consent, a session; and again, ${look.name}`, async () => {
          const who = await person(look), { page } = who, ann = all.account();
          await page.goto("/");
          await judge(who, "o1-home");
          await page.route("**/continue", async (route) => { // for a browser that does not go on by itself
            const answer = await route.fetch(), headers = answer.headers();
            assert.ok(headers.refresh.startsWith(`0; url=${all.idp.issuer}/auth?`), headers.refresh);
            delete headers.refresh;
            await route.fulfill({ response: answer, headers });
          });
          await go(who);
          await judge(who, "o2-going");
          await page.getByRole("link", { name: "Go on to Acme" }).click();
          await page.getByRole("heading", { name: "Sign in for quickstart" }).waitFor();
          await page.unroute("**/continue");
          await enter(who, ann);
          await hello(who);
          assert.equal(page.url(), `${all.server.baseURL}/`, "neither code nor state stays in the address");
          const said = await page.textContent("main");
          assert.ok(said.includes(ann.email) && said.includes("confirmed") && said.includes("owner"), said);
          assert.ok(said.includes("signed in with Acme"), said);
          await judge(who, "o3-signed-in");
          const first = await userID(who);
          await signOut(who);
          await page.goto("/");
          await go(who);
          await hello(who); // the provider remembers, and nothing is asked
          assert.equal(await userID(who), first, "the same user");
          assert.deepEqual((await all.server.mailbox()).filter(({ to }) => to.includes(ann.email)), [], "no mail");
          await page.goto(security);
          await page.getByText("connected today, last used just now").waitFor();
          await judge(who, "o4-security");
          await who.close();
        });

        test(`an address that the provider does not prove waits for our mail, ${look.name}`, async () => {
          const who = await person(look), { page } = who, bob = all.account({ domain: "elsewhere.example", name: "Bob Example" });
          await enter(who, bob);
          await page.getByText(/mail/i).first().waitFor();
          await judge(who, "p1-check-your-mail");
          await anonymous(who);
          const { links } = await all.server.mailTo(bob.email);
          await page.goto(links[0]);
          await judge(who, "p2-confirm");
          await page.getByRole("button", { name: "Confirm" }).click();
          await page.goto("/");
          await go(who);
          await hello(who, "Bob Example");
          await judge(who, "p3-signed-in");
          await who.close();
        });

        test(`cancelled at the login and at the consent, ${look.name}`, async () => {
          const who = await person(look), { page } = who, ann = all.account();
          await page.goto("/");
          await go(who);
          await page.getByRole("heading", { name: "Sign in for quickstart" }).waitFor();
          await page.getByRole("button", { name: "Cancel" }).click();
          await page.getByText("cancelled at the sign-in service. Nothing has changed").waitFor();
          await judge(who, "q1-cancelled");
          await page.goto("/");
          await go(who);
          await login(who, ann);
          const answered = page.waitForResponse((r) => r.url().includes(callback) && r.status() !== 303);
          await consent(who, "Cancel");
          const answer = await answered;
          assert.equal(answer.status(), 403);
          await assertStrict(answer, { referrer: "no-referrer" });
          await page.getByText("cancelled at the sign-in service. Nothing has changed").waitFor();
          await judge(who, "q2-cancelled-at-consent");
          await page.getByRole("main").getByRole("link").first().click();
          await page.getByRole("heading", { name: "A product with accounts" }).waitFor();
          await go(who);
          await consent(who);
          await hello(who);
          await who.close();
        });
      }

      test("a callback belongs to the browser that began, and works once", async () => {
        const mine = await person(), other = await person(), ann = all.account();
        await mine.page.goto("/");
        await go(mine);
        await login(mine, ann);
        const brought = await stopBefore(mine, callback);
        const { searchParams } = new URL(brought);
        assert.ok(searchParams.get("code") && searchParams.get("state") && searchParams.get("iss") === all.idp.issuer, brought);
        const refused = async (who, name) => {
          const answer = await who.page.goto(brought);
          assert.equal(answer.status(), 400);
          await assertStrict(answer, { referrer: "no-referrer" });
          await who.page.getByText("was not started in this browser").waitFor();
          await judge(who, name);
          await anonymous(who);
        };
        await refused(other, "r1-another-browser");
        await mine.page.goto(brought); // the stranger has used nothing up
        await hello(mine);
        await signOut(mine);
        await refused(mine, "r2-replayed");
        for (const secret of [searchParams.get("code"), searchParams.get("state")]) {
          assert.ok(!all.server.log.includes(secret), "a code or a state in the log");
        }
        await other.close();
        await mine.close();
      });

      test("a password account with the same proven address is signed in to, and its owner told", async () => {
        const who = await person(), email = `same.${database}@acme.example`;
        const ann = all.account({ email });
        const { page } = who;
        await page.goto(await signUp(all.server, who, email));
        await page.getByRole("button", { name: "Confirm" }).click();
        await page.getByText("Your address is confirmed").waitFor();
        await enter(who, ann);
        await hello(who, "Ada Lovelace");
        const mails = (await all.server.mailbox()).filter(({ to }) => to.includes(email));
        assert.equal(mails.length, 2);
        assert.ok(mails[1].text.includes("Acme"), mails[1].text);
        await signOut(who);
        await signIn(who, email);
        await hello(who, "Ada Lovelace");
        await who.close();
      });

      test("connect and disconnect on the page about security", async () => {
        const who = await person(looks[1]), { page } = who, ann = all.account();
        await member(all.server, who);
        const mine = await userID(who);
        await page.goto(security);
        await judge(who, "t1-none");
        await go(who, "Connect an account of Acme");
        await login(who, ann);
        await consent(who);
        await page.getByText("The account is connected").waitFor();
        await page.getByText("connected today").waitFor();
        await judge(who, "t2-connected");
        await signOut(who);
        await page.goto("/");
        await go(who);
        await hello(who, "Ada Lovelace");
        assert.equal(await userID(who), mine, "the provider's account leads to the user who connected it");

        const other = await person();
        await member(all.server, other);
        await other.page.goto(security);
        await go(other, "Connect an account of Acme");
        await login(other, ann);
        await consent(other);
        await other.page.getByText("connected to an account here already").waitFor();
        await judge(other, "t3-taken");
        await other.close();

        await page.goto(security);
        await page.getByRole("button", { name: "Disconnect" }).click();
        await page.getByText("The account is disconnected").waitFor();
        await page.getByText("None is connected yet").waitFor();
        await judge(who, "t4-disconnected");
        await signOut(who);
        await page.goto("/");
        await go(who);
        await hello(who); // somebody new
        assert.notEqual(await userID(who), mine);
        await who.close();
      });

      test("a second factor is asked for after the provider, too", async () => {
        const who = await person(), { page } = who, ann = all.account();
        const email = await member(all.server, who);
        await page.goto(security);
        await go(who, "Connect an account of Acme");
        await login(who, ann);
        await consent(who);
        await page.getByText("The account is connected").waitFor();
        const { app } = await enrol(who);
        await signOut(who);
        await page.goto("/");
        await go(who);
        await page.getByRole("heading", { name: "Enter the code of your app" }).waitFor();
        await judge(who, "u1-second-step");
        await page.goto("/");
        await page.getByRole("heading", { name: "A product with accounts" }).waitFor(); // no session yet
        await go(who);
        await proceed(who, "Code", app.code());
        await hello(who, "Ada Lovelace");
        assert.ok((await page.textContent("main")).includes(email));
        assert.deepEqual(who.faults, []);
        await who.close();
      });

      test("whoever has no password proves again who they are by the provider", async () => {
        const who = await person(), { page } = who, ann = all.account();
        await enter(who, ann);
        await hello(who);
        await page.goto("/confirm?next=/security");
        await judge(who, "v1-confirm");
        await go(who, "Confirm with Acme");
        await login(who, ann); // asked again, although the provider remembers
        await page.waitForURL("**/security?again");
        await judge(who, "v2-again");
        const bob = all.account({ name: "Bob Example" });
        await page.goto("/confirm?next=/security");
        await go(who, "Confirm with Acme");
        await login(who, bob);
        await page.getByRole("button", { name: "Continue" }).click(); // the provider's: another person than before
        await consent(who);
        await page.getByText("another account").waitFor();
        await judge(who, "v3-another-account");
        await who.close();
      });
    });
  }
});
