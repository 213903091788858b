// Two people share an organization on the quickstart's pages, in Chromium without JavaScript.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { databases, start } from "../lib/quickstart.mjs";
import { assertStrict, judge, launch, looks, person } from "./pages.mjs";
import { member } from "./steps.mjs";

// said waits for the page that answers a form.
const said = ({ page }, role, text) => page.getByRole(role).filter({ hasText: text }).waitFor();

// open opens what is folded away below that title.
const open = ({ page }, title) => page.locator("summary", { hasText: title }).first().click();

async function invite({ page }, email, role = "member") {
  await page.goto("/organization");
  const form = page.locator("form[action='/organization/invite']");
  await form.getByLabel("E-mail address").fill(email);
  await form.getByLabel("Role").selectOption(role);
  await form.getByRole("button").click();
}

describe("Chromium", { timeout: 300_000 }, () => {
  let browser;
  before(async () => { browser = await launch(); });
  after(async () => { await browser?.close(); });

  for (const database of databases) {
    describe(`on ${database}`, () => {
      let server;
      before(async () => { server = await start(database); });
      after(async () => { assert.equal(await server?.stop(), 0, "SIGTERM: exit code"); });

      for (const look of database === "sqlite" ? looks : looks.slice(0, 1)) {
        test(`projects, ${look.name}`, async () => {
          const who = await person(browser, server, look), { page } = who;
          await member(server, who);
          await assertStrict(await page.goto("/projects"), { scripts: true });
          await judge(who, "p1-no-projects");
          await page.getByLabel("Name").fill(" ");
          await page.getByRole("button", { name: "Make the project" }).click();
          await said(who, "alert", "Name must be");
          await judge(who, "p2-wrong-name");
          for (const name of ["Apollo", "A rather long name without much in it: ".padEnd(100, "x")]) {
            await page.getByLabel("Name").fill(name);
            await page.getByRole("button", { name: "Make the project" }).click();
            await said(who, "status", "The project is there");
          }
          await open(who, "Delete");
          await judge(who, "p3-projects");
          await page.getByRole("button", { name: /Delete it for good/ }).first().click();
          await said(who, "status", "The project is deleted");
          assert.equal(await page.locator("strong", { hasText: "Apollo" }).count(), 1);
          await who.close();
        });

        test(`an organization of two, ${look.name}`, async () => {
          const ada = await person(browser, server, look), bob = await person(browser, server, look);
          await member(server, ada);
          const email = await member(server, bob);
          await assertStrict(await ada.page.goto("/organization"), { scripts: true });
          await judge(ada, "o1-alone");
          await invite(ada, email);
          await said(ada, "status", "on its way");
          await invite(ada, email, "admin");
          await said(ada, "alert", "E-mail address: there is an open invitation");
          await judge(ada, "o2-invited-twice");

          const letters = (await server.mailTo(email, 2)).links;
          await bob.page.goto(letters[0]);
          await judge(bob, "o3-invitation");
          await bob.page.getByRole("button", { name: /^(Accept|Join)/ }).click();
          await bob.page.waitForLoadState();
          await bob.page.goto("/organization");
          await judge(bob, "o4-member");

          await ada.page.goto("/organization");
          await ada.page.getByRole("button", { name: "Offer the ownership" }).click();
          await said(ada, "status", "The offer is made");
          await judge(ada, "o5-offered");
          await bob.page.getByRole("button", { name: "Accept the ownership" }).click();
          await said(bob, "status", "You own the organization now");
          await judge(bob, "o6-owner");

          await ada.page.goto("/organization");
          await open(ada, "Leave");
          await judge(ada, "o7-leave");
          await ada.page.getByRole("button", { name: "Leave the organization" }).click();
          await said(ada, "status", "not a member of that organization");
          await judge(ada, "o8-nowhere");
          await ada.page.goto("/projects");
          await judge(ada, "o9-no-organization");
          await ada.close();
          await bob.close();
        });
      }
    });
  }
});
