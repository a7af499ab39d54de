// A tab of world.js. It runs refresh.js with globals of its own.

import { readFileSync } from "node:fs";

const source = readFileSync(new URL("../../example_app/web/refresh.js", import.meta.url), "utf8");

export const origin = "https://app.example";

export class Tab {
  events = [];
  document = { hidden: false };
  clockOff = 0; // ms
  #listeners = {};
  #sent = new WeakSet();

  constructor(world, { clockOff = 0, storage, origins, hidden = false, path = world.body ? "/v1" : "/web" } = {}) {
    this.world = world;
    this.path = path;
    this.clockOff = clockOff;
    this.document.hidden = hidden;
    this.storage = storage ?? {
      getItem: (key) => world.items.get(key) ?? null,
      setItem: (key, value) => world.items.set(key, value),
      removeItem: (key) => world.items.delete(key),
    };
    const environment = this.#environment();
    const Session = new Function(...Object.keys(environment), source.replace("export class", "return class"))(...Object.values(environment));
    this.session = new Session({ url: `${path}/auth`, origins, ...(world.body && { storage: this.storage }) });
    for (const type of ["refreshed", "ended", "waiting"]) {
      this.session.addEventListener(type, ({ detail }) => this.events.push(type === "waiting" ? type : `${type} ${detail}`));
    }
  }

  happens(type) {
    this.#listeners[type]?.({ type });
  }

  hide(hidden = true) {
    this.document.hidden = hidden;
    this.happens("visibilitychange");
  }

  // logIn logs in on this tab.
  logIn() {
    this.session.start(this.world.logIn());
  }

  me() {
    return this.session.fetch(`${this.path}/users/me`).then(({ status }) => status);
  }

  stored() {
    return JSON.parse(this.world.items.get(`${origin}${this.path}/auth`) ?? null);
  }

  hear(data) {
    this.onmessage?.({ data: structuredClone(data) });
  }

  #environment() {
    const { world } = this;
    const tab = this;
    return {
      location: { href: `${origin}/` },
      document: this.document,
      addEventListener: (type, listener) => (this.#listeners[type] = listener),
      navigator: world.locks ? { locks: { request: (name, { signal }, work) => world.lock(tab, signal, work) } } : {},
      BroadcastChannel: world.channel
        ? class {
            set onmessage(listener) {
              tab.onmessage = listener;
            }
            postMessage(data) {
              world.messages.push({ from: tab, data: structuredClone(data) });
              for (const other of world.tabs) {
                if (other !== tab && other.path === tab.path) world.setTimeout(() => other.hear(data), 1);
              }
            }
          }
        : undefined,
      Date: class extends Date {
        static now = () => world.now + tab.clockOff;
      },
      AbortSignal: { timeout: (ms) => ({ onTimeout: (work) => world.setTimeout(work, ms) }) },
      setTimeout: (work, ms) => world.setTimeout(work, ms),
      clearTimeout: (timer) => world.clearTimeout(timer),
      Request: class extends Request {
        constructor(input, init) {
          super(typeof input === "string" ? new URL(input, origin) : input, init);
        }
      },
      fetch: (input, init) => this.#fetch(input, init),
    };
  }

  // The global fetch, which rejects as a browser's does where no answer comes.
  async #fetch(input, init = {}) {
    const { world } = this;
    if (this.#sent.has(input)) throw new TypeError("a Request can be sent once");
    if (input instanceof Request) this.#sent.add(input);
    const request = {
      url: input.url ?? input,
      headers: new Headers(input.headers ?? init.headers),
      refreshToken: init.body && JSON.parse(init.body).refreshToken,
    };
    const route = new URL(request.url).pathname.split("/auth/")[1];
    const seen = { route, at: world.now, tab: this, headers: request.headers, credentials: init.credentials, keepalive: init.keepalive };
    world.requests.push(seen);
    const fate = world.network({ route, tab: this, count: world.requests.filter((other) => other.route === route).length });
    if (fate === "silent") {
      await new Promise((_, reject) => init.signal?.onTimeout(() => reject(new DOMException("", "TimeoutError"))));
    }
    await world.sleep(25); // to the server
    if (fate === "lost") throw new TypeError("Failed to fetch");
    const answer = fate?.status ? fate : world.answer(request);
    const date = new Date(Math.floor(world.now / 1000) * 1000).toUTCString();
    seen.status = answer.status;
    await world.sleep(typeof fate === "number" ? fate : (fate?.delay ?? 25));
    if (fate === "unanswered") throw new TypeError("Failed to fetch");
    if (answer.cookie !== undefined) world.cookie = answer.cookie ?? undefined;
    return {
      url: request.url,
      status: answer.status,
      ok: answer.status < 300,
      headers: new Headers({ Date: date, ...answer.headers }),
      json: async () => {
        if (answer.body === undefined) throw new SyntaxError("not JSON");
        return answer.body;
      },
    };
  }
}
