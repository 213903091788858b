// A person makes the journey on the quickstart's pages, in Chromium without JavaScript.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { databases, start } from "../lib/quickstart.mjs";
import { assertStrict, judge, launch, looks, person } from "./pages.mjs";
import { address, password, signIn, signUp } from "./steps.mjs";

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
        test(`the whole journey, ${look.name}`, async () => {
          const email = address(), who = await person(browser, server, look), { page } = who;
          await assertStrict(await page.goto("/"), { scripts: true });
          await judge(who, "1-home");
          await signUp(server, who, email);
          await judge(who, "2-sent");

          await page.getByRole("link", { name: "Mailbox", exact: true }).click();
          const letter = page.locator(".mail", { hasText: email });
          await letter.waitFor();
          await judge(who, "3-mailbox");
          const opened = page.waitForResponse((r) => r.status() === 200 && r.url().includes("/verify-email"));
          await letter.getByRole("link", { name: "Open the link" }).click();
          await assertStrict(await opened);
          assert.ok((await page.textContent("main")).includes(email), "the page names the account");
          assert.equal(await page.locator("input:not([type=hidden])").count(), 0, "the same browser is asked nothing");
          await judge(who, "4-confirm");
          await page.getByRole("button", { name: "Confirm" }).click();
          await page.getByText("Your address is confirmed").waitFor();
          await judge(who, "5-confirmed");

          await signIn(who, email, "not this one");
          await page.getByRole("alert").waitFor();
          await judge(who, "6-wrong-password");
          await signIn(who, email);
          await page.getByRole("heading", { name: "Hello, Ada Lovelace" }).waitFor();
          const text = await page.textContent("main");
          assert.ok(text.includes(email) && text.includes("confirmed") && text.includes("owner"), text);
          assert.match(text, /Organization\s*Ada Lovelace's organization\s*owner/);
          await judge(who, "7-signed-in");
          await page.getByRole("button", { name: "Sign out" }).click();
          await page.getByText("You are signed out").waitFor();
          await judge(who, "8-signed-out");
          assert.ok(!(await who.context.cookies()).some((c) => c.name.endsWith("_session")), "the cookie is gone");
          await page.goto("/api/auth/error?error=%3Cb%3Ex%3C%2Fb%3E");
          await judge(who, "9-error");
          assert.ok(!(await page.content()).includes("<b>x"), "a code from the address is not shown");
          await who.close();
        });

        test(`R5: another browser is asked for the password, ${look.name}`, async () => {
          const email = address(), mine = await person(browser, server, look), other = await person(browser, server, look);
          const link = await signUp(server, mine, email), { page } = other;
          await page.goto(link);
          assert.ok((await page.textContent("main")).includes(email), "the page names the account");
          await judge(other, "a-other-browser");
          const asked = page.getByLabel("Password from sign-up");
          await asked.fill("not this one");
          await page.getByRole("button", { name: "Confirm" }).click();
          await page.getByRole("alert").waitFor();
          await judge(other, "b-other-browser-wrong");
          await asked.fill(password);
          await page.getByRole("button", { name: "Confirm" }).click();
          await page.getByText("Your address is confirmed").waitFor();
          await signIn(other, email);
          await page.getByRole("heading", { name: "Hello, Ada Lovelace" }).waitFor();
          await mine.page.goto(link);
          await judge(mine, "c-dead-link");
          const said = await mine.page.textContent("main");
          assert.ok(!said.includes(email), "a dead link names nobody");
          assert.ok(!said.includes("confirmed"), "a dead link does not claim success");
          await mine.close();
          await other.close();
        });

        test(`R5: a new password drops what somebody else typed, ${look.name}`, async () => {
          const email = address(), squatter = await person(browser, server, look), owner = await person(browser, server, look);
          const link = await signUp(server, squatter, email, { name: "Mallory", typed: "the squatter's choice" });
          const { page } = owner;
          await page.goto(link);
          await page.getByRole("link", { name: /new password/ }).click();
          await judge(owner, "d-new-password");
          await page.getByLabel("Your name").fill("Grace Hopper");
          await page.getByLabel("New password").fill(password);
          await page.getByRole("button", { name: "Confirm" }).click();
          await page.getByText("Your address is confirmed").waitFor();
          await signIn(squatter, email, "the squatter's choice");
          await squatter.page.getByRole("alert").waitFor();
          await signIn(owner, email);
          await page.getByRole("heading", { name: "Hello, Grace Hopper" }).waitFor();
          assert.deepEqual([...owner.faults, ...squatter.faults], []);
          await squatter.close();
          await owner.close();
        });
      }
    });
  }

  test("the judge sees scripts, strangers and overflow", async () => {
    const who = await person(browser, { baseURL: "http://localhost:1" });
    await who.page.setContent(`<title>x</title><h1>x</h1><input name="bare"><div style="width:5000px">x</div>`);
    await assert.rejects(judge(who, "control"), /horizontal scrolling/);
    await who.page.setContent(`<html lang="en"><title>x</title><h1>x</h1><input name="bare">`);
    await assert.rejects(judge(who, "control"), /bare/);
    await who.page.setContent(`<html lang="en"><title>x</title><h1>x</h1><img src="http://127.0.0.1:1/x.png">`);
    await assert.rejects(judge(who, "control"), /request to/);
    await who.page.setContent(`<html lang="en"><meta http-equiv="Content-Security-Policy" content="style-src 'none'"><title>x</title><h1 style="color:red">x</h1>`);
    await assert.rejects(judge(who, "control"), /console: .*Content Security Policy/s);
    await who.close();
  });
});
