// A certified provider and the quickstart that lets people sign in with it.
import { start as startQuickstart } from "../lib/quickstart.mjs";
import { start as startProvider } from "./provider.mjs";

export const callback = "/api/auth/callback/oidc";
// app is where the provider sends the code of an app of our own, which nobody serves.
export const app = "http://127.0.0.1:9/app";

let logins = 0;

// start returns both. The provider is trusted with the addresses of acme.example and no others.
export async function start(database, { options = {}, flags = [] } = {}) {
  const idp = await startProvider({ accounts: {}, ...options });
  let server;
  try {
    server = await startQuickstart(database,
      "-oidc-issuer", idp.issuer, "-oidc-client-id", "quickstart", "-oidc-name", "Acme", "-oidc-domains", "acme.example",
      "-allow-private-oidc", ...flags);
  } catch (err) {
    await idp.stop();
    throw err;
  }
  idp.admit([{ client_id: "quickstart", token_endpoint_auth_method: "none", redirect_uris: [server.baseURL + callback, app] }]);
  return {
    idp, server,
    // account makes one at the provider, and returns its login, address and subject.
    account({ domain = "acme.example", verified = true, email, name = "Ann Example" } = {}) {
      const login = `ann${++logins}`, sub = `5a1e-${login}`;
      idp.accounts[login] = { sub, email: email ?? `${login}@${domain}`, email_verified: verified, name };
      return { login, sub, email: idp.accounts[login].email };
    },
    async stop() {
      await idp.stop();
      return server.stop();
    },
  };
}
