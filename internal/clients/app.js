// The example app, built once and run as a process of its own.

import { execFile, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const repository = new URL("../..", import.meta.url).pathname;

// build builds the app, once in a process, unless EXAMPLE_APP names it.
async function build() {
  if (process.env.EXAMPLE_APP) return process.env.EXAMPLE_APP;
  const directory = await mkdtemp(join(tmpdir(), "refreshtokens-app-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  await promisify(execFile)("go", ["build", "-o", directory, "./example_app"], { cwd: repository });
  return join(directory, "example_app");
}

let built;

export const secret = "the secret of the clients' tests, 32 bytes or more";
export const password = "correct horse 1";

// startApp runs the example app on an empty database and a free port. `env` has its settings, on top of the defaults.
// It returns its base URL, what it logged, and stop.
export async function startApp(env = {}) {
  const work = await mkdtemp(join(tmpdir(), "refreshtokens-clients-"));
  const app = spawn(await (built ??= build()), [], {
    cwd: work,
    env: { PATH: process.env.PATH, HOME: work, ADDR: "127.0.0.1:0", JWT_SECRET: secret, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise((resolve) => app.once("exit", resolve));
  let log = "";
  app.stderr.setEncoding("utf8").on("data", (text) => (log += text));
  const stop = async () => {
    app.kill("SIGTERM");
    await ended;
    await rm(work, { recursive: true, force: true });
  };
  const port = await Promise.race([portOf(app.stdout), ended.then(() => null)]);
  if (!port) {
    await stop();
    throw new Error(`the example app did not start:\n${log}`);
  }
  return { url: `http://127.0.0.1:${port}`, log: () => log, stop };
}

// portOf reads the port from the curl line that the app prints once it listens.
async function portOf(stdout) {
  let text = "";
  for await (const chunk of stdout.setEncoding("utf8").iterator({ destroyOnReturn: false })) {
    text += chunk;
    const port = /localhost:(\d+)/.exec(text)?.[1];
    if (port) {
      stdout.resume(); // a full pipe would stop the app
      return port;
    }
  }
  return null;
}

let users = 0;

// register makes a new user and returns {user, tokens}. On a busy machine it may take a second try.
export async function register(app, tries = 3) {
  users++;
  const response = await post(`${app.url}/v1/auth/register`, {
    name: `Ada ${users}`, email: `ada${users}.${process.pid}@example.com`, password,
  });
  if (response.status === 500 && tries > 1) return register(app, tries - 1);
  return expectJSON(response, 201);
}

// logIn starts one more session of a user.
export async function logIn(app, user) {
  return expectJSON(await post(`${app.url}/v1/auth/login`, { email: user.email, password }), 200);
}

// sessionsOf lists the live sessions of the user that an access token is of.
export async function sessionsOf(app, accessToken) {
  const response = await send(`${app.url}/v1/auth/refresh-tokens`, { headers: { Authorization: `Bearer ${accessToken}` } });
  return (await expectJSON(response, 200)).sessions;
}

export function post(url, body, headers = {}) {
  return send(url, { method: "POST", headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body) });
}

// send is fetch. Where the connection breaks, as it may on a busy machine, it tries again.
function send(url, init, tries = 3) {
  return fetch(url, init).catch((error) => {
    if (tries === 1) throw error;
    return send(url, init, tries - 1);
  });
}

export async function expectJSON(response, status) {
  const text = await response.text();
  if (response.status !== status) {
    throw new Error(`${response.url} answered ${response.status} instead of ${status}: ${text}`);
  }
  return JSON.parse(text);
}

// claimsOf decodes a JWT without looking at its signature.
export function claimsOf(token) {
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
}
