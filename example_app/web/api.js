// The app's routes, called with the session's access token where one is signed in.

import { Session } from "./refresh.js";

/** "cookie" or "body": how the refresh token travels. */
export const mode = new URLSearchParams(location.search).get("mode") === "body" ? "body" : "cookie";

const prefix = mode === "body" ? "/v1" : "/web";

export const session = new Session({ url: `${prefix}/auth`, storage: mode === "body" ? storage() : undefined });

// storage is {} where the user forbids it: even to name localStorage then throws.
function storage() {
  try {
    return localStorage;
  } catch {
    return {};
  }
}

/** Keeps a note for this page and its other tabs, beyond a reload where the browser allows it. Null removes it. */
export function remember(name, note) {
  try {
    if (note === null) localStorage.removeItem(key(name));
    else localStorage.setItem(key(name), JSON.stringify(note));
  } catch {
    // The page does without.
  }
}

/** Returns the note, or nothing. */
export function remembered(name) {
  try {
    return JSON.parse(localStorage.getItem(key(name)));
  } catch {
    return undefined;
  }
}

const key = (name) => `account ${mode} ${name}`;

/** What a route answered other than 2xx. The message is for the user. */
export class Refusal extends Error {
  constructor(answer, body) {
    super(reason(answer, body));
    this.status = answer.status;
    this.needsPassword = /insufficient_user_authentication/.test(answer.headers.get("WWW-Authenticate"));
  }
}

function reason({ status, headers }, body) {
  if (status === 429) {
    const seconds = Number(headers.get("Retry-After"));
    return `Too many tries. Try again in ${seconds && seconds < 60 ? `${seconds} seconds` : "a minute"}.`;
  }
  if (status >= 500) return "Something went wrong on the server. Try again in a moment.";
  if (status === 403) return "You are not allowed to do that.";
  const message = body?.message ?? `The server answered ${status}`;
  return `${message[0].toUpperCase()}${message.slice(1)}.`.replace(/\.\.$/, ".");
}

/** Resolves to {body, now} of a 2xx, now being the server's time in ms. Rejects with a Refusal, or as session.fetch does. */
export async function call(method, path, content) {
  return read(await session.fetch(prefix + path, request(method, content)));
}

/** As call, for the routes that log in. */
export async function logIn(path, content) {
  const { body } = await read(await fetch(prefix + path, { ...request("POST", content), signal: AbortSignal.timeout(20_000) }));
  session.start(body.tokens);
}

function request(method, content) {
  return { method, ...(content && { headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) }) };
}

async function read(answer) {
  const body = await answer.json().catch(() => undefined); // 204 has none
  if (!answer.ok) throw new Refusal(answer, body);
  return { body, now: Date.parse(answer.headers.get("Date")) || Date.now() };
}

/** What to tell the user of an error. Empty where the session has ended: the page says that elsewhere. */
export function explain(error) {
  if (error.name === "SessionEnded") return "";
  if (error instanceof Refusal) return error.message;
  if (error.name === "SessionRefused") return "The server does not go on with your session. Sign in again if that lasts.";
  if (!navigator.onLine) return "You are offline. Try again once you are back.";
  return "The server can’t be reached. Try again in a moment.";
}
