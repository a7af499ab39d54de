// Other libraries verify access tokens with JWT_SECRET, and refuse what is none.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";

import * as jose from "jose";
import jsonwebtoken from "jsonwebtoken";
import passport from "passport";
import { ExtractJwt, Strategy } from "passport-jwt";

import { register, secret, startApp } from "./app.js";
import { writeListings } from "./listings.js";

process.env.JWT_SECRET = secret;
const { verifyAccess } = await import(`${await writeListings(["verify.js"])}/verify.js`);

// verifiers resolve to the claims, or reject.
const verifiers = {
  jose: verifyAccess,
  jsonwebtoken: async (token) => jsonwebtoken.verify(token, secret, { algorithms: ["HS256"] }),
  "passport-jwt": async (token) => {
    const response = await fetch(service.url, { headers: { Authorization: `Bearer ${token}` } });
    if (!response.ok) throw new Error(`${response.status}`);
    return response.json();
  },
};

// service is a server that passport-jwt guards. It answers with the claims of the token.
const service = {
  start() {
    passport.use(new Strategy(
      { jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(), secretOrKey: secret, algorithms: ["HS256"] },
      (claims, done) => done(null, claims),
    ));
    const guard = passport.authenticate("jwt", { session: false });
    this.server = createServer((request, response) => guard(request, response, () => response.end(JSON.stringify(request.user))));
    return new Promise((resolve) => this.server.listen(0, "127.0.0.1", () => {
      this.url = `http://127.0.0.1:${this.server.address().port}/`;
      resolve();
    }));
  },
  stop() {
    this.server?.close();
    this.server?.closeAllConnections();
  },
};

describe("verify access tokens", () => {
  let app, ada, refused;
  before(async () => {
    app = await startApp();
    await service.start();
    ada = await register(app);
    refused = await tokensToRefuse(ada.tokens);
  });
  after(async () => {
    service.stop();
    await app?.stop();
  });

  for (const [name, verify] of Object.entries(verifiers)) {
    test(`${name} accepts an access token`, async () => {
      const claims = await verify(ada.tokens.access.token);
      assert.equal(claims.sub, ada.user.id);
      assert.equal(claims.role, "user");
      assert.equal(claims.type, "access");
      assert.match(claims.sid, /^[0-9a-f-]{36}$/);
      assert.equal(claims.exp * 1000, Date.parse(ada.tokens.access.expires));
    });
    test(`${name} refuses what is no access token of ours`, async () => {
      for (const [what, token] of Object.entries(refused)) {
        await assert.rejects(verify(token), what);
      }
    });
  }

  test("the app refuses the same", async () => {
    for (const [what, token] of Object.entries(refused)) {
      const response = await fetch(`${app.url}/v1/users/me`, { headers: { Authorization: `Bearer ${token}` } });
      assert.equal(response.status, 401, what);
    }
  });

  test("a token by jsonwebtoken with the same secret and claims has the same bytes", () => {
    const claims = jsonwebtoken.decode(ada.tokens.access.token);
    assert.equal(jsonwebtoken.sign(claims, secret, { algorithm: "HS256" }), ada.tokens.access.token);
  });
});

// tokensToRefuse are the refresh token, and forgeries of the access token.
async function tokensToRefuse({ access, refresh }) {
  const claims = jose.decodeJwt(access.token);
  const [header, payload, signature] = access.token.split(".");
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const { publicKey, privateKey } = await jose.generateKeyPair("RS256");
  return {
    "a refresh token": refresh.token,
    "a token by another secret": jsonwebtoken.sign(claims, "another secret of 32 bytes or more"),
    "a token by an attacker's key pair": await new jose.SignJWT(claims)
      .setProtectedHeader({ alg: "RS256", jwk: await jose.exportJWK(publicKey) }).sign(privateKey),
    "a token without a signature": `${encode({ alg: "none", typ: "JWT" })}.${payload}.`,
    "a token whose signature was cut off": `${header}.${payload}.`,
    "another role under the same signature": `${header}.${encode({ ...claims, role: "admin" })}.${signature}`,
    "a token of another algorithm": jsonwebtoken.sign(claims, secret, { algorithm: "HS512" }),
    "a token whose time is over": jsonwebtoken.sign({ ...claims, exp: claims.iat - 1 }, secret),
  };
}
