// Two people share an organization on the quickstart's pages, in Chromium without JavaScript.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { databases, start } from "../lib/quickstart.mjs";
import { assertStrict, judge, launch, looks, person } from "./pages.mjs";
import { member } from "./steps.mjs";

// said waits for the page that answers a form.
const said = ({ page }, role, text) => page.getByRole(role).filter({ hasText: text }).waitFor();

// press follows a link or a button of that name, the first of them.
const press = ({ page }, role, name) => page.getByRole(role, { name }).first().click();

// asked waits for the page that asks before something is done for good.
const asked = ({ page }, title) => page.getByRole("heading", { level: 1, name: title }).waitFor();

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
          await judge(who, "p3-projects");
          await press(who, "link", "Delete A rather long name");
          await asked(who, "Delete the project A rather long name");
          await assertStrict(await page.reload(), { scripts: true });
          await judge(who, "p4-delete");
          await press(who, "link", "Cancel");
          await press(who, "link", "Delete A rather long name");
          await press(who, "button", "Delete it for good");
          await said(who, "status", "The project is deleted");
          assert.equal(await page.locator("strong", { hasText: "Apollo" }).count(), 1);
          await who.close();
        });
      }

      for (const look of looks.slice(0, database === "sqlite" ? 2 : 1)) {
        test(`an organization of two, ${look.name}`, async () => {
          const ada = await person(browser, server, look), bob = await person(browser, server, look);
          await member(server, ada);
          const email = await member(server, bob);
          await assertStrict(await ada.page.goto("/organization"), { scripts: true });
          await judge(ada, "o1-alone");
          await invite(ada, "nobody@example.com", "admin");
          await said(ada, "status", "on its way");
          await invite(ada, email);
          await said(ada, "status", "on its way");
          await invite(ada, email, "admin");
          await said(ada, "alert", "E-mail address: there is an open invitation");
          await judge(ada, "o2-invited-twice");
          await press(ada, "button", "Send again to nobody@example.com");
          await said(ada, "status", "goes out again");
          await press(ada, "link", "Take back the invitation to nobody@example.com");
          await asked(ada, "Take the invitation back?");
          await judge(ada, "q1-cancel");
          await press(ada, "button", "Take it back");
          await said(ada, "status", "taken back");

          const letters = (await server.mailTo(email, 2)).links;
          await bob.page.goto(letters[0]);
          await judge(bob, "o3-invitation");
          await bob.page.getByRole("button", { name: /^(Accept|Join)/ }).click();
          await bob.page.waitForLoadState();
          await bob.page.goto("/organization");
          await judge(bob, "o4-member");

          await ada.page.goto("/organization");
          await press(ada, "link", "Change the role of Ada Lovelace");
          await assertStrict(await ada.page.reload(), { scripts: true });
          await judge(ada, "q2-role");
          await ada.page.getByLabel("Role").selectOption("admin");
          await press(ada, "button", "Change the role");
          await said(ada, "status", "The role is changed");
          await judge(ada, "o5-admin");
          await press(ada, "link", "Remove Ada Lovelace");
          await asked(ada, "Remove Ada Lovelace from");
          await judge(ada, "q3-remove");
          await press(ada, "link", "Cancel");
          await ada.page.getByRole("button", { name: "Offer the ownership" }).click();
          await said(ada, "status", "The offer is made");
          await judge(ada, "o6-offered");
          await bob.page.getByRole("button", { name: "Accept the ownership" }).click();
          await said(bob, "status", "You own the organization now");
          await judge(bob, "o7-owner");

          await ada.page.goto("/organization");
          await press(ada, "link", "Leave the organization");
          await asked(ada, "Leave Ada");
          await judge(ada, "q4-leave");
          await press(ada, "button", "Leave the organization");
          await said(ada, "status", "not a member of that organization");
          await judge(ada, "o8-nowhere");
          await bob.page.goto("/organization");
          await press(bob, "link", "Delete the organization");
          await asked(bob, "Delete Ada");
          await judge(bob, "q5-delete");
          await press(bob, "button", "Delete it with everything in it");
          await said(bob, "status", "The organization is deleted");
          await press(bob, "button", "Act here");
          await said(bob, "status", "You act in this organization now");
          await ada.page.goto("/projects");
          await judge(ada, "o9-no-organization");
          await ada.close();
          await bob.close();
        });
      }
    });
  }
});
