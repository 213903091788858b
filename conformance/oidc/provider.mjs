// A certified OpenID provider on loopback, with a page to sign in and a page to consent, both without scripts.
//
//   import { start } from "./oidc/provider.mjs"         // package.json and lock stand beside this file: npm ci
//   const idp = await start({ clients: [{ client_id, client_secret, redirect_uris }] })
//   idp.issuer, idp.accounts, await idp.stop()
//
// A client whose own address is not known yet is admitted later: idp.admit([{ client_id, … }]), before anybody comes.
//
// As a program it takes the options as JSON, prints {"issuer": …} on one line, and ends when its input does.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import Provider from "oidc-provider";

// accounts are who can sign in, each with the password "password": what the provider knows of them by login.
export const people = {
  ann: { sub: "5a1e0000-ann", email: "ann@acme.example", email_verified: true, name: "Ann Example", picture: "https://idp.example/ann.png" },
  bob: { sub: "5a1e0000-bob", email: "bob@acme.example", email_verified: false, name: "Bob Example" },
  eve: { sub: "5a1e0000-eve", email: "ann@acme.example", email_verified: true, name: "Eve" }, // Ann's address, another account
};

// start returns a running provider. Options: port (0: a free one), clients (oidc-provider's metadata), accounts (people),
// claimsInIDToken (false: address and name come from userinfo, as the specification has it), accessTokenFor (seconds).
export async function start({ port = 0, clients = [], accounts = people, claimsInIDToken = false, accessTokenFor = 3600 } = {}) {
  const server = createServer();
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  let provider, serve;
  const admit = (clients) => {
    provider = new Provider(issuer, configuration({ clients, accounts, claimsInIDToken, accessTokenFor }));
    serve = provider.callback();
  };
  admit(clients);
  server.on("request", (req, res) => {
    const match = /^\/interaction\/([\w-]+)(?:\/(login|consent|cancel))?$/.exec(req.url);
    if (!match) return serve(req, res);
    interaction(provider, accounts, req, res, match[1], match[2]).catch((err) => {
      res.writeHead(err.statusCode ?? 500, { "Content-Type": "text/plain" }).end(err.message);
    });
  });
  return {
    issuer, accounts, admit,
    stop: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}

function configuration({ clients, accounts, claimsInIDToken, accessTokenFor }) {
  const byID = (sub) => Object.values(accounts).find((account) => account.sub === sub);
  return {
    clients: clients.map((client) => ({
      grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], ...client,
    })),
    findAccount: (_ctx, id) => byID(id) && { accountId: id, claims: () => ({ ...byID(id) }) },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "picture"] },
    conformIdTokenClaims: !claimsInIDToken,
    jwks: { keys: [key("rsa", "RS256", { modulusLength: 2048 }), key("ec", "ES256", { namedCurve: "P-256" })] },
    pkce: { required: () => true },
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed("refresh_token"),
    rotateRefreshToken: true,
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
    cookies: { keys: [randomBytes(32).toString("hex")] },
    ttl: { AccessToken: accessTokenFor, AuthorizationCode: 60, IdToken: 3600, Interaction: 600, Grant: 3600, Session: 3600, RefreshToken: 3600 },
    renderError: (ctx, out) => {
      ctx.type = "text/plain";
      ctx.body = `${out.error}: ${out.error_description ?? ""}`;
    },
  };
}

function key(type, alg, options) {
  const jwk = generateKeyPairSync(type, options).privateKey.export({ format: "jwk" });
  return { ...jwk, alg, use: "sig", kid: `${alg.toLowerCase()}-${randomBytes(4).toString("hex")}` };
}

async function interaction(provider, accounts, req, res, uid, action) {
  const details = await provider.interactionDetails(req, res);
  if (details.uid !== uid) throw Object.assign(new Error("another interaction"), { statusCode: 400 });
  if (req.method === "GET" && !action) return page(res, details);
  if (req.method !== "POST") throw Object.assign(new Error("method"), { statusCode: 405 });
  const form = new URLSearchParams(await text(req));
  switch (action) {
    case "login": {
      const account = Object.hasOwn(accounts, form.get("login") ?? "") && accounts[form.get("login")];
      if (!account || form.get("password") !== "password") return page(res, details, "Wrong name or password.");
      return provider.interactionFinished(req, res, { login: { accountId: account.sub } });
    }
    case "consent":
      return provider.interactionFinished(req, res, { consent: { grantId: await grant(provider, details) } }, { mergeWithLastSubmission: true });
    default:
      return provider.interactionFinished(req, res, { error: "access_denied", error_description: "the person said no" });
  }
}

async function grant(provider, { session, params, prompt, grantId }) {
  const consent = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  consent.addOIDCScope((prompt.details.missingOIDCScope ?? []).join(" "));
  consent.addOIDCClaims(prompt.details.missingOIDCClaims ?? []);
  return consent.save();
}

function page(res, { uid, prompt, params }, fault = "") {
  const login = `<label>Name <input name="login" autocomplete="username"></label>
    <label>Password <input name="password" type="password" autocomplete="current-password"></label>`;
  const form = prompt.name === "login"
    ? `<form method="post" action="/interaction/${uid}/login">${login}<button>Sign in</button></form>`
    : `<form method="post" action="/interaction/${uid}/consent"><button>Allow</button></form>`;
  res.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store" });
  res.end(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Identity provider</title>
    <h1>${prompt.name === "login" ? "Sign in" : "Consent"} for ${escape(params.client_id)}</h1><p role="alert">${escape(fault)}</p>
    ${form}<form method="post" action="/interaction/${uid}/cancel"><button>Cancel</button></form></html>`);
}

function escape(s) {
  return String(s).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}

async function text(req) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const idp = await start(JSON.parse(process.argv[2] ?? "{}"));
  process.stdout.write(`${JSON.stringify({ issuer: idp.issuer })}\n`);
  process.stdin.resume().once("end", () => idp.stop());
}
