/**
 * Proves to a server that this browser has a key (DPoP, RFC 9449). Copy this file: it needs no other. The types are in
 * dpop.d.ts.
 *
 *   const prover = new Prover();
 *   await prover.fetch("/v1/auth/login", { method: "POST", … }); // the server binds the session to the key
 *   await prover.fetch("/v1/users/me", { headers: { Authorization: `DPoP ${accessToken}` } });
 *   await prover.forget();                                       // after a log-out
 *
 * The browser makes the key and keeps it in IndexedDB, for all tabs. No script can read it, this one included. So tokens that
 * are stolen are worth nothing elsewhere. A script that runs in the page can still use the key while the page is open.
 */
export class Prover {
  constructor({ store = browserStore } = {}) {
    const nonces = new Map(); // the newest of each server

    // The first key that is stored counts, so tabs that make one at the same time use the same.
    const load = async () => {
      const pair = await store.get();
      if (pair) return pair;
      const cause = await store.add(await crypto.subtle.generateKey(algorithm, false, ["sign"])).catch((error) => error);
      return (await store.get()) ?? Promise.reject(new Error("The browser keeps no key", { cause }));
    };

    const jwk = async ({ publicKey }) => {
      const { crv, kty, x, y } = await crypto.subtle.exportKey("jwk", publicKey);
      return { crv, kty, x, y }; // in the order of RFC 7638
    };

    this.thumbprint = async () => hash(JSON.stringify(await jwk(await load())));

    this.forget = () => store.delete();

    this.proof = async (method, url, { token, nonce } = {}) => {
      const pair = await load();
      const { origin, pathname } = new URL(url);
      const input = [
        { typ: "dpop+jwt", alg: "ES256", jwk: await jwk(pair) },
        {
          jti: crypto.randomUUID(),
          htm: method,
          htu: origin + pathname,
          iat: Math.floor(Date.now() / 1000),
          ath: token && (await hash(token)),
          nonce,
        },
      ]
        .map((part) => base64url(utf8(JSON.stringify(part))))
        .join(".");
      return `${input}.${base64url(await crypto.subtle.sign(algorithm, pair.privateKey, utf8(input)))}`;
    };

    const send = async (request, origin, nonce) => {
      const [, token] = /^DPoP (.+)/i.exec(request.headers.get("Authorization")) ?? [];
      request.headers.set("DPoP", await this.proof(request.method, request.url, { token, nonce }));
      const answer = await fetch(request);
      const next = answer.headers.get("DPoP-Nonce");
      if (next) nonces.set(origin, next);
      return answer;
    };

    this.fetch = async (input, init) => {
      const request = new Request(input, init);
      const again = request.clone();
      const { origin } = new URL(request.url);
      const nonce = nonces.get(origin);
      const answer = await send(request, origin, nonce);
      const isAsked = /use_dpop_nonce/.test(answer.headers.get("WWW-Authenticate"));
      const next = nonces.get(origin);
      return isAsked && next !== nonce ? send(again, origin, next) : answer;
    };
  }
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

const utf8 = (text) => new TextEncoder().encode(text);

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

const hash = async (text) => base64url(await crypto.subtle.digest("SHA-256", utf8(text)));

// Runs one request in the database "dpop".
const run = async (mode, work) => {
  const done = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const opening = indexedDB.open("dpop");
  opening.onupgradeneeded = () => opening.result.createObjectStore("keys");
  const database = await done(opening);
  try {
    return await done(work(database.transaction("keys", mode).objectStore("keys")));
  } finally {
    database.close();
  }
};

/** Keeps the key in this browser, for this origin. */
export const browserStore = {
  get: () => run("readonly", (keys) => keys.get(0)),
  add: (pair) => run("readwrite", (keys) => keys.add(pair, 0)),
  delete: () => run("readwrite", (keys) => keys.delete(0)),
};
