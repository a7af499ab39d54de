// The page's listing for command-line tools: many processes that share one file.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";

import { claimsOf, post, register, sessionsOf, startApp } from "./app.js";
import { change, writeListings } from "./listings.js";
import { startProxy } from "./lossy.js";

const directory = await writeListings(["tokenfile.js", "whoami.js"]);
const unlocked = await writeListings(["tokenfile.js", "whoami.js"], (text, name) =>
  name === "tokenfile.js" ? change(text, /^async function locked.*$/m, "$&\n  return work();") : text);
const { accessToken, logIn, logOut, SignedOut } = await import(`${directory}/tokenfile.js`);

const run = promisify(execFile);
const processes = 20;
const refreshRoute = "/v1/auth/refresh-tokens";

describe("one token file", { concurrency: true }, () => {
  let app, work;
  before(async () => {
    app = await startApp();
    work = await mkdtemp(join(tmpdir(), "refreshtokens-tokenfile-"));
  });
  after(async () => {
    await app?.stop();
    if (work) await rm(work, { recursive: true });
  });

  // signIn returns a user and the path of their token file.
  async function signIn() {
    const { user, tokens } = await register(app);
    const file = join(work, `${user.id}.json`);
    await logIn(file, tokens);
    return { user, tokens, file };
  }

  const stored = async (file) => JSON.parse(await readFile(file, "utf8"));

  // expire makes the file say that the access token has ended.
  async function expire(file) {
    const tokens = await stored(file);
    tokens.access.expires = new Date(0).toISOString();
    await writeFile(file, JSON.stringify(tokens));
  }

  // tools print the user: the page's listing, the same without its lock, and the one in Go. `most` is how often they may refresh.
  const tools = [
    { name: "node", most: 1, command: async () => [process.execPath, join(directory, "whoami.js")] },
    { name: "node without the lock", most: Infinity, command: async () => [process.execPath, join(unlocked, "whoami.js")] },
    { name: "go", most: 1, lock: ".lock", command: async () => {
      const binary = join(work, "whoami");
      await run("go", ["build", "-o", binary, "./tokenfile/whoami"], { cwd: new URL(".", import.meta.url).pathname });
      return [binary];
    } },
  ];

  for (const { name, most, command, lock } of tools) {
    test(`${processes} processes of ${name} at once: nobody is logged out`, async () => {
      const [program, ...args] = await command();
      const { user, file } = await signIn();
      const proxy = await startProxy(app.url);
      try {
        await expire(file);
        const whoami = () => run(program, [...args, file, `${proxy.url}/v1`]);
        for (const { stdout } of await Promise.all(Array.from({ length: processes }, whoami))) {
          assert.equal(JSON.parse(stdout).id, user.id);
        }
        const refreshes = proxy.paths.filter((path) => path === refreshRoute).length;
        assert.ok(refreshes >= 1 && refreshes <= most, `${refreshes} refreshes`);
        const { refresh, access } = await stored(file);
        assert.ok(claimsOf(refresh.token).gen > 1);
        assert.equal((await sessionsOf(app, access.token)).length, 1);
      } finally {
        proxy.stop();
      }
      const left = (await readdir(work)).filter((name) => name.startsWith(user.id) && name !== `${user.id}.json${lock}`);
      assert.deepEqual(left, [`${user.id}.json`], "no temporary file is left");
    });
  }

  test("a fresh access token is used as it is, and the file is private", async () => {
    const { tokens, file } = await signIn();
    assert.equal(await accessToken(file, "http://127.0.0.1:1/nobody/answers"), tokens.access.token);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
  });

  test("an answer that got lost is asked for again, with the same token", async () => {
    const { user, file } = await signIn();
    await expire(file);
    let lost = 0;
    const proxy = await startProxy(app.url, () => (lost++ < 2 ? "lose" : undefined));
    const token = await accessToken(file, `${proxy.url}/v1`).finally(proxy.stop);
    assert.equal(claimsOf(token).sub, user.id);
    assert.equal(proxy.paths.length, 3);
    assert.equal(claimsOf((await stored(file)).refresh.token).gen, 2);
  });

  for (const status of [429, 500, 503]) {
    test(`${status} does not end the session`, async () => {
      const { file } = await signIn();
      await expire(file);
      let refused = 0;
      const proxy = await startProxy(app.url, () => (refused++ < 1 ? { status } : undefined));
      await accessToken(file, `${proxy.url}/v1`).finally(proxy.stop);
      assert.equal(proxy.paths.length, 2);
    });
  }

  test("400 is an error at once, and the file stays", async () => {
    const { tokens, file } = await signIn();
    await expire(file);
    const proxy = await startProxy(app.url, () => ({ status: 400 }));
    await assert.rejects(accessToken(file, `${proxy.url}/v1`).finally(proxy.stop), /400/);
    assert.equal(proxy.paths.length, 1);
    assert.equal((await stored(file)).refresh.token, tokens.refresh.token);
  });

  test("a login during a refresh stays", async () => {
    const { file } = await signIn();
    await expire(file);
    const newer = (await register(app)).tokens;
    const proxy = await startProxy(app.url, () => {
      writeFileSync(file, JSON.stringify(newer)); // by a tool that takes no lock
    });
    await accessToken(file, `${proxy.url}/v1`).finally(proxy.stop);
    assert.deepEqual(await stored(file), newer);
  });

  test("a process that was killed leaves a lock that is taken over", async () => {
    const { file } = await signIn();
    await expire(file);
    await mkdir(`${file}.lock`);
    const long = new Date(Date.now() - 11_000);
    await utimes(`${file}.lock`, long, long);
    await accessToken(file, `${app.url}/v1`);
  });

  test("a session that has ended says so", async () => {
    const { tokens, file } = await signIn();
    await expire(file);
    await post(`${app.url}/v1/auth/logout`, { refreshToken: tokens.refresh.token });
    await assert.rejects(accessToken(file, `${app.url}/v1`), SignedOut);
  });

  test("a log-out ends the session and removes the file", async () => {
    const { tokens, file } = await signIn();
    await logOut(file, `${app.url}/v1`);
    assert.equal((await post(`${app.url}${refreshRoute}`, { refreshToken: tokens.refresh.token })).status, 401);
    await assert.rejects(accessToken(file, `${app.url}/v1`), SignedOut);
    await assert.rejects(stat(file), { code: "ENOENT" });
  });
});
