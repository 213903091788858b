// The judges themselves: each must be able to say no.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertNoSecret, assertTokensNull, ok } from "./setup.mjs";

const secret = "tnn_ses_0123456789abcdefghijklmnopqrstuvwxyz";
const who = (...bodies) => ({ jar: { secrets: new Set([secret]), answers: bodies.map((b) => ({ url: "/x", text: JSON.stringify(b) })) } });

test("a secret in a body is found, whole or in its second half", () => {
  assertNoSecret(who({ token: null }, null, { id: "0123456789" }));
  assert.throws(() => assertNoSecret(who({ a: { b: [secret] } })), /a secret occurs/);
  assert.throws(() => assertNoSecret(who({ a: secret.slice(-32) })), /a secret occurs/);
  assert.throws(() => assertNoSecret(who({ link: `?token=${secret}x` })), /a secret occurs/);
});

test("a token in a body is found", () => {
  assertTokensNull(who({ token: null }, { session: { token: "id" } }, null));
  assert.throws(() => assertTokensNull(who({ token: "id" })));
});

test("an error of the client is not taken for an answer", () => {
  assert.throws(() => ok({ data: null, error: { status: 500 } }), /500/);
});
