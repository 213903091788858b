// Reads, from the installed better-auth, which fields each of its routes takes. With --write it keeps them in
// testdata/fields.json, so that a new version of the package shows as a difference.
import { readFile, writeFile } from "node:fs/promises";
import * as api from "better-auth/api";
import { passkey } from "@better-auth/passkey";
import { emailOTP, magicLink, organization, twoFactor } from "better-auth/plugins";

export const path = new URL("testdata/fields.json", import.meta.url);

// unwrap goes through what zod puts around a type: optional, default, and so on.
function unwrap(schema) {
  const def = schema?._zod?.def;
  return def?.innerType ? unwrap(def.innerType) : def?.type === "pipe" ? unwrap(def.in) : schema;
}

function fieldsOf(schema) {
  const inner = unwrap(schema);
  const def = inner?._zod?.def;
  switch (def?.type) {
    case "object":
      return Object.fromEntries(Object.entries(def.shape).map(([name, field]) => [name, typeOf(field)]));
    case "intersection": // with a record of a host's own fields
      return { ...fieldsOf(def.left), ...fieldsOf(def.right) };
    case "union":
      return Object.assign({}, ...def.options.map(fieldsOf));
    default:
      return {};
  }
}

// typeOf names what a client sends: string, email, boolean, number, array, object or enum.
function typeOf(schema) {
  const def = unwrap(schema)?._zod?.def;
  return def?.format === "email" ? "email" : def?.type === "union" ? typeOf(def.options[0]) : def?.type ?? "unknown";
}

// endpoints finds the package's endpoints among its exports; some are made by a function without arguments.
function endpoints() {
  const found = [];
  for (const value of Object.values(api)) {
    if (typeof value !== "function") continue;
    if (value.path && value.options) found.push(value);
    else if (value.length === 0) {
      try {
        const made = value();
        made?.catch?.(() => {}); // a middleware, called without a request
        if (made?.path && made?.options) found.push(made);
      } catch { /* not one that makes an endpoint */ }
    }
  }
  return found;
}

// plugins are those whose routes Tenon serves.
const plugins = () => [
  magicLink({ sendMagicLink() {} }), emailOTP({ sendVerificationOTP() {} }), twoFactor({ otpOptions: { sendOTP() {} } }), passkey(),
  organization({ teams: { enabled: true }, dynamicAccessControl: { enabled: true } }),
];

export function extract() {
  const routes = {};
  const ofPlugins = plugins().flatMap(({ endpoints }) => Object.values(endpoints)).filter(({ path }) => path);
  for (const { path, options } of [...endpoints(), ...ofPlugins]) {
    for (const method of [options.method].flat()) {
      routes[`${method} ${path}`] = { body: fieldsOf(options.body), query: fieldsOf(options.query) };
    }
  }
  return Object.fromEntries(Object.entries(routes).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export const stored = async () => JSON.parse(await readFile(path, "utf8"));

if (process.argv.includes("--write")) {
  await writeFile(path, `${JSON.stringify(extract(), null, 2)}\n`);
}
