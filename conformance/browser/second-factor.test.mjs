// A person gives the account a second factor on the quickstart's pages, in Chromium without JavaScript.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { databases, start } from "../lib/quickstart.mjs";
import { assertStrict, judge, launch, looks, person } from "./pages.mjs";
import { ask, enrol, member, proceed, signIn, signOut } from "./steps.mjs";

const challenge = "/api/auth/two-factor/challenge";
const hello = ({ page }) => page.getByRole("heading", { name: "Hello, Ada Lovelace" }).waitFor();

describe("the second factor in Chromium", { timeout: 300_000 }, () => {
  let browser;
  before(async () => { browser = await launch(); });
  after(async () => { await browser?.close(); });

  for (const database of databases) {
    describe(`on ${database}`, () => {
      let server;
      before(async () => { server = await start(database); });
      after(async () => { assert.equal(await server?.stop(), 0, "SIGTERM: exit code"); });

      for (const look of looks.slice(0, database === "sqlite" ? 2 : 1)) {
        test(`enrol, sign in in two steps, recover, turn off, ${look.name}`, async () => {
          const who = await person(browser, server, look), { page } = who;
          const email = await member(server, who);
          await page.goto("/security");
          await judge(who, "s1-off");
          await page.getByText("This browser cannot add or use passkeys").waitFor();
          await ask(who, "Set up an authenticator app", "Go on", "not this one");
          await page.getByRole("alert").waitFor();
          await judge(who, "s2-wrong-password");
          await ask(who, "Set up an authenticator app", "Go on");
          await judge(who, "s3-enrol");
          assert.ok(await page.locator("img.qr").evaluate((image) => image.complete && image.naturalWidth > 200), "the QR code is drawn");
          await page.getByLabel("Code").fill("000000");
          await page.getByRole("button", { name: "Turn it on" }).click();
          await page.getByText("Type the six digits that the app shows now").waitFor();
          await judge(who, "s4-enrol-wrong-code");
          await page.goto("/security");
          await page.getByText("off", { exact: true }).waitFor();

          const { app, codes } = await enrol(who);
          assert.equal(new Set(codes).size, 10);
          await judge(who, "s5-codes");
          const waiting = page.waitForEvent("download");
          await page.getByRole("link", { name: "Download as text" }).click();
          const download = await waiting;
          assert.equal(download.suggestedFilename(), "recovery-codes.txt");
          const text = await readFile(await download.path(), "utf8");
          assert.deepEqual(codes.filter((code) => !text.includes(code)), [], "the file has them all");
          await page.getByRole("link", { name: "I have kept them" }).click();
          await page.getByText("10 left").waitFor();
          await judge(who, "s6-on");
          assert.ok(!(await page.content()).includes(codes[0]), "they are shown once");

          await signOut(who);
          await signIn(who, email);
          await assertStrict(await page.goto(challenge));
          await judge(who, "s7-second-step");
          await page.goto("/security");
          await page.getByText("Sign in first").waitFor(); // half a sign-in opens nothing
          await page.goto(challenge);
          await proceed(who, "Code", "000000");
          await page.getByText("Type the code that the app shows now").waitFor();
          await judge(who, "s8-second-step-wrong");
          await proceed(who, "Code", app.code());
          await hello(who);

          await signOut(who);
          await signIn(who, email);
          await page.getByRole("link", { name: "Use a recovery code" }).click();
          await judge(who, "s9-recovery");
          await proceed(who, "Recovery code", codes[0].toLowerCase().replaceAll("-", " "));
          await hello(who);
          await page.goBack();
          await page.getByRole("heading", { name: "You are signed in" }).waitFor();
          await judge(who, "s11-back");
          await page.goto("/security");
          await page.getByText("9 left").waitFor();
          assert.match((await server.mailTo(email, 3)).subject, /recovery code/i);
          await ask(who, "Make new recovery codes", "Make new recovery codes");
          const next = await page.locator(".codes li").allTextContents();
          assert.equal(next.length, 10);
          assert.deepEqual(next.filter((code) => codes.includes(code)), []);

          await signOut(who);
          await signIn(who, email);
          await page.getByRole("link", { name: "Use a recovery code" }).click();
          for (const dead of [codes[0], codes[1]]) {
            await proceed(who, "Recovery code", dead);
            await page.getByRole("alert").waitFor();
          }
          await judge(who, "s10-recovery-wrong");
          await proceed(who, "Recovery code", next[9]);
          await hello(who);
          await ask(who, "Turn two-step sign-in off", "Turn it off", "not this one");
          await page.getByRole("alert").waitFor();
          await judge(who, "s12-off-wrong-password");
          await ask(who, "Turn two-step sign-in off", "Turn it off");
          await page.getByText("one step again").waitFor();
          await signOut(who);
          await signIn(who, email);
          await hello(who);
          await judge(who, "s13-one-step");
          await who.close();
        });
      }

      test("five wrong codes end the sign-in", async () => {
        const who = await person(browser, server), { page } = who;
        const email = await member(server, who);
        const { app } = await enrol(who);
        await signOut(who);
        await signIn(who, email);
        for (let i = 0; i < 4; i++) {
          await proceed(who, "Code", "000000");
          await page.getByRole("alert").waitFor();
        }
        await proceed(who, "Code", "000000");
        await proceed(who, "Code", app.code()).catch(() => {}); // there is no field any more, or it does not help
        await page.getByRole("heading", { name: "This sign-in is over" }).waitFor();
        await judge(who, "t1-over");
        await page.getByRole("link", { name: "Sign in again" }).click();
        await signIn(who, email);
        await proceed(who, "Code", app.code());
        await hello(who);
        await who.close();
      });

      test("a sign-in that waited too long is over", async () => {
        const who = await person(browser, server), { page } = who;
        const email = await member(server, who);
        const { app } = await enrol(who);
        await signOut(who);
        await signIn(who, email);
        await who.context.clearCookies({ name: /two_factor$/ }); // as a browser does after five minutes
        await proceed(who, "Code", app.code());
        await page.getByRole("heading", { name: "This sign-in is over" }).waitFor();
        await who.close();
      });

      test("R25: a mailed link meets the second step, and leads on from there", async () => {
        const who = await person(browser, server), { page, context } = who;
        const email = await member(server, who);
        const { app } = await enrol(who);
        await signOut(who);
        const mails = (await server.mailbox()).filter((m) => m.to.includes(email)).length;
        const asked = await context.request.post("/api/auth/sign-in/magic-link", { data: { email, callbackURL: "/security?renamed" } });
        assert.equal(asked.status(), 200, await asked.text());
        await page.goto((await server.mailTo(email, mails + 1)).links[0]);
        await page.locator("form button").click();
        await page.waitForURL(`**${challenge}`);
        await judge(who, "u1-link-second-step");
        assert.ok(!(await context.cookies()).some((c) => c.name.endsWith("_session")), "nobody is signed in");
        await proceed(who, "Code", app.code());
        await page.waitForURL("**/security?renamed");
        await page.getByText("The passkey has its new name").waitFor();
        await who.close();
      });
    });
  }

  test("codes by mail, where the host offers them", async () => {
    const server = await start("sqlite", "-mail-codes");
    const who = await person(browser, server, looks[1]), { page } = who;
    const email = await member(server, who);
    await ask(who, "Use codes by mail", "Turn it on");
    await page.goto("/security");
    await page.getByText("a code by mail").waitFor();
    await signOut(who);
    await signIn(who, email);
    await judge(who, "v1-mail-code");
    const mails = (await server.mailbox()).filter((m) => m.to.includes(email)).length;
    await page.getByRole("button", { name: "Mail me a code" }).click();
    await judge(who, "v2-mail-code-sent");
    await proceed(who, "Code", "000000");
    await page.getByText("Type the six digits of the newest mail").waitFor();
    await proceed(who, "Code", (await server.mailTo(email, mails + 1)).code);
    await hello(who);
    assert.deepEqual(who.faults, []);
    await who.close();
    assert.equal(await server.stop(), 0);
  });
});
