// A browser that trusts nothing: no JavaScript, and every request, console message and page is judged.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

// Where the screenshots go; git ignores it.
const out = process.env.TENON_SCREENSHOTS || fileURLToPath(new URL("out/", import.meta.url));

export const looks = [
  { name: "wide-light", viewport: { width: 1280, height: 800 }, colorScheme: "light" },
  { name: "narrow-dark", viewport: { width: 360, height: 740 }, colorScheme: "dark" },
  { name: "narrow-light", viewport: { width: 360, height: 740 }, colorScheme: "light" },
  { name: "wide-dark", viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
];

export async function launch() {
  await mkdir(out, { recursive: true });
  return chromium.launch({
    executablePath: process.env.TENON_CHROMIUM || "/usr/bin/chromium",
    args: [
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []), // Chromium refuses to have one as root
      "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync",
    ],
  });
}

// person is one browser profile. faults collects what no page of ours may cause. also are further origins that the
// person may come to.
export async function person(browser, server, look = looks[0], { scripts = false, also = [] } = {}) {
  const context = await browser.newContext({
    baseURL: server.baseURL, javaScriptEnabled: scripts, viewport: look.viewport, colorScheme: look.colorScheme,
  });
  const origins = [new URL(server.baseURL).origin, ...also];
  const faults = [];
  context.on("console", (message) => {
    const refusal = /the server responded with a status of 4\d\d/.test(message.text()); // a refused form, as it should be
    if (["error", "warning"].includes(message.type()) && !refusal) faults.push(`console: ${message.text()}`);
  });
  context.on("weberror", (error) => faults.push(`error: ${error.error()}`));
  context.on("request", (request) => {
    if (!origins.includes(new URL(request.url()).origin)) faults.push(`request to ${request.url()}`);
  });
  context.on("response", (response) => {
    if (response.status() >= 500) faults.push(`${response.status()} from ${response.url()}`);
  });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.setDefaultNavigationTimeout(10_000);
  return { context, page, faults, look, close: () => context.close() };
}

// judge checks what must hold for every page, and keeps a picture of it.
export async function judge({ page, look, faults }, name) {
  const { overflow, nameless, title, lang, headings } = await page.evaluate(() => {
    const root = document.documentElement;
    const fields = [...document.querySelectorAll("input:not([type=hidden]), select, textarea")];
    return {
      overflow: root.scrollWidth - root.clientWidth,
      nameless: fields.filter((f) => ![...f.labels].some((l) => l.textContent.trim() !== "")).map((f) => f.name),
      title: document.title,
      lang: root.lang,
      headings: document.querySelectorAll("h1").length,
    };
  });
  await page.screenshot({ path: join(out, `${name}-${look.name}.png`), fullPage: true });
  assert.equal(overflow, 0, `${name}, ${look.name}: ${overflow} px of horizontal scrolling`);
  assert.deepEqual(nameless, [], `${name}: fields without a label`);
  assert.ok(title && lang && headings === 1, `${name}: title, language and one heading`);
  assert.ok(!page.url().includes("token="), `${name}: a secret in the address`);
  assert.deepEqual(faults, [], name);
}

// assertStrict checks the headers of a page that a navigation gave (rule R24); scripts says that it may have our own, and
// referrer what it tells others of its own address.
export async function assertStrict(response, { scripts = false, referrer = "same-origin" } = {}) {
  const headers = await response.allHeaders();
  const policy = headers["content-security-policy"] ?? "";
  for (const directive of ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"]) {
    assert.ok(policy.includes(directive), `${response.url()}: no ${directive} in ${policy}`);
  }
  assert.ok(!/unsafe/.test(policy) && !/script-src(?! 'self';)/.test(policy), policy);
  assert.equal(policy.includes("script-src"), scripts, policy);
  assert.equal(headers["cache-control"], "no-store");
  assert.equal(headers["x-content-type-options"], "nosniff");
  assert.equal(headers["referrer-policy"], referrer);
}
