// An authenticator app, by Node's own HMAC.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";

const period = 30;

// app is an authenticator that was shown a URI (RFC 6238). Each call of next returns a code that it has not given
// before; a person would wait for the third.
export function app(uri) {
  const url = new URL(uri), alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  assert.equal(url.protocol + "//" + url.host, "otpauth://totp");
  const bits = [...url.searchParams.get("secret")].map((c) => alphabet.indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  assert.equal(key.length, 20);
  const now = () => Math.floor(Date.now() / 1000 / period);
  const at = (step) => {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(step));
    const mac = createHmac("sha1", key).update(counter).digest();
    return String((mac.readUInt32BE(mac.at(-1) & 15) & 0x7fffffff) % 1e6).padStart(6, "0");
  };
  let used = 0;
  return {
    label: decodeURIComponent(url.pathname.slice(1)), issuer: url.searchParams.get("issuer"),
    next() {
      used = Math.max(used + 1, now() - 1);
      return at(used);
    },
    last: () => at(used),
  };
}
