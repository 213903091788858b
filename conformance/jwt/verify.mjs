// A second reader of access tokens, written from RFC 7515, 7517, 7638, 8037 and 9068 with Node's own crypto module. It
// reads {jwks, token, issuer, audience, type, now} from standard input and writes the claims, or {"error": why}.
import { createHash, createPublicKey, verify } from "node:crypto";

const fail = (why) => { throw new Error(why); };
const decode = (part) => JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
const thumbprint = ({ crv, kty, x }) => createHash("sha256").update(JSON.stringify({ crv, kty, x })).digest("base64url");

function check({ jwks, token, issuer, audience, type, now }) {
  const parts = token.split(".");
  if (parts.length !== 3) fail("shape");
  const { alg, kid, typ, ...others } = decode(parts[0]);
  if (alg !== "EdDSA" || typ !== type || Object.keys(others).length > 0) fail("header");
  const keys = jwks.keys.filter((k) => k.kid === kid);
  if (keys.length !== 1) fail("key");
  const [jwk] = keys;
  if (jwk.kty !== "OKP" || jwk.crv !== "Ed25519" || jwk.alg !== "EdDSA" || jwk.use !== "sig" || "d" in jwk) fail("key");
  if (thumbprint(jwk) !== kid) fail("thumbprint");
  const signed = Buffer.from(parts[0] + "." + parts[1]);
  if (!verify(null, signed, createPublicKey({ key: jwk, format: "jwk" }), Buffer.from(parts[2], "base64url"))) fail("signature");
  const claims = decode(parts[1]);
  if (claims.iss !== issuer) fail("issuer");
  if (claims.aud !== audience) fail("audience");
  if (!(claims.iat <= now && now < claims.exp)) fail("time");
  return claims;
}

let input = "";
for await (const chunk of process.stdin) input += chunk;
let answer;
try {
  answer = check(JSON.parse(input));
} catch (e) {
  answer = { error: e.message };
}
process.stdout.write(JSON.stringify(answer));
