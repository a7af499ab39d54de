// The page's listing for React Native, with a stand-in for SecureStore, against the app.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";

import { claimsOf, post, register, startApp } from "./app.js";
import { change, writeListings } from "./listings.js";
import { startProxy } from "./lossy.js";

const secureStore = `
export const items = new Map();
export const getItemAsync = async (key) => items.get(key) ?? null;
export const setItemAsync = async (key, value) => void items.set(key, value);
export const deleteItemAsync = async (key) => void items.delete(key);
`;

describe("React Native", { concurrency: true }, () => {
  let app;
  before(async () => {
    app = await startApp();
  });
  after(() => app?.stop());

  // phone returns a user, who is logged in, the listing's functions, the store, and what came in between.
  async function phone(t, decide) {
    const { user, tokens } = await register(app);
    const proxy = await startProxy(app.url, decide);
    t.after(proxy.stop);
    const directory = await writeListings(["native.js"], (text) =>
      change(change(text, /"expo-secure-store"/, '"./expo-secure-store.js"'), /"https:\/\/example\.com\/v1"/, `"${proxy.url}/v1"`));
    await writeFile(`${directory}/expo-secure-store.js`, secureStore);
    const { items } = await import(`${directory}/expo-secure-store.js`);
    return { user, tokens, proxy, items, session: await import(`${directory}/native.js`) };
  }
  const refreshes = (proxy) => proxy.paths.filter((path) => path === "/v1/auth/refresh-tokens").length;
  const ended = ({ access, refresh }) => ({ access: { ...access, expires: new Date(0).toISOString() }, refresh });

  test("uses the access token of the login", async (t) => {
    const { user, tokens, proxy, items, session } = await phone(t);
    await session.logIn(tokens);
    assert.equal((await (await session.api("/users/me")).json()).id, user.id);
    assert.equal(refreshes(proxy), 0);
    assert.deepEqual([...items], [["refresh", tokens.refresh.token]], "the access token is in memory alone");
  });

  test("twenty requests at once share one refresh", async (t) => {
    const { tokens, proxy, items, session } = await phone(t);
    await session.logIn(ended(tokens));
    const answers = await Promise.all(Array.from({ length: 20 }, () => session.api("/users/me")));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    assert.equal(refreshes(proxy), 1);
    assert.equal(claimsOf(items.get("refresh")).gen, 2);
  });

  test("a new start of the app refreshes", async (t) => {
    const { user, tokens, proxy, items, session } = await phone(t);
    items.set("refresh", tokens.refresh.token);
    assert.equal((await (await session.api("/users/me")).json()).id, user.id);
    assert.equal(refreshes(proxy), 1);
  });

  test("a 401 of another route refreshes, once", async (t) => {
    const { tokens, proxy, session } = await phone(t, (path) => (path === "/v1/users/me" ? { status: 401 } : undefined));
    await session.logIn(tokens);
    assert.equal((await session.api("/users/me")).status, 401);
    assert.equal(refreshes(proxy), 1);
  });

  for (const [what, decision] of [["that got lost", "lose"], ["of 429", { status: 429 }], ["of 503", { status: 503 }]]) {
    test(`an answer ${what} does not end the session`, async (t) => {
      let first = true;
      const { tokens, proxy, session } = await phone(t, () => {
        const now = first ? decision : undefined;
        first = false;
        return now;
      });
      await session.logIn(ended(tokens));
      assert.equal((await session.api("/users/me")).status, 200);
      assert.equal(refreshes(proxy), 2);
      });
  }

  test("a login that comes during a refresh stays", async (t) => {
    const { tokens, proxy, items, session } = await phone(t);
    const newer = await register(app);
    await session.logIn(ended(tokens));
    const late = session.api("/users/me");
    await session.logIn(newer.tokens);
    await late;
    assert.equal(items.get("refresh"), newer.tokens.refresh.token);
  });

  test("a session that has ended says so, and is forgotten", async (t) => {
    const { tokens, proxy, items, session } = await phone(t);
    await session.logIn(ended(tokens));
    await post(`${app.url}/v1/auth/logout`, { refreshToken: tokens.refresh.token });
    await assert.rejects(session.api("/users/me"), session.SignedOut);
    assert.equal(items.size, 0);
  });

  test("a log-out ends the session, and one that fails does not look like one", async (t) => {
    let down = true;
    const { tokens, proxy, items, session } = await phone(t, () => (down ? { status: 503 } : undefined));
    await session.logIn(tokens);
    await assert.rejects(session.logOut(), /not logged out/);
    assert.equal(items.size, 1);
    down = false;
    await session.logOut();
    assert.equal((await post(`${app.url}/v1/auth/refresh-tokens`, { refreshToken: tokens.refresh.token })).status, 401);
    await assert.rejects(session.api("/users/me"), session.SignedOut);
  });
});
