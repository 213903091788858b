// A second implementation of docs/envelope.md, written from that page with Node's own crypto module. It reads a JSON
// array of requests from standard input and writes a JSON array of answers. Bytes are hexadecimal.
import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

const utf8 = (s) => Buffer.from(s, "utf8");
const hex = (s) => Buffer.from(s, "hex");
const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b; };
const part = (s) => { const b = Buffer.isBuffer(s) ? s : utf8(s); return Buffer.concat([u32(b.length), b]); };
const parts = (...all) => Buffer.concat(all.map(part));
const mac = (key, message) => createHmac("sha256", key).update(message).digest();

function expand(key, info, size) {
  let block = Buffer.alloc(0), out = Buffer.alloc(0);
  for (let i = 1; out.length < size; i++) {
    block = mac(key, Buffer.concat([block, info, Buffer.from([i])]));
    out = Buffer.concat([out, block]);
  }
  return out.subarray(0, size);
}

function gcmSeal(key, nonce, aad, plaintext) {
  const c = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 }).setAAD(aad);
  return Buffer.concat([nonce, c.update(plaintext), c.final(), c.getAuthTag()]);
}

function gcmOpen(key, aad, sealed) {
  const c = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, 12), { authTagLength: 16 }).setAAD(aad);
  c.setAuthTag(sealed.subarray(sealed.length - 16));
  return Buffer.concat([c.update(sealed.subarray(12, sealed.length - 16)), c.final()]);
}

const headerSize = 58, overhead = 86, maxPlaintext = 1 << 20;
const messageKeys = (dek, salt) => expand(dek, Buffer.concat([utf8("tenon/envelope/v1/"), salt]), 64);
const place = (r) => parts("tenon/field/v1/" + r.purpose, r.table, r.column, r.row, r.tenant);

function seal(r) {
  const salt = r.salt ? hex(r.salt) : randomBytes(16);
  const nonce = r.nonce ? hex(r.nonce) : randomBytes(12);
  const keys = messageKeys(hex(r.dek), salt);
  const header = Buffer.concat([Buffer.from([1, 1]), hex(r.key_id), salt, keys.subarray(32)]);
  const aad = Buffer.concat([header, place(r)]);
  const sealed = Buffer.concat([header, gcmSeal(keys.subarray(0, 32), nonce, aad, hex(r.plaintext))]);
  return {
    message_key: keys.subarray(0, 32).toString("hex"), commitment: keys.subarray(32).toString("hex"),
    aad: aad.toString("hex"), sealed: sealed.toString("hex"), text: "tnv1." + sealed.toString("base64url"),
  };
}

function open(r) {
  const sealed = hex(r.sealed);
  if (sealed.length < overhead || sealed.length > overhead + maxPlaintext || sealed[0] !== 1 || sealed[1] !== 1) {
    return { error: "malformed" };
  }
  if (sealed.subarray(2, 10).toString("hex") !== r.key_id) return { error: "unknown key" };
  const keys = messageKeys(hex(r.dek), sealed.subarray(10, 26));
  if (!timingSafeEqual(keys.subarray(32), sealed.subarray(26, headerSize))) return { error: "commitment" };
  const aad = Buffer.concat([sealed.subarray(0, headerSize), place(r)]);
  try {
    return { plaintext: gcmOpen(keys.subarray(0, 32), aad, sealed.subarray(headerSize)).toString("hex") };
  } catch {
    return { error: "authentication" };
  }
}

const subkey = (r) => expand(hex(r.dek), Buffer.concat([utf8("tenon/subkey/v1/"), parts(r.purpose, r.label)]), 32);

function index(r) {
  const key = subkey({ ...r, label: `bidx/${r.table}.${r.column}/v1` });
  return { mac: mac(key, parts("tenon/blind-index/v1", r.normalizer, r.tenant, r.normalized)).toString("hex") };
}

function time(micros) {
  if (micros === null) return Buffer.alloc(0);
  const b = Buffer.alloc(8);
  b.writeBigUInt64BE(BigInt(micros));
  return b;
}

function keyRow(r) {
  const stateKey = expand(hex(r.dek), utf8("tenon/key-state/v1"), 32);
  const message = parts("tenon/key-state/v1", r.key_id, r.purpose, r.tenant, r.state, time(r.created_us), time(r.retired_us));
  return {
    check: expand(hex(r.dek), utf8("tenon/key-check/v1"), 16).toString("hex"),
    state_mac: mac(stateKey, message).toString("hex"),
  };
}

function kmsContext(context) {
  const names = Object.keys(context).sort((a, b) => Buffer.compare(utf8(a), utf8(b)));
  const entries = names.map((name) => parts(name, context[name]));
  return Buffer.concat([part("tenon/kms-context/v1"), u32(names.length), ...entries]);
}

function localWrap(r) {
  const kek = hex(r.kek);
  const aad = Buffer.concat([part("tenon/local-kms/v1/wrap"), kmsContext(r.context)]);
  const wrapped = gcmSeal(expand(kek, utf8("tenon/local-kms/v1/wrap"), 32), hex(r.nonce), aad, hex(r.dek));
  const check = expand(kek, utf8("tenon/local-kms/v1/check"), 16).toString("hex");
  return {
    text: `tenon-key-v1.${kek.toString("base64url")}.${check}`,
    uri: "local:" + expand(kek, utf8("tenon/local-kms/v1/id"), 8).toString("hex"),
    context_bytes: kmsContext(r.context).toString("hex"), wrapped: wrapped.toString("hex"),
  };
}

const operations = { seal, open, subkey: (r) => ({ subkey: subkey(r).toString("hex") }), index, key_row: keyRow, local_wrap: localWrap };

let input = "";
for await (const chunk of process.stdin) input += chunk;
process.stdout.write(JSON.stringify(JSON.parse(input).map((r) => operations[r.op](r))));
