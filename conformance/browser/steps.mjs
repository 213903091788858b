// What people do on the quickstart's pages, with and without JavaScript.
import { createHmac } from "node:crypto";

export const password = "a mild winter evening";
let people = 0;
export const address = () => `ada.${++people}@example.com`;

// signUp fills in the form on the first page and returns the mailed link.
export async function signUp(server, who, email, { name = "Ada Lovelace", typed = password } = {}) {
  await who.page.goto("/");
  const form = who.page.locator("form[action='/sign-up']");
  await form.getByLabel("Name").fill(name);
  await form.getByLabel("E-mail address").fill(email);
  await form.getByLabel("Password").fill(typed);
  await form.getByRole("button", { name: "Sign up" }).click();
  await who.page.getByRole("status").waitFor();
  return (await server.mailTo(email)).links[0];
}

export async function signIn(who, email, typed = password) {
  await who.page.goto("/");
  const form = who.page.locator("form[action='/sign-in']");
  await form.getByLabel("E-mail address").fill(email);
  await form.getByLabel("Password").fill(typed);
  await form.getByRole("button", { name: "Sign in" }).click();
}

// member signs up, proves the address and signs in.
export async function member(server, who) {
  const email = address();
  await who.page.goto(await signUp(server, who, email));
  await who.page.getByRole("button", { name: "Confirm" }).click();
  await who.page.getByText("Your address is confirmed").waitFor();
  await signIn(who, email);
  await who.page.getByRole("heading", { name: "Hello, Ada Lovelace" }).waitFor();
  return email;
}

export async function signOut({ page }) {
  await page.goto("/");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out").waitFor();
}

// Ask opens one of the questions on the page about security, and answers it.
export async function ask({ page }, title, button, typed = password) {
  await page.goto("/security");
  const question = page.locator("details", { has: page.locator("summary", { hasText: title }) });
  await question.locator("summary").click();
  await question.getByLabel("Password").fill(typed);
  await question.getByRole("button", { name: button }).click();
}

// App is an authenticator app: each code of it is asked for once, as the server takes each once.
export class App {
  #key;
  #last = 0;

  constructor(secret) {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const bits = [...secret.replace(/\s/g, "")].map((c) => alphabet.indexOf(c).toString(2).padStart(5, "0")).join("");
    this.#key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  }

  // code is one that the server takes now and has not seen: the clocks may differ by a step.
  code() {
    this.#last = Math.max(this.#last + 1, Math.floor(Date.now() / 30_000) - 1);
    return this.#at(this.#last);
  }

  #at(step) {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(step));
    const mac = createHmac("sha1", this.#key).update(counter).digest();
    const number = mac.readUInt32BE(mac[19] & 15) & 0x7fffffff;
    return String(number % 1_000_000).padStart(6, "0");
  }
}

// enrol sets an authenticator app up and returns it, with the recovery codes.
export async function enrol(who) {
  const { page } = who;
  await ask(who, "Set up an authenticator app", "Go on");
  const app = new App(await page.locator(".secret").textContent());
  await page.getByLabel("Code").fill(app.code());
  await page.getByRole("button", { name: "Turn it on" }).click();
  await page.getByRole("heading", { name: "Your recovery codes" }).waitFor();
  return { app, codes: await page.locator(".codes li").allTextContents() };
}

// proceed types a code on the page of the second step.
export async function proceed({ page }, label, code) {
  await page.getByLabel(label).fill(code, { timeout: 2_000 });
  await page.getByRole("button", { name: "Continue" }).click();
}
