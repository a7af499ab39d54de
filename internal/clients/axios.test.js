// axios with axios-auth-refresh, unmodified: tabs that share a store, each with 20 requests under way when the access token ends.

import assert from "node:assert/strict";
import http from "node:http";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import axios from "axios";

import { claimsOf, expectJSON, post, register, sessionsOf, startApp } from "./app.js";
import { change, writeListings } from "./listings.js";

const requests = 20; // of a tab, in parallel
const windows = 29; // each is a login, and two bursts
const wakings = 2; // of one more window, after a pause

// The grace period of the app in which windows wake, in seconds. A live token repeats for twice as long before it can rotate again.
const grace = 15;

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
    const imports = 'import library from "axios-auth-refresh-3";\nconst createAuthRefresh = library.default;';
    return change(text, /^import createAuthRefresh .*$/m, imports);
  }),
  "axios-auth-refresh 5.0.2": await listing(),
};

async function listing(adapt) {
  return (await import(`${await writeListings(["api.js"], adapt)}/api.js`)).createAPI;
}

// openWindow logs a new user in, and opens tabs with one localStorage. `burst` has them wake within 60 ms and send their
// requests. It throws where a tab is logged out.
async function openWindow(app, createAPI, count) {
  const { user, tokens } = await register(app);
  const items = new Map([["access", tokens.access.token], ["refresh", tokens.refresh.token]]);
  const storage = { getItem: (key) => items.get(key) ?? null, setItem: (key, value) => items.set(key, value) };
  const tabs = Array.from({ length: count }, () => createAPI(`${app.url}/v1`, storage));

  const burst = async (tries = 5) => {
    const answers = await Promise.all(tabs.map(async (tab) => {
      await sleep(Math.random() * 60);
      return Promise.allSettled(Array.from({ length: requests }, () => tab.get("/users/me")));
    }));
    const failures = answers.flat().filter(({ status }) => status === "rejected").map(({ reason }) => reason);
    const loggedOut = failures.find(({ config, response }) => response?.status === 401 && config.url.endsWith("/refresh-tokens"));
    if (loggedOut) loggedOut.message += `\n${app.log().split("\n").filter((line) => line.includes("reuse")).join("\n")}`;
    if (loggedOut || (failures.length && tries === 1)) throw loggedOut ?? failures[0];
    if (failures.length) return burst(tries - 1); // on a busy machine, answers may be late
    for (const { value } of answers.flat()) assert.equal(value.data.id, user.id);
  };
  const countSessions = async () => {
    const answer = await post(`${app.url}/v1/auth/refresh-tokens`, { refreshToken: storage.getItem("refresh") });
    const { access } = await expectJSON(answer, 200);
    return (await sessionsOf(app, access.token)).length;
  };
  return { storage, burst, countSessions, generation: () => claimsOf(storage.getItem("refresh")).gen };
}

describe("20 parallel 401s in each tab", { concurrency: true }, () => {
  const counts = [1, 2, 3];
  const bursts = windows * 2 + wakings;
  let app, impatient;
  before(async () => {
    app = await startApp();
    impatient = await startApp({ ACCESS_TTL: "10s", GRACE_PERIOD: `${grace}s` });
  });
  after(async () => {
    await app?.stop();
    await impatient?.stop();
    const all = bursts * Object.keys(createAPIs).length * counts.length;
    assert.ok(refused >= all * requests, `${refused} 401s in ${all} bursts`);
  });

  async function openAndBurst(createAPI, count) {
    const { storage, burst, countSessions, generation } = await openWindow(app, createAPI, count);
    storage.setItem("access", "dropped");
    await burst(); // the refresh token of the login rotates
    storage.setItem("access", "dropped");
    await burst(); // the next one repeats
    assert.ok(generation() > 1);
    assert.equal(await countSessions(), 1);
  }

  async function openAndWake(createAPI, count) {
    const { storage, burst, countSessions, generation } = await openWindow(impatient, createAPI, count);
    for (let waking = 1; waking <= wakings; waking++) {
      const { exp } = claimsOf(storage.getItem("access"));
      const { iat } = claimsOf(storage.getItem("refresh"));
      const rotates = waking === 1 ? 0 : iat + 2 * grace + 1;
      await sleep(Math.max(exp, rotates) * 1000 - Date.now() + 50);
      await burst(); // the access token has ended, and the refresh token rotates
      assert.ok(generation() > waking, `generation ${generation()}`);
    }
    assert.equal(await countSessions(), 1);
  }

  for (const [name, createAPI] of Object.entries(createAPIs)) {
    for (const count of counts) {
      test(`${name}, ${count} tab(s), ${bursts} bursts: nobody is logged out`, async () => {
        const waking = openAndWake(createAPI, count);
        waking.catch(() => {}); // is awaited below
        for (let i = 0; i < windows; i++) await openAndBurst(createAPI, count);
        await waking;
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
      const { storage, burst } = await openWindow(app, createAPI, 3);
      await assert.rejects(async () => {
        for (let i = 0; i < 20; i++) {
          storage.setItem("access", "dropped");
          await burst();
        }
      }, { status: 401 });
      const { status } = await post(`${app.url}/v1/auth/refresh-tokens`, { refreshToken: storage.getItem("refresh") });
      assert.equal(status, 401);
    });
  }
});
