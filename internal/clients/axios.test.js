// axios with axios-auth-refresh, unmodified: tabs that share a store, each with 20 requests under way when the access token ends.

import assert from "node:assert/strict";
import http from "node:http";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import axios from "axios";

import { claimsOf, logIn, post, register, sessionsOf, startApp } from "./app.js";
import { change, writeListings } from "./listings.js";

const requests = 20; // of a tab, in parallel
const windows = 6; // of a user; each is a login
const rounds = 5; // of a window; each is two bursts
const grace = 3; // seconds

// The network: each way takes up to 40 ms.
const send = axios.getAdapter("http");
axios.defaults.httpAgent = new http.Agent({ keepAlive: true });
let refused = 0; // answers of 401
axios.defaults.adapter = async (request) => {
  await sleep(Math.random() * 40);
  try {
    return await send(request);
  } catch (error) {
    if (error.response?.status === 401) refused++;
    error.message += ` by ${request.url}`;
    throw error;
  } finally {
    await sleep(Math.random() * 40);
  }
};

// createAPIs are the page's listing, and with the older version of the library what most apps have: the same without a check.
const createAPIs = {
  "axios-auth-refresh 3.3.6": await listing((text) => {
    text = change(text, /^.*\/\/ another tab was first.*\n/m, "");
    // Bundlers take the default of a CommonJS module themselves.
    return change(text, /^import createAuthRefresh .*$/m, 'import library from "axios-auth-refresh-3";\nconst createAuthRefresh = library.default;');
  }),
  "axios-auth-refresh 5.0.2": await listing(),
};

async function listing(adapt) {
  return (await import(`${await writeListings(["api.js"], adapt)}/api.js`)).createAPI;
}

// store is a localStorage.
function store(tokens) {
  const items = new Map([["access", tokens.access.token], ["refresh", tokens.refresh.token]]);
  return { getItem: (key) => items.get(key) ?? null, setItem: (key, value) => items.set(key, value) };
}

// burst has all tabs, which wake within 60 ms, send their requests. It throws where one of them fails for good.
function burst(tabs, user) {
  return Promise.all(tabs.map(async (tab) => {
    await sleep(Math.random() * 60);
    const answers = await Promise.all(Array.from({ length: requests }, () => tab.get("/users/me")));
    for (const { data } of answers) assert.equal(data.id, user.id);
  }));
}

// ended waits until the access token has ended, and the refresh token is old enough to rotate.
async function ended(storage) {
  const { exp } = claimsOf(storage.getItem("access"));
  const { iat } = claimsOf(storage.getItem("refresh"));
  await sleep(Math.max(exp, iat + 2 * grace + 1) * 1000 - Date.now() + 50);
}

describe("20 parallel 401s in each tab", { concurrency: true }, () => {
  const counts = [1, 2, 3];
  let app;
  before(async () => {
    app = await startApp({ ACCESS_TTL: "6s", GRACE_PERIOD: `${grace}s` });
  });
  after(async () => {
    await app?.stop();
    const bursts = Object.keys(createAPIs).length * counts.length * windows * rounds * 2;
    assert.ok(refused >= bursts * requests, `${refused} 401s in ${bursts} bursts`);
  });

  for (const [name, createAPI] of Object.entries(createAPIs)) {
    for (const count of counts) {
      test(`${name}, ${count} tab(s), ${windows * rounds * 2} bursts: nobody is logged out`, async () => {
        const { user } = await register(app);
        const stores = await Promise.all(Array.from({ length: windows }, async (_, i) => {
          await sleep(i * 1200); // the windows wake one after the other
          const storage = store((await logIn(app, user)).tokens);
          const tabs = Array.from({ length: count }, () => createAPI(`${app.url}/v1`, storage));
          for (let round = 1; round <= rounds; round++) {
            await ended(storage);
            await burst(tabs, user); // the refresh token rotates
            storage.setItem("access", "dropped");
            await burst(tabs, user); // it repeats
            const { gen } = claimsOf(storage.getItem("refresh"));
            assert.ok(gen > round, `round ${round} ended with generation ${gen}: the refresh token did not rotate`);
          }
          return storage;
        }));
        const sessions = await sessionsOf(app, stores.at(-1).getItem("access"));
        assert.equal(sessions.length, windows + 1, "a session for each window, and that of the registration");
      });
    }
  }
});

// This shows that the bursts above do harm where nothing forgives them.
describe("without a grace period", () => {
  let app;
  before(async () => {
    app = await startApp({ GRACE_PERIOD: "0s" });
  });
  after(() => app?.stop());

  for (const [name, createAPI] of Object.entries(createAPIs)) {
    test(`${name}, 3 tabs: the race ends the session`, async () => {
      const { user, tokens } = await register(app);
      const storage = store(tokens);
      const tabs = Array.from({ length: 3 }, () => createAPI(`${app.url}/v1`, storage));
      await assert.rejects(async () => {
        for (let i = 0; i < 20; i++) {
          storage.setItem("access", "dropped");
          await burst(tabs, user);
        }
      }, (error) => error.response?.status === 401 || error.code === "ERR_CANCELED");
      const { status } = await post(`${app.url}/v1/auth/refresh-tokens`, { refreshToken: storage.getItem("refresh") });
      assert.equal(status, 401);
    });
  }
});
