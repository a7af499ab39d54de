// A world without a browser, for tests of refresh.js: tabs, their network and a server, under one clock that a test moves. No
// time passes but by `pass`, so the tests are quick.

import { Tab } from "./tab.js";

export const accessTTL = 900; // seconds, where a test does not say otherwise
export const gracePeriod = 30;
const refreshTTL = 604_800;

export class World {
  now = Date.UTC(2030, 0, 1); // of the server, in ms
  requests = []; // to the refresh and log-out routes: {route, at, tab, status}
  tabs = [];
  sessions = new Map(); // the server's: id to {generation, issued, ended}
  cookie; // the browser's refresh token in cookie mode
  items = new Map(); // the browser's localStorage
  messages = []; // between the tabs: {from, data}
  accessTTL = accessTTL;
  accessInCookie = false;
  reused = 0; // how often a token came back too late
  rotated = 0;

  #timers = [];
  #order = 0;
  #holder; // the tab that holds the lock
  #waiting = [];

  // network decides what becomes of a request. It may return an answer of its own ({status, headers, delay}), "lost" for a request
  // that does not arrive, "unanswered" for one whose answer is lost, "silent" for one that nobody answers, or a delay in ms of the
  // answer. Otherwise the server answers after 50 ms.
  network = () => undefined;

  constructor({ body = false, locks = true, channel = true } = {}) {
    Object.assign(this, { body, locks, channel });
  }

  setTimeout(work, ms) {
    const timer = { due: this.now + Math.max(0, ms), order: this.#order++, work };
    this.#timers.push(timer);
    return timer;
  }

  clearTimeout(timer) {
    this.#timers = this.#timers.filter((other) => other !== timer);
  }

  // pending is how many timers run.
  get pending() {
    return this.#timers.length;
  }

  sleep(ms) {
    return new Promise((resolve) => this.setTimeout(resolve, ms));
  }

  // pass lets time pass, in seconds, with all that happens in it.
  async pass(seconds) {
    const end = this.now + seconds * 1000;
    for (;;) {
      await new Promise(setImmediate); // promises first
      this.#timers.sort((a, b) => a.due - b.due || a.order - b.order);
      const timer = this.#timers[0];
      if (!timer || timer.due > end) break;
      this.#timers.shift();
      this.now = Math.max(this.now, timer.due);
      timer.work();
    }
    this.now = end;
  }

  // sleepFor lets time pass while the laptop sleeps: no timer runs on.
  sleepFor(seconds) {
    this.now += seconds * 1000;
    for (const timer of this.#timers) timer.due += seconds * 1000;
  }

  // settle lets time pass until a promise has settled, and returns {value} or {error}, and how many seconds that took.
  async settle(promise, limit = 3600) {
    const start = this.now;
    let outcome;
    promise.then((value) => (outcome = { value }), (error) => (outcome = { error }));
    while (!outcome && this.now - start < limit * 1000) await this.pass(0.05);
    return { ...outcome, seconds: (this.now - start) / 1000 };
  }

  open(settings) {
    const tab = new Tab(this, settings);
    this.tabs.push(tab);
    return tab;
  }

  refreshes() {
    return this.requests.filter(({ route }) => route === "refresh-tokens");
  }

  // logIn is an answer of the server to a login in a tab; the caller passes it to start.
  logIn() {
    const id = `s${this.sessions.size + 1}`;
    this.sessions.set(id, { generation: 1, issued: this.now, ended: false });
    return this.#tokens(id);
  }

  end(id) {
    this.sessions.get(id).ended = true;
  }

  access(id) {
    const ends = Math.floor(this.now + this.accessTTL * 1000);
    return { ...(!this.accessInCookie && { token: `access.${id}.${ends}.${this.#order++}` }), expires: new Date(ends).toISOString() };
  }

  #tokens(id) {
    const { generation, issued } = this.sessions.get(id);
    const token = `${id}.${generation}`;
    const refresh = { token, expires: new Date(Math.floor(issued / 1000 + refreshTTL) * 1000).toISOString() };
    if (!this.body) {
      this.cookie = token;
      delete refresh.token;
    }
    return { access: this.access(id), refresh };
  }

  // refresh decides as docs/how-it-works.md says.
  #refresh(token) {
    const [id, presented] = (token ?? "none.0").split(".");
    const session = this.sessions.get(id);
    if (!session || session.ended) return { status: 401 };
    const generation = Number(presented);
    const age = (this.now - session.issued) / 1000;
    if (generation === session.generation) {
      if (generation === 1 || age >= 2 * gracePeriod) {
        session.generation++;
        session.issued = this.now;
        this.rotated++;
      }
    } else if (generation !== session.generation - 1 || age > gracePeriod) {
      session.ended = true;
      this.reused++;
      return { status: 401 };
    }
    return { status: 200, id };
  }

  // answer is what the server answers to a request that has just arrived.
  answer(request) {
    const { pathname } = new URL(request.url);
    const token = this.body ? request.refreshToken : this.cookie;
    if (pathname.endsWith("/auth/refresh-tokens")) {
      const { status, id } = this.#refresh(token);
      return { status, body: id && this.#tokens(id), cookie: id && this.cookie };
    }
    if (pathname.endsWith("/auth/logout")) {
      const session = this.sessions.get((token ?? "").split(".")[0]);
      if (!session || session.ended) return { status: this.body ? 404 : 401, cookie: null };
      session.ended = true;
      return { status: 204, cookie: null };
    }
    const [, id, ends] = (request.headers.get("Authorization") ?? "").split(".");
    if (this.accessInCookie && this.cookie) return { status: 200, body: {} };
    const good = Number(ends) > this.now && this.sessions.get(id)?.ended === false;
    return { status: good ? 200 : 401, headers: { "WWW-Authenticate": 'Bearer error="invalid_token"' }, body: { id } };
  }

  // request takes the tab's lock in the order of asking, as Web Locks do.
  lock(tab, signal, work) {
    return new Promise((resolve, reject) => {
      const run = async () => {
        this.#holder = tab;
        try {
          resolve(await work());
        } catch (error) {
          reject(error);
        }
        this.#holder = undefined;
        this.#waiting.shift()?.();
      };
      if (!this.#holder) return void run();
      this.#waiting.push(run);
      signal.onTimeout(() => {
        if (!this.#waiting.includes(run)) return;
        this.#waiting = this.#waiting.filter((other) => other !== run);
        reject(new Error("timed out"));
      });
    });
  }
}
