// The page's listings for Next.js, built and served by next, in Chromium, against the app.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";

import { expectJSON, password, register, sessionsOf, startApp } from "./app.js";
import { startChromium } from "./chromium.js";
import { writeListings } from "./listings.js";

const files = ["next.config.mjs", "app/api.js", "app/page.jsx", "app/session.jsx", "app/sign-in/page.jsx", "app/account/route.js"];
const next = new URL("node_modules/next/dist/bin/next", import.meta.url).pathname;

// What the page leaves out, because it is as in every app.
const layout = `export default ({ children }) => <html lang="en"><body>{children}</body></html>;\n`;

// startNext builds an app of the listings, and serves it at `url`.
async function startNext(url, apiURL) {
  const directory = await writeListings([...files, "app/refresh.js"]);
  await writeFile(`${directory}/app/layout.jsx`, layout);
  const env = { ...process.env, API_URL: apiURL, NEXT_TELEMETRY_DISABLED: "1" };
  await promisify(execFile)(process.execPath, [next, "build"], { cwd: directory, env });
  const { hostname, port } = new URL(url);
  const server = spawn(process.execPath, [next, "start", "-H", hostname, "-p", port], { cwd: directory, env });
  let log = "";
  await new Promise((resolve, reject) => {
    const read = (text) => (log += text).includes("Ready") && resolve();
    server.stdout.setEncoding("utf8").on("data", read);
    server.stderr.setEncoding("utf8").on("data", read);
    server.once("exit", () => reject(new Error(`next ended:\n${log}`)));
  });
  return { log: () => log, stop: () => new Promise((resolve) => server.once("exit", resolve) && server.kill("SIGTERM")) };
}

async function freePort() {
  const server = createServer().listen(0, "localhost");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("Next.js", () => {
  let url, app, server, chromium, ada, tab;
  before(async () => {
    url = `http://localhost:${await freePort()}`;
    app = await startApp({ ACCESS_COOKIE: "true", BASE_URL: url });
    ada = await register(app);
    server = await startNext(url, app.url);
    chromium = await startChromium();
    tab = await open();
  });
  after(async () => {
    await chromium?.stop();
    await server?.stop();
    await app?.stop();
  });

  const open = async () => {
    const page = await chromium.browser.newPage();
    page.setDefaultTimeout(30_000);
    await page.goto(`${url}/`);
    return page;
  };
  // Hidden tabs paint no frames, so it looks at them by a timer.
  const until = (page, text) => page.waitForFunction((wanted) => document.body.innerText.includes(wanted), { polling: 50 }, text);
  const refreshes = () => app.log().match(/"path":"\/web\/auth\/refresh-tokens"/g)?.length ?? 0;
  const cookies = async () => (await chromium.browser.cookies()).map(({ name }) => name).sort();
  const dropAccess = async () => {
    await chromium.browser.deleteCookie(...(await chromium.browser.cookies()).filter(({ name }) => name === "access-token"));
    assert.deepEqual(await cookies(), ["refresh-token"]);
  };

  test("a stranger is sent to the sign-in", async () => {
    await until(tab, "Sign in");
    assert.equal(new URL(tab.url()).pathname, "/sign-in");
  });

  test("signs in", async () => {
    await tab.type("[name=email]", ada.user.email);
    await tab.type("[name=password]", password);
    await tab.click("button");
    await until(tab, `Hello ${ada.user.name}`);
    assert.deepEqual(await cookies(), ["access-token", "refresh-token"]);
  });

  test("the server renders the page, and no token is in it", async () => {
    const html = await tab.evaluate(async () => (await fetch("/")).text());
    assert.match(html, new RegExp(ada.user.name));
    assert.doesNotMatch(html, /eyJ/);
  });

  test("without an access token, the browser refreshes, and the server does not", async () => {
    const before = refreshes();
    await dropAccess();
    const html = await tab.evaluate(async () => (await fetch("/")).text());
    assert.match(html, /One moment/);
    assert.equal(refreshes(), before);
    await tab.reload();
    await until(tab, `Hello ${ada.user.name}`);
    assert.equal(refreshes(), before + 1);
  });

  test("five tabs that wake at once stay signed in, with one session", async () => {
    await dropAccess();
    const tabs = await Promise.all(Array.from({ length: 5 }, open));
    await Promise.all(tabs.map((page) => until(page, `Hello ${ada.user.name}`)));
    await Promise.all(tabs.map((page) => page.close()));
    assert.equal((await sessionsOf(app, ada.tokens.access.token)).length, 2, "that of the registration, and the browser's");
  });

  test("a route handler passes on who asks, the answer, and its cookies", async () => {
    const me = await tab.evaluate(async () => (await fetch("/account")).json());
    assert.equal(me.id, ada.user.id);
    await dropAccess();
    assert.equal(await tab.evaluate(async () => (await fetch("/account")).status), 401);
    await tab.reload();
    await until(tab, `Hello ${ada.user.name}`);
    const cookie = async () => (await chromium.browser.cookies()).find(({ name }) => name === "access-token").value;
    const old = await cookie();
    const body = JSON.stringify({ password });
    const status = await tab.evaluate(async (body) => {
      const headers = { "Content-Type": "application/json" };
      return (await fetch("/account", { method: "POST", headers, body })).status;
    }, body);
    assert.equal(status, 200);
    assert.notEqual(await cookie(), old);
    const headers = { "Content-Type": "application/json", Cookie: `access-token=${await cookie()}` };
    for (const foreign of [{ Origin: "http://localhost:1" }, { "Sec-Fetch-Site": "cross-site" }]) {
      const answer = await fetch(`${url}/account`, { method: "POST", headers: { ...headers, ...foreign }, body });
      await expectJSON(answer, 403);
    }
  });

  test("a log-out signs out every tab", async () => {
    const other = await open();
    await until(other, `Hello ${ada.user.name}`);
    await other.click("button");
    for (const page of [other, tab]) await until(page, "Sign in");
    assert.deepEqual(await cookies(), []);
    assert.equal((await sessionsOf(app, ada.tokens.access.token)).length, 1);
  });
});
