// Starts examples/quickstart as an own process on a free port, with its own database and keys, and ends it again.
import { spawn, execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { setTimeout as delay } from "node:timers/promises";
import { createDatabase } from "./postgres.mjs";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const startTimeout = 30_000;
const stopTimeout = 10_000; // what the quickstart promises

// databases lists what the judges run on: SQLite always, PostgreSQL where TENON_TEST_POSTGRES names one.
export const databases = process.env.TENON_TEST_POSTGRES ? ["sqlite", "postgres"] : ["sqlite"];

// TENON_QUICKSTART names a binary that is already built.
async function build(dir) {
  if (process.env.TENON_QUICKSTART) return process.env.TENON_QUICKSTART;
  const binary = join(dir, "quickstart");
  await promisify(execFile)("go", ["build", "-o", binary, "./examples/quickstart"], { cwd: root });
  return binary;
}

// start returns the running quickstart: its base URL, its mail, its log, and stop(), which resolves to the exit code.
export async function start(database = "sqlite", ...flags) {
  const dir = await mkdtemp(join(tmpdir(), "tenon-conformance-"));
  const made = database === "postgres" ? await createDatabase(process.env.TENON_TEST_POSTGRES) : undefined;
  const clean = async () => {
    await made?.drop();
    await rm(dir, { recursive: true, force: true });
  };
  let child;
  try {
    child = spawn(await build(dir), [
      "-addr", "127.0.0.1:0", "-db", made?.dsn ?? join(dir, "tenon.db"), "-keys", join(dir, "tenon.keys"), ...flags,
    ], { cwd: dir, stdio: ["ignore", "pipe", "pipe"] });
    return await ready(child, clean);
  } catch (err) {
    child?.kill("SIGKILL");
    await clean();
    throw err;
  }
}

async function ready(child, clean) {
  const log = { text: "" };
  child.stdout.on("data", (data) => { log.text += data; });
  child.stderr.on("data", (data) => { log.text += data; });
  const exited = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? signal));
  });
  exited.catch(() => {}); // told by whoever awaits it
  const greeted = new Promise((resolve) => {
    child.stdout.on("data", () => {
      const found = /Start here\s+(http:\S+)\/\s/.exec(log.text);
      if (found) resolve(found[1]);
    });
  });
  const baseURL = await within(startTimeout, Promise.race([greeted, exited.then((code) => {
    throw new Error(`the quickstart ended with ${code}:\n${log.text}`);
  })]), () => `the quickstart did not greet:\n${log.text}`);
  return {
    baseURL,
    get log() { return log.text; },
    mailbox: () => mailbox(baseURL),
    mailTo: (address, count = 1) => mailTo(baseURL, address, count),
    async stop() {
      child.kill("SIGTERM");
      try {
        return await within(stopTimeout, exited, () => `no exit within ${stopTimeout} ms of SIGTERM:\n${log.text}`);
      } finally {
        child.kill("SIGKILL"); // does nothing to a process that is gone
        await clean();
      }
    },
  };
}

async function mailbox(baseURL) {
  const answer = await fetch(`${baseURL}/dev/mailbox.json`);
  if (!answer.ok) throw new Error(`mailbox.json: ${answer.status}`);
  return answer.json();
}

// mailTo waits until count messages have gone to address, and returns the last of them.
async function mailTo(baseURL, address, count) {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await delay(20)) {
    const found = (await mailbox(baseURL)).filter((message) => message.to.includes(address));
    if (found.length >= count) return found[count - 1];
  }
  throw new Error(`no mail number ${count} to ${address}`);
}

// within rejects with what message() says unless promise settles in time.
export async function within(ms, promise, message) {
  const late = new AbortController();
  const timeout = delay(ms, undefined, { signal: late.signal }).then(() => { throw new Error(message()); });
  timeout.catch(() => {}); // aborted when the promise came first
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    late.abort();
  }
}
