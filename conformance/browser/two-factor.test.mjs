// The built-in page of the second step (rule R25), in Chromium without JavaScript.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { start } from "../lib/quickstart.mjs";
import { app } from "../lib/totp.mjs";
import { assertStrict, judge, launch, looks, person } from "./pages.mjs";

const password = "a mild winter evening";

describe("the page of the second step", { timeout: 120_000 }, () => {
  let browser, server;
  before(async () => {
    browser = await launch();
    server = await start("sqlite");
  });
  after(async () => {
    await browser?.close();
    assert.equal(await server?.stop(), 0, "SIGTERM: exit code");
  });

  for (const [i, look] of looks.entries()) {
    test(look.name, async () => {
      const email = `ada.${i}@example.com`, who = await person(browser, server, look), { page, context } = who;
      const call = async (path, data) => {
        const answer = await context.request.post(`/api/auth${path}`, { data });
        assert.equal(answer.status(), 200, `${path}: ${await answer.text()}`);
        return answer.json();
      };
      await call("/sign-up/email", { name: "Ada", email, password });
      await call("/verify-email", { token: new URL((await server.mailTo(email)).links[0]).searchParams.get("token") });
      await call("/sign-in/email", { email, password });
      const { totpURI, backupCodes } = await call("/two-factor/enable", { password });
      const phone = app(totpURI);
      await call("/two-factor/verify-totp", { code: phone.next() });
      await call("/sign-out", {});

      await page.goto("/");
      const form = page.locator("form[action='/sign-in']");
      await form.getByLabel("E-mail address").fill(email);
      await form.getByLabel("Password").fill(password);
      const opened = page.waitForResponse((r) => r.status() === 200 && r.url().endsWith("/two-factor/challenge"));
      await form.getByRole("button", { name: "Sign in" }).click();
      await assertStrict(await opened);
      await judge(who, "two-factor-1-app");
      const code = page.getByLabel("Code");
      assert.equal(await code.getAttribute("autocomplete"), "one-time-code");
      await code.fill("000000");
      await page.getByRole("button", { name: "Continue" }).click();
      await page.getByRole("alert").waitFor();
      await judge(who, "two-factor-2-wrong");
      await page.getByRole("link", { name: "Use a recovery code" }).click();
      await page.getByRole("heading", { name: "Enter a recovery code" }).waitFor();
      await judge(who, "two-factor-3-recovery");
      if (i % 2 === 0) {
        await page.getByLabel("Recovery code").fill(backupCodes[0]);
      } else {
        await page.getByRole("link", { name: "Use the code of your authenticator app" }).click();
        await page.getByLabel("Code").fill(phone.next());
      }
      await page.getByRole("button", { name: "Continue" }).click();
      await page.getByRole("heading", { name: "Hello, Ada" }).waitFor();
      await page.goto("/api/auth/two-factor/challenge");
      await page.getByRole("heading", { name: "You are signed in" }).waitFor();
      await judge(who, "two-factor-4-signed-in");
      await context.clearCookies();
      await page.goto("/api/auth/two-factor/challenge");
      await page.getByRole("heading", { name: "This sign-in is over" }).waitFor();
      await judge(who, "two-factor-5-over");
      await who.close();
    });
  }
});
