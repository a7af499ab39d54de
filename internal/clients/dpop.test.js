// dpop.js, with the browser's key store replaced by one in memory.

import assert from "node:assert/strict";
import { createHash, webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { beforeEach, describe, test } from "node:test";

const source = readFileSync(new URL("../../example_app/web/dpop.js", import.meta.url), "utf8");
const { Prover } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

// MemoryStore keeps a key as IndexedDB does: it clones it, and add fails where there is one.
class MemoryStore {
  get = async () => this.pair;
  add = async (pair) => {
    if (this.pair) throw new DOMException("there is a key", "ConstraintError");
    this.pair = structuredClone(pair);
  };
  delete = async () => {
    this.pair = undefined;
  };
}

const sha256 = (text) => createHash("sha256").update(text).digest("base64url");

// open verifies a proof and returns what it says.
async function open(proof) {
  const [header, claims, signature] = proof.split(".").map((part) => Buffer.from(part, "base64url"));
  const { typ, alg, jwk, ...rest } = JSON.parse(header);
  assert.deepEqual({ typ, alg, rest }, { typ: "dpop+jwt", alg: "ES256", rest: {} });
  assert.deepEqual(Object.keys(jwk).sort(), ["crv", "kty", "x", "y"], "the public members and no other");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const key = await webcrypto.subtle.importKey("jwk", jwk, algorithm, false, ["verify"]);
  const input = Buffer.from(proof.slice(0, proof.lastIndexOf(".")));
  assert.ok(await webcrypto.subtle.verify(algorithm, key, signature, input), "the signature is good");
  return { claims: JSON.parse(claims), thumbprint: sha256(`{"crv":"${jwk.crv}","kty":"${jwk.kty}","x":"${jwk.x}","y":"${jwk.y}"}`) };
}

const url = "https://api.example.com/v1/users/me";

describe("proof", () => {
  test("names the request, and each has an id of its own", async () => {
    const prover = new Prover({ store: new MemoryStore() });
    const { claims, thumbprint } = await open(await prover.proof("POST", `${url}?page=2#top`));
    const { jti, iat, ...rest } = claims;
    assert.deepEqual(rest, { htm: "POST", htu: url });
    assert.ok(Math.abs(iat - Date.now() / 1000) < 60 && Number.isInteger(iat));
    assert.equal(thumbprint, await prover.thumbprint());
    assert.notEqual(jti, (await open(await prover.proof("POST", url))).claims.jti);
  });

  test("names the token and the nonce", async () => {
    const { claims } = await open(await new Prover({ store: new MemoryStore() }).proof("GET", url, { token: "an.access.token", nonce: "n" }));
    assert.equal(claims.ath, sha256("an.access.token"));
    assert.equal(claims.nonce, "n");
  });
});

describe("the key", () => {
  test("can't be read, and signs only", async () => {
    const store = new MemoryStore();
    await new Prover({ store }).thumbprint();
    assert.equal(store.pair.privateKey.extractable, false);
    assert.deepEqual(store.pair.privateKey.usages, ["sign"]);
    await assert.rejects(webcrypto.subtle.exportKey("jwk", store.pair.privateKey));
    await assert.rejects(webcrypto.subtle.exportKey("pkcs8", store.pair.privateKey));
  });

  test("is one for all tabs, also where they make it at the same time", async () => {
    const store = new MemoryStore();
    let made = 0;
    const add = store.add;
    store.add = (pair) => (made++, add(pair));
    const thumbprints = await Promise.all(Array.from({ length: 10 }, () => new Prover({ store }).thumbprint()));
    assert.equal(new Set(thumbprints).size, 1);
    const before = made;
    assert.equal(await new Prover({ store }).thumbprint(), thumbprints[0]);
    assert.equal(made, before, "no key is made where there is one");
  });

  test("is another after forget, in every tab", async () => {
    const store = new MemoryStore();
    const [one, other] = [new Prover({ store }), new Prover({ store })];
    const before = await one.thumbprint();
    await other.forget();
    assert.notEqual(await one.thumbprint(), before);
    assert.equal(await one.thumbprint(), await other.thumbprint());
  });

  test("that can't be kept is an error", async () => {
    const cause = new DOMException("the disk is full", "QuotaExceededError");
    const full = new Prover({ store: { get: async () => undefined, add: async () => Promise.reject(cause) } });
    await assert.rejects(full.proof("GET", url), (error) => error.message === "The browser keeps no key" && error.cause === cause);
    const forbidden = new Prover({ store: { get: async () => Promise.reject(cause) } });
    await assert.rejects(forbidden.fetch(url), cause);
    await assert.rejects(new Prover().proof("GET", url), ReferenceError, "here is no IndexedDB");
  });
});

describe("fetch", () => {
  let requests, nonce, refuse;

  // The server wants its nonce, and otherwise answers 200.
  beforeEach(() => {
    [requests, nonce, refuse] = [[], "nonce-1", undefined];
    globalThis.fetch = async (request) => {
      const { claims } = await open(request.headers.get("DPoP"));
      const body = await request.text();
      requests.push({ claims, body, authorization: request.headers.get("Authorization"), method: request.method });
      const asks = claims.nonce !== nonce;
      const headers = { "DPoP-Nonce": nonce };
      const challenge = refuse ?? (asks ? 'DPoP error="use_dpop_nonce", algs="ES256"' : undefined);
      if (challenge) headers["WWW-Authenticate"] = challenge;
      return new Response(null, { status: challenge ? 401 : 200, headers });
    };
  });

  const nonces = () => requests.map(({ claims }) => claims.nonce);

  test("sends a request again with the nonce, and remembers it", async () => {
    const prover = new Prover({ store: new MemoryStore() });
    const answer = await prover.fetch(`${url}?a=b`, { method: "POST", body: "the whole body", headers: { Authorization: "DPoP a.token" } });
    assert.equal(answer.status, 200);
    assert.deepEqual(nonces(), [undefined, "nonce-1"]);
    for (const { claims, body, authorization, method } of requests) {
      assert.deepEqual([method, body, authorization], ["POST", "the whole body", "DPoP a.token"]);
      assert.deepEqual([claims.htm, claims.htu, claims.ath], ["POST", url, sha256("a.token")]);
    }
    assert.notEqual(requests[0].claims.jti, requests[1].claims.jti);

    assert.equal((await prover.fetch(url)).status, 200);
    nonce = "nonce-2";
    assert.equal((await prover.fetch(url)).status, 200);
    assert.deepEqual(nonces().slice(2), ["nonce-1", "nonce-1", "nonce-2"]);
  });

  test("takes a Request", async () => {
    const answer = await new Prover({ store: new MemoryStore() }).fetch(new Request(url, { method: "PATCH", body: "body" }));
    assert.equal(answer.status, 200);
    assert.deepEqual(requests.map(({ body, method }) => [body, method]), [["body", "PATCH"], ["body", "PATCH"]]);
  });

  test("keeps the nonces of servers apart", async () => {
    const prover = new Prover({ store: new MemoryStore() });
    await prover.fetch(url);
    await prover.fetch("https://other.example.com/");
    assert.deepEqual(nonces(), [undefined, "nonce-1", undefined, "nonce-1"]);
  });

  test("names no token of another scheme", async () => {
    await new Prover({ store: new MemoryStore() }).fetch(url, { headers: { Authorization: "Bearer a.token" } });
    assert.equal(requests[0].claims.ath, undefined);
  });

  test("returns a refusal that another nonce doesn't mend", async () => {
    const prover = new Prover({ store: new MemoryStore() });
    refuse = 'DPoP error="invalid_dpop_proof"';
    assert.equal((await prover.fetch(url)).status, 401);
    assert.equal(requests.length, 1);

    refuse = 'DPoP error="use_dpop_nonce"';
    assert.equal((await prover.fetch(url)).status, 401); // it has that nonce already
    assert.equal(requests.length, 2);
  });

  test("doesn't send a request more than twice", async () => {
    const answer = globalThis.fetch;
    globalThis.fetch = (request) => {
      nonce = `nonce-${requests.length + 2}`; // another one each time
      return answer(request);
    };
    assert.equal((await new Prover({ store: new MemoryStore() }).fetch(url)).status, 401);
    assert.equal(requests.length, 2);
  });
});
