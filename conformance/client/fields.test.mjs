// Every field of the official client's schemas is accepted, acted on or ignored (rule R26); others are refused by name.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { start } from "../lib/quickstart.mjs";
import { extract, stored } from "./fields.mjs";
import { address, password, signedIn } from "./setup.mjs";

const routes = await stored();

test("testdata/fields.json is what the installed package says (npm run fields)", () => {
  assert.deepEqual(extract(), routes);
  assert.ok(Object.keys(routes["POST /sign-up/email"].body).includes("rememberMe"), "the extraction finds fields");
});

// sample returns a value that a client would send.
function sample(name, type) {
  if (type === "email" || name === "email") return address();
  if (/password/i.test(name)) return password;
  if (/URL$|^redirectTo$/.test(name)) return "/";
  if (name === "limit" || name === "offset") return "1"; // theirs may be texts, of digits
  if (name === "image") return "https://example.com/ada.png";
  return { boolean: true, literal: true, number: 1, array: [], object: {}, record: {} }[type] ?? "x";
}

const samples = (fields) => Object.fromEntries(Object.entries(fields).map(([name, type]) => [name, sample(name, type)]));

describe("R26: fields of the official client", { timeout: 120_000 }, () => {
  let server, paths;
  before(async () => {
    server = await start("sqlite", "-oidc-issuer", "http://127.0.0.1:9", "-oidc-client-id", "nobody", "-allow-private-oidc");
    paths = (await (await fetch(`${server.baseURL}/api/auth/openapi.json`)).json()).paths;
  });
  after(async () => { assert.equal(await server?.stop(), 0, "SIGTERM: exit code"); });

  // person is somebody signed in: the same one while the last request left the session, because sign-ups are limited.
  let who;
  async function person() {
    if (!who || !(await who.client.getSession()).data) who = await signedIn(server);
    return who;
  }

  // complaints sends a request as somebody signed in and returns what is wrong with its fields.
  async function complaints(method, path, { body, query }) {
    const { jar } = await person();
    const answer = await jar.fetch(`${server.baseURL}/api/auth${path}?${new URLSearchParams(query)}`, {
      method,
      ...(method === "GET" ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    assert.ok(answer.status < 500, `${method} ${path}: ${answer.status} ${jar.last().text}`);
    const said = answer.headers.get("content-type")?.includes("json") ? await answer.json() : {};
    return (said?.errors ?? []).filter((e) => ["UNKNOWN_FIELD", "INVALID_TYPE"].includes(e.code)).map((e) => `${e.field}:${e.code}`);
  }

  test("are accepted on every route that is served", async (t) => {
    let judged = 0;
    for (const [route, { body, query }] of Object.entries(routes)) {
      const [theirs, path] = route.split(" ");
      const served = Object.keys(paths[path] ?? {}).map((method) => method.toUpperCase());
      // A link's GET of theirs is a POST of ours, too.
      for (const method of served.filter((m) => m === theirs || theirs === "GET")) {
        judged++;
        const sent = { body: samples(body), query: samples(query) };
        assert.deepEqual(await complaints(method, path, sent), [], `${method} ${path}`);
        const place = method === "GET" || Object.keys(query).length > 0 ? "query" : "body";
        if (Object.keys(sent[place]).length === 0) continue;
        sent[place].surprise = "x";
        const refused = await complaints(method, path, sent);
        // Programs get 405 from the GET of a mailed link, whatever they send.
        if (!["GET /verify-email", "GET /magic-link/verify"].includes(`${method} ${path}`)) assert.deepEqual(refused, ["surprise:UNKNOWN_FIELD"], `${method} ${path}`);
      }
    }
    t.diagnostic(`${judged} routes`);
    assert.ok(judged >= 10, `only ${judged} routes were found in openapi.json`);
  });
});
