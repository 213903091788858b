// A person at the provider, without a browser: cookies, redirects and forms.
import assert from "node:assert/strict";
import { jar } from "../lib/jar.mjs";

// agent remembers its session at the provider. visit goes from the address of the provider's page to the one that the
// provider sends browsers back to, and returns that without going there. cancel names a page to say no on.
export function agent({ login }) {
  const cookies = jar();
  return {
    async visit(address, { cancel } = {}) {
      const provider = new URL(address).origin;
      for (let steps = 0; steps < 10; steps++) {
        if (new URL(address).origin !== provider) return address;
        let answer = await cookies.fetch(address);
        const action = /action="(\/interaction\/[\w-]+\/(login|consent))"/.exec(await answer.clone().text());
        if (action) {
          const path = action[2] === cancel ? action[1].replace(/\w+$/, "cancel") : action[1];
          answer = await cookies.fetch(provider + path, { method: "POST", body: new URLSearchParams({ login, password: "password" }) });
        }
        const location = answer.headers.get("location");
        assert.ok(location, `the provider answers ${answer.status}: ${await answer.text()}`);
        address = new URL(location, address).href;
      }
      throw new Error("the provider sends us around for ever");
    },
  };
}
