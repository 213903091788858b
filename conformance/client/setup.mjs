// What the tests of the official client share.
import assert from "node:assert/strict";
import { createAuthClient } from "better-auth/client";
import { jar } from "../lib/jar.mjs";

export const password = "a mild winter evening";

let people = 0;
// address returns one that nobody has used, so that tests don't share the mail budget.
export const address = (name = "ada") => `${name}.${process.pid}.${++people}@example.com`;

// browser returns the unmodified official client with a cookie jar of its own.
export function browser(server, plugins = []) {
  const cookies = jar();
  const client = createAuthClient({ baseURL: server.baseURL, plugins, fetchOptions: { customFetchImpl: cookies.fetch } });
  return { client, jar: cookies };
}

// tokenOf returns the secret of the link in a mail.
export const tokenOf = (mail) => new URL(mail.links[0]).searchParams.get("token");

// ok returns the data of an answer of the client, or fails with its error.
export function ok({ data, error }) {
  assert.equal(error, null, JSON.stringify(error));
  return data;
}

// signUp signs up, proves the address and leaves the browser signed out.
export async function signUp(server, who, email = address()) {
  ok(await who.client.signUp.email({ name: "Ada", email, password }));
  const token = tokenOf(await server.mailTo(email));
  ok(await who.client.verifyEmail({ query: { token }, fetchOptions: { method: "POST" } }));
  return { email, token };
}

// signedIn returns a browser that is signed in as somebody new.
export async function signedIn(server) {
  const who = browser(server);
  const { email } = await signUp(server, who);
  ok(await who.client.signIn.email({ email, password }));
  return { ...who, email };
}

// assertNoSecret fails if what a cookie or a mail holds, or the secret half of it, occurs in an answer's body.
export function assertNoSecret(who, ...further) {
  for (const secret of [...who.jar.secrets, ...further]) {
    assert.ok(secret.length > 30, "a secret this short would be found by chance");
    for (const { url, text } of who.jar.answers) {
      assert.ok(!text.includes(secret.slice(-30)), `a secret occurs in the answer of ${url}`);
    }
  }
}

// assertTokensNull fails if a body has a top-level token other than null (no credential in a body).
export function assertTokensNull(who) {
  for (const { url, text } of who.jar.answers) {
    const body = JSON.parse(text);
    if (body !== null && "token" in body) assert.equal(body.token, null, url);
  }
}
