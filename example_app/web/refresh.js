/**
 * Keeps a page signed in with the routes of refreshtokens. Copy this file: it needs no other. The types are in refresh.d.ts.
 *
 *   const session = new Session({ url: "/web/auth" });                       // the refresh token is in a cookie
 *   const session = new Session({ url: "/v1/auth", storage: localStorage }); // it is in bodies, and kept in the storage
 *   session.addEventListener("ended", (event) => …);     // show the sign-in; event.detail is "logout" or "expired"
 *   session.start(tokens);                               // after a login: the tokens of the answer
 *   const answer = await session.fetch("/web/users/me"); // like fetch, with an access token
 *   await session.logOut();                              // in every tab
 *
 * All tabs share one refresh (Web Locks, BroadcastChannel). Where a browser has neither, each tab refreshes by itself, and the
 * server's grace period makes that harmless. A network error, a 429 or a 5xx signs nobody out: it is tried again, first after
 * about a second, so that a lost answer is asked for again well within the grace period. Only a 401 of the refresh route ends
 * the session. A visible page refreshes before its access token ends. A hidden one does not, so it keeps no session alive.
 *
 * Answers and messages may come late. So each request, login and log-out has a stamp: a time in ms that only grows and that the
 * tabs keep in step. What was begun before the last login or log-out changes nothing.
 */
export class Session extends EventTarget {
  constructor({ url, storage, origins = [] }) {
    super();
    url = new URL(url, location.href).href;
    origins = [new URL(url).origin, ...origins]; // where the access token may go
    this.expires = null;

    let access; // {token, life, ends, at}: life and end in ms by the clock of this device; the stamp of the request for it
    let entry; // what the storage has: {token, expires, id}; each login has an id of its own
    let ended = false;
    let stamp = 0; // the last one that this tab gave or saw
    let since = 0; // the stamp of the last login or log-out
    let skew = 0; // how far the server's clock is ahead of this device's
    let failures = 0; // in a row
    let notBefore = 0; // when the server wants to be asked again
    let due = Infinity; // when to refresh unasked
    let channel, refreshing, timer;
    let wake = () => {}; // ends the pause that is under way

    const clock = () => Date.now();
    const next = (seen = 0) => (stamp = Math.max(clock(), stamp + 1, seen));
    const emit = (type, detail) => this.dispatchEvent(new CustomEvent(type, { detail }));
    const failure = (name, message) => Object.assign(new Error(message), { name });
    const over = () => failure("SessionEnded", "The session has ended");
    const pause = (ms) => new Promise((resolve) => setTimeout((wake = resolve), ms));
    const isFresh = () => access?.ends - clock() > Math.min(10_000, access?.life / 10);

    // tell sends news to the other tabs, and hear gets theirs.
    const tell = (news) => channel?.postMessage({ stamp, ...news });
    const hear = ({ data }) => {
      next(data.stamp);
      if (data.ask < access?.at && isFresh()) tell({ access });
      if (data.notBefore > notBefore) notBefore = data.notBefore;
      if (data.access) set(data.access, data.login);
      if (data.ended) end(data.ended, data.at, true);
    };

    // Returns what is stored. Stores an entry first, or removes the stored one for null.
    const stored = (written) => {
      if (!storage) return;
      try {
        if (written) storage.setItem(url, JSON.stringify(written));
        else if (written === null) storage.removeItem(url);
        entry = JSON.parse(storage.getItem(url));
      } catch {
        // It is full or forbidden. The session then lasts as long as the page.
        if (written !== undefined) [entry, storage] = [written, {}];
      }
      return entry;
    };

    const timed = ({ token, expires }, at) => {
      let life = Date.parse(expires) - skew - clock();
      if (!(life > 0)) life = 60_000; // the clock of this device is wrong; the next refresh tells by how much
      return { token, life, ends: clock() + life, at };
    };

    const set = (newAccess, login) => {
      if (newAccess.at < since || newAccess.at <= access?.at) return;
      if (login) since = newAccess.at;
      access = newAccess;
      ended = false;
      failures = notBefore = 0;
      due = Math.max(clock() + 1000, access.ends - access.life * (0.15 + Math.random() / 10));
      this.expires = new Date(access.ends);
      look();
      emit("refreshed", login ? "login" : "refresh");
    };

    const end = (detail, at, heard) => {
      if (ended ? detail === "expired" : at < since) return;
      since = next();
      access = undefined;
      ended = true;
      failures = 0;
      due = Infinity;
      this.expires = null;
      if (!heard) tell({ ended: detail, at });
      look();
      emit("ended", detail);
    };

    // Refreshes if it is time to. Timers stop while a laptop sleeps, so it looks once a minute.
    const look = (event) => {
      clearTimeout(timer);
      if (event && failures) due = failures = 0; // the user or the network is back
      if (clock() >= notBefore) wake();
      const wait = due - clock();
      if (document.hidden || wait === Infinity) return;
      if (wait > 0) timer = setTimeout(look, Math.min(wait, 60_000));
      else renew().catch(() => {});
    };

    // Gets an access token that was asked for after a stamp. All callers share one refresh.
    const renew = (after = access?.at ?? 0) => (refreshing ??= retry(after).finally(() => (refreshing = undefined)));

    const retry = async (after) => {
      const begun = since;
      const isDone = () => access?.at > after || since !== begun;
      for (let tries = 1; !isDone(); tries++) {
        const wait = Math.max(notBefore - clock(), 0) || (await alone(() => attempt(after, isDone)));
        if (!wait) break;
        emit("waiting", new Date(clock() + wait));
        if (tries > 3 || wait > 30_000) {
          due = clock() + wait; // a visible page goes on trying
          look();
          throw failure("SessionWaiting", "No access token could be had yet");
        }
        await pause(wait);
      }
      if (!access) throw over();
    };

    // Runs work while no other tab does. A tab that holds the lock for too long is not waited for.
    const alone = (work) => {
      let running;
      const once = () => (running ??= work());
      return navigator.locks?.request(url, { signal: AbortSignal.timeout(11_000) }, once).catch(once) ?? once();
    };

    // Tries once. Returns how long to wait before the next try, or nothing where none is needed.
    const attempt = async (after, isDone) => {
      if (channel && !isDone()) {
        tell({ ask: after }); // another tab may have a newer access token
        await pause(100);
      }
      if (isDone()) return;
      const used = stored();
      const at = next();
      const sent = clock();
      if (storage && !used) return end("expired", at, true);
      const answer = await post("refresh-tokens", used);
      const tokens = answer?.ok && (await answer.json().catch(() => {}));
      if (at < since) return;
      const now = stored();
      if (tokens?.access) {
        if (now?.id !== used?.id) return attempt(after, isDone); // there was a login or a log-out meanwhile
        // Where another tab has stored an answer meanwhile, this one is not newer.
        if (now && now.token === used.token) stored({ ...tokens.refresh, id: now.id });
        const date = Date.parse(answer.headers.get("Date")); // in whole seconds
        skew = date + 1000 < sent || date > clock() ? date - sent : 0;
        set(timed(tokens.access, at));
        return tell({ access });
      }
      if (answer?.status === 401) {
        if (now?.token !== used?.token) return attempt(after, isDone); // another tab has a newer token
        if (now) stored(null);
        return end("expired", at);
      }
      if (answer?.status === 403 && !storage) {
        // Either the session is bound to the device, and the browser refreshes, or it has to be, and the browser may be about to do that.
        if (!answer.headers.has("Secure-Session-Registration")) return set(timed({ expires: "9999" }, at));
        if (!failures++) return 1000;
      }
      if (answer && !answer.ok && answer.status !== 429 && answer.status < 500) {
        throw failure("SessionRefused", `${answer.url} answered ${answer.status}`); // to try again is no use
      }
      const header = answer?.headers.get("Retry-After"); // seconds, or a date
      const asked = header * 1000 || Date.parse(header) - skew - clock();
      if (!(asked > 0)) return Math.min(1000 * 2 ** failures++, 60_000) * (0.75 + Math.random() / 2);
      notBefore = clock() + asked + Math.random() * 1000;
      tell({ notBefore });
      return notBefore - clock();
    };

    // Sends a request to an auth route. Returns nothing where no answer came.
    const post = (route, used) =>
      fetch(`${url}/${route}`, {
        method: "POST",
        signal: AbortSignal.timeout(10_000),
        ...(used
          ? { headers: { "Content-Type": "application/json" }, body: JSON.stringify({ refreshToken: used.token }) }
          : { credentials: "include", keepalive: true }), // the browser keeps the new cookie even if the page is closed
      }).catch(() => {});

    const send = (request) => {
      if (!access) throw over();
      if (!access.token) return fetch(request, { credentials: "include" }); // it is in a cookie
      request.headers.set("Authorization", `Bearer ${access.token}`);
      return fetch(request);
    };

    this.start = ({ access: newAccess, refresh }) => {
      if (refresh && !refresh.token !== !storage) throw new TypeError("storage is for answers with a refresh token, which need it");
      const at = next();
      if (refresh && storage) stored({ ...refresh, id: Math.random() });
      set(timed(newAccess, at), refresh);
      if (refresh) tell({ access, login: true }); // a step-up is for this tab alone
    };

    this.refresh = () => renew(next());

    this.fetch = async (input, init) => {
      const request = new Request(input, init);
      if (!origins.includes(new URL(request.url).origin)) throw new TypeError(`${request.url} may not get the access token`);
      if (!isFresh()) await renew();
      const used = access;
      const answer = await send(request.clone());
      const isStepUp = /insufficient_user_authentication/.test(answer.headers.get("WWW-Authenticate"));
      if (answer.status !== 401 || isStepUp) return answer;
      if (access === used) await this.refresh();
      return send(request);
    };

    this.logOut = async () => {
      const at = next();
      const used = stored();
      let told = storage && !used; // without a token there is nothing to tell
      for (let tries = 0; !told && tries < 3; tries++) {
        await pause(tries * 1000);
        told = [204, 401, 404].includes((await post("logout", used))?.status);
      }
      if (used && stored()?.id === used.id) stored(null);
      if (told || used) end("logout", at);
      if (!told) throw failure("SessionWaiting", "The server could not be told of the log-out");
    };

    try {
      channel = new BroadcastChannel(url);
      channel.onmessage = hear;
    } catch {
      // This tab is on its own.
    }
    for (const type of ["online", "pageshow", "visibilitychange"]) addEventListener(type, look);
  }
}
