// Other libraries verify access tokens with the published keys, and refuse what is none.

import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import jsonwebtoken from "jsonwebtoken";
import { Strategy } from "passport-jwt";

import { expectJSON, register, secret, startApp } from "./app.js";
import { change, writeListings } from "./listings.js";

const kinds = [
  { algorithm: "EdDSA", pair: () => generateKeyPairSync("ed25519") },
  { algorithm: "ES256", pair: () => generateKeyPairSync("ec", { namedCurve: "P-256" }) },
  { algorithm: "RS256", pair: () => generateKeyPairSync("rsa", { modulusLength: 2048 }) },
];

for (const { algorithm, pair } of kinds) {
  describe(`verify access tokens of ${algorithm}`, () => {
    const { privateKey } = pair();
    let app, work, ada, keySet, refused;
    before(async () => {
      work = await mkdtemp(join(tmpdir(), "refreshtokens-key-"));
      const file = join(work, "access.pem");
      await writeFile(file, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
      app = await startApp({ ACCESS_KEY_FILE: file });
      ada = await register(app);
      keySet = await expectJSON(await fetch(`${app.url}/.well-known/jwks.json`), 200);
      const { access, refresh } = ada.tokens;
      const { header: { kid }, payload: claims } = jsonwebtoken.decode(access.token, { complete: true });
      const [header, payload, signature] = access.token.split(".");
      const admin = Buffer.from(JSON.stringify({ ...claims, role: "admin" })).toString("base64url");
      const publicPEM = createPublicKey(privateKey).export({ type: "spki", format: "pem" });
      refused = {
        "a refresh token": refresh.token,
        "a token by the secret": jsonwebtoken.sign(claims, secret),
        "a token by the public key as a secret": jsonwebtoken.sign(claims, publicPEM, { algorithm: "HS256", keyid: kid }),
        "another role under the same signature": `${header}.${admin}.${signature}`,
        "a token without a signature": `${header}.${payload}.`,
      };
    });
    after(async () => {
      await app?.stop();
      await rm(work, { recursive: true, force: true });
    });

    // publicKey returns the published key that a token names.
    function publicKey(token) {
      const { kid } = jsonwebtoken.decode(token, { complete: true }).header;
      const key = keySet.keys.find((key) => key.kid === kid);
      if (!key) throw new Error("no such key");
      return createPublicKey({ key, format: "jwk" });
    }

    const verifiers = {
      async jose() {
        const directory = await writeListings(["verifyWithKeys.js"], (text) =>
          change(change(text, /https:\/\/auth\.example\.com/, app.url), /"EdDSA"/, `"${algorithm}"`));
        return (await import(`${directory}/verifyWithKeys.js`)).verifyAccess;
      },
    };
    if (algorithm !== "EdDSA") { // which these two don't know
      verifiers.jsonwebtoken = () => async (token) => jsonwebtoken.verify(token, publicKey(token), { algorithms: [algorithm] });
      verifiers["passport-jwt"] = () => (token) => new Promise((resolve, reject) => {
        const strategy = new Strategy({
          jwtFromRequest: () => token,
          secretOrKeyProvider: (_, token, done) => {
            try {
              done(null, publicKey(token).export({ type: "spki", format: "pem" }));
            } catch (error) {
              done(error);
            }
          },
          algorithms: [algorithm],
        }, (claims, done) => done(null, claims));
        Object.assign(strategy, { success: resolve, fail: reject, error: reject }).authenticate({});
      });
    }

    for (const [name, create] of Object.entries(verifiers)) {
      test(name, async () => {
        const verify = await create();
        const claims = await verify(ada.tokens.access.token);
        assert.equal(claims.sub, ada.user.id);
        assert.equal(claims.type, "access");
        for (const [what, token] of Object.entries(refused)) {
          await assert.rejects(async () => verify(token), what);
        }
      });
    }
  });
}
