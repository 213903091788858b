// A second implementation of docs/refresh.md, written from that page with Node's own crypto module. It reads a JSON array
// of families from standard input, each {family, secret, rotations: [{kid, key_next, key_tag, key_verifier, salt}]}, and
// writes for each the tokens that come of it, {text, verifier}. Bytes are hexadecimal.
import { createHmac } from "node:crypto";
import { crc32 } from "node:zlib";

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const hex = (s) => Buffer.from(s, "hex");
const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b; };
const u64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64BE(BigInt(n)); return b; };
const parts = (...all) => Buffer.concat(all.flatMap((p) => [u32(p.length), p]));
const mac = (key, message) => createHmac("sha256", hex(key)).update(message).digest();

function base62(bytes, width) {
  let n = BigInt("0x" + bytes.toString("hex")), text = "";
  for (; text.length < width; n /= 62n) text = digits[Number(n % 62n)] + text;
  if (n !== 0n) throw new Error("too large");
  return text;
}

function token(family, generation, secret, keys) {
  const message = parts(Buffer.from(family), u64(generation), secret);
  const body = "tnn_ref_" + base62(hex(family.replaceAll("-", "")), 22) + base62(u64(generation), 6) + base62(hex(keys.kid), 11) +
    base62(secret, 43) + base62(mac(keys.key_tag, message).subarray(0, 16), 22);
  return { text: body + base62(u32(crc32(body)), 6), verifier: mac(keys.key_verifier, message).toString("hex") };
}

function tokens({ family, secret, rotations }) {
  let current = hex(secret);
  return rotations.map((keys, i) => {
    const generation = i + 1;
    if (i > 0) current = mac(keys.key_next, parts(Buffer.from(family), u64(generation), current, hex(keys.salt)));
    return token(family, generation, current, keys);
  });
}

let input = "";
for await (const chunk of process.stdin) input += chunk;
process.stdout.write(JSON.stringify(JSON.parse(input).map(tokens)));
