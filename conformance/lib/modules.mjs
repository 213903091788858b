// Serves ES modules of node_modules to a page, as a bundler would find them: bare specifiers are resolved by the
// packages' own exports, for browsers.
import { readFile } from "node:fs/promises";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve as resolvePath } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url)); // conformance/
const conditions = ["browser", "import", "module", "default"];

// target goes through the conditions of an exports entry.
function target(entry) {
  if (typeof entry === "string") return entry;
  if (Array.isArray(entry)) return entry.map(target).find(Boolean);
  for (const condition of entry ? Object.keys(entry) : []) {
    const found = conditions.includes(condition) && target(entry[condition]);
    if (found) return found;
  }
  return undefined;
}

// exported returns the file of a subpath of a package.
function exported(pkg, subpath) {
  const { exports } = pkg;
  if (exports === undefined) return subpath === "." ? pkg.module ?? pkg.main ?? "index.js" : subpath;
  if (typeof exports === "string" || !Object.keys(exports)[0].startsWith(".")) return subpath === "." ? target(exports) : undefined;
  if (subpath in exports) return target(exports[subpath]);
  for (const [pattern, entry] of Object.entries(exports)) {
    const [before, after] = pattern.split("*");
    if (after === undefined || !subpath.startsWith(before) || !subpath.endsWith(after)) continue;
    return target(entry)?.replaceAll("*", subpath.slice(before.length, subpath.length - after.length));
  }
  return undefined;
}

function find(specifier, from) {
  if (specifier.startsWith(".")) return resolvePath(dirname(from), specifier);
  const parts = specifier.split("/"), length = specifier.startsWith("@") ? 2 : 1;
  const name = parts.slice(0, length).join("/"), subpath = [".", ...parts.slice(length)].join("/");
  for (let dir = dirname(from); ; dir = dirname(dir)) {
    const home = join(dir, "node_modules", name);
    if (existsSync(join(home, "package.json"))) {
      const file = exported(JSON.parse(readFileSync(join(home, "package.json"), "utf8")), subpath);
      if (!file) throw new Error(`${name} does not export ${subpath}`);
      return join(home, file);
    }
    if (dir === dirname(dir)) throw new Error(`${specifier} is not installed, asked for by ${from}`);
  }
}

const file = (path) => [path, `${path}.mjs`, `${path}.js`, join(path, "index.mjs")].find((p) => existsSync(p) && statSync(p).isFile()) ?? path;

// serve answers the page's requests for modules below prefix.
export async function serve(page, prefix = "/@modules/") {
  const address = (path) => prefix + relative(root, path);
  await page.route(`**${prefix}**`, async (route) => {
    const path = join(root, decodeURIComponent(new URL(route.request().url()).pathname.slice(prefix.length)));
    const source = await readFile(path, "utf8");
    const body = source.replace(/((?:^|[\s;}])(?:import|export)\b[^"'`;()]*?\bfrom\s*|(?:^|[\s;}])import\s*|\bimport\(\s*)(["'])([^"'\n]+)\2/gm,
      (_, before, quote, specifier) => before + quote + address(file(find(specifier, path))) + quote);
    await route.fulfill({ contentType: "text/javascript", body });
  });
  return (specifier) => address(file(find(specifier, join(root, "package.json"))));
}
