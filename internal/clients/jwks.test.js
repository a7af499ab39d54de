// jose verifies access tokens with the key set alone, through a change of the access key.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPublicKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import * as jose from "jose";

import { post, expectJSON, register, startApp } from "./app.js";

const kinds = {
  EdDSA: ["-algorithm", "ed25519"],
  ES256: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
  RS256: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
};

const directory = mkdtempSync(join(tmpdir(), "refreshtokens-keys-"));
after(() => rmSync(directory, { recursive: true, force: true }));

// newKey makes a key with openssl and returns the names of its two files.
function newKey(name, algorithm) {
  const key = { private: join(directory, `${name}.pem`), public: join(directory, `${name}.pub.pem`) };
  execFileSync("openssl", ["genpkey", ...kinds[algorithm], "-out", key.private], { stdio: "ignore" });
  writeFileSync(key.public, createPublicKey(readFileSync(key.private)).export({ type: "spki", format: "pem" }));
  return key;
}

for (const algorithm of Object.keys(kinds)) {
  describe(algorithm, () => {
    let app, key;

    before(async () => {
      key = newKey(algorithm, algorithm);
      app = await startApp({ ACCESS_KEY_FILE: key.private });
    });
    after(() => app?.stop());

    const verify = (token, algorithms = [algorithm]) =>
      jose.jwtVerify(token, jose.createRemoteJWKSet(new URL(`${app.url}/.well-known/jwks.json`)), { algorithms, requiredClaims: ["exp", "sub"] });

    test("a token verifies with the key set alone", async () => {
      const { user, tokens } = await register(app);
      const { payload, protectedHeader } = await verify(tokens.access.token);
      assert.equal(payload.sub, user.id);
      assert.equal(payload.type, "access");
      assert.equal(protectedHeader.kid, await jose.calculateJwkThumbprint(await jose.exportJWK(createPublicKey(readFileSync(key.public)))));
    });

    test("what is no access token is refused", async () => {
      const { tokens } = await register(app);
      const [header, payload, signature] = tokens.access.token.split(".");
      await assert.rejects(verify(tokens.refresh.token), jose.errors.JOSEAlgNotAllowed);
      await assert.rejects(verify(`${header}.${payload}.${signature.slice(0, -4)}AAAA`), jose.errors.JWSSignatureVerificationFailed);
      await assert.rejects(verify(tokens.access.token, ["HS256"]), jose.errors.JOSEAlgNotAllowed);
    });

    test("the app refuses what jose signs with the public key as a secret", async () => {
      const { tokens } = await register(app);
      const forged = await new jose.SignJWT({ ...jose.decodeJwt(tokens.access.token), sub: "admin" })
        .setProtectedHeader({ alg: "HS256", typ: "JWT" })
        .sign(readFileSync(key.public));
      const answer = await fetch(`${app.url}/v1/users/me`, { headers: { Authorization: `Bearer ${forged}` } });
      assert.equal(answer.status, 401);
    });
  });
}

test("a change of the key breaks no token, for a verifier that caches the set", async () => {
  const [older, newer] = [newKey("older", "EdDSA"), newKey("newer", "ES256")];
  const work = mkdtempSync(join(directory, "work-"));
  const steps = [
    { ACCESS_KEY_FILE: older.private },
    { ACCESS_KEY_FILE: older.private, PREVIOUS_ACCESS_KEY_FILES: newer.public },
    { ACCESS_KEY_FILE: newer.private, PREVIOUS_ACCESS_KEY_FILES: older.public },
    { ACCESS_KEY_FILE: newer.private },
  ];
  // One URL for the verifier, behind which the app is deployed again and again.
  let app;
  const proxy = createServer(async (_, response) => {
    response.setHeader("Content-Type", "application/jwk-set+json");
    response.end(await (await fetch(`${app.url}/.well-known/jwks.json`)).text());
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const keys = jose.createRemoteJWKSet(new URL(`http://127.0.0.1:${proxy.address().port}/`), { cooldownDuration: 0 });
  const algorithms = ["EdDSA", "ES256"];
  try {
    let tokens, user;
    for (const step of steps) {
      app = await startApp({ ...step, DATABASE_URL: join(work, "app.db") });
      if (tokens) {
        const lasting = step !== steps.at(-1); // the last step comes once the tokens of the old key have expired
        if (lasting) {
          await jose.jwtVerify(tokens.access.token, keys, { algorithms });
          const me = await fetch(`${app.url}/v1/users/me`, { headers: { Authorization: `Bearer ${tokens.access.token}` } });
          await expectJSON(me, 200);
        }
        tokens = await expectJSON(await post(`${app.url}/v1/auth/refresh-tokens`, { refreshToken: tokens.refresh.token }), 200);
      } else {
        ({ tokens, user } = await register(app));
      }
      const { payload } = await jose.jwtVerify(tokens.access.token, keys, { algorithms });
      assert.equal(payload.sub, user.id);
      await app.stop();
    }
  } finally {
    await app.stop();
    proxy.close();
    proxy.closeAllConnections();
  }
});
