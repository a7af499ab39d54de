// refresh.js, in tabs without a browser. See world.js.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { World, accessTTL, gracePeriod, origin } from "./world.js";

// eachMode runs a test in cookie mode and in body mode.
function eachMode(name, run) {
  for (const body of [false, true]) test(`${name}, ${body ? "body" : "cookie"} mode`, () => run((settings) => new World({ body, ...settings }), body));
}

const within = (value, low, high, what) => assert.ok(value >= low && value <= high, `${what} is ${value}, want ${low} to ${high}`);

// thirdPause lets time pass until a refresh has failed for the third time. The pause after that takes 3 s or more.
async function thirdPause(world) {
  while (world.refreshes().length < 3) await world.pass(0.1);
  await world.pass(0.5);
}

describe("fetch", () => {
  eachMode("uses the token of the login, and refreshes once it is about to end", async (create) => {
    const world = create();
    const tab = world.open({ hidden: true });
    tab.logIn();
    assert.equal((await world.settle(tab.me())).value, 200);
    assert.equal(world.refreshes().length, 0);
    await world.pass(accessTTL - 5);
    assert.equal((await world.settle(tab.me())).value, 200);
    assert.equal(world.refreshes().length, 1);
    assert.equal(world.requests.at(-1).headers.get("Authorization").split(".")[1], "s1");
    assert.deepEqual(tab.events, ["refreshed login", "refreshed refresh"]);
  });

  eachMode("shares one refresh among the requests of a tab", async (create) => {
    const world = create();
    const tab = world.open({ hidden: true });
    tab.logIn();
    await world.pass(accessTTL);
    const { value } = await world.settle(Promise.all(Array.from({ length: 20 }, () => tab.me())));
    assert.deepEqual(new Set(value), new Set([200]));
    assert.equal(world.refreshes().length, 1);
  });

  eachMode("restores a session after a reload", async (create, body) => {
    const world = create();
    world.open().logIn();
    world.tabs.length = 0;
    const tab = world.open();
    assert.equal(tab.session.expires, null);
    assert.equal((await world.settle(tab.me())).value, 200);
    assert.ok(tab.session.expires > world.now);
    // Cookies go along to another origin of the site, and the new one is kept even if the page is closed meanwhile.
    const [{ credentials, keepalive }] = world.refreshes();
    assert.deepEqual([credentials, keepalive], body ? [undefined, undefined] : ["include", true]);
  });

  eachMode("refreshes on a 401, and tries once more", async (create) => {
    const world = create();
    const tab = world.open();
    tab.logIn();
    world.network = ({ route, count }) => (route === undefined && count === 1 ? { status: 401 } : undefined);
    assert.equal((await world.settle(tab.me())).value, 200);
    assert.equal(world.refreshes().length, 1);

    world.network = ({ route }) => (route === undefined ? { status: 401 } : undefined); // a 401 that is about something else
    assert.equal((await world.settle(tab.me())).value, 401);
    assert.equal(world.refreshes().length, 2);
    assert.notEqual(tab.session.expires, null);
  });

  test("hands a step-up to the caller, and uses the token that answers it in this tab alone", async () => {
    const world = new World();
    const [tab, other] = [world.open(), world.open()];
    tab.logIn();
    await world.pass(1);
    world.network = ({ route }) =>
      route === undefined ? { status: 401, headers: { "WWW-Authenticate": 'Bearer error="insufficient_user_authentication", max_age="300"' } } : undefined;
    assert.equal((await world.settle(tab.me())).value, 401);
    assert.equal(world.refreshes().length, 0);

    world.network = () => undefined;
    const access = world.access("s1");
    tab.session.start({ access });
    await world.pass(1);
    await world.settle(tab.me());
    assert.equal(world.requests.at(-1).headers.get("Authorization"), `Bearer ${access.token}`);
    await world.settle(other.me());
    assert.notEqual(world.requests.at(-1).headers.get("Authorization"), `Bearer ${access.token}`);
  });

  test("keeps the token from other origins, but those that are named", async () => {
    const world = new World();
    const tab = world.open();
    tab.logIn();
    const { error } = await world.settle(tab.session.fetch("https://elsewhere.example/"));
    assert.ok(error instanceof TypeError);
    assert.equal(world.requests.length, 0);

    const trusting = world.open({ origins: ["https://elsewhere.example"] });
    assert.equal((await world.settle(trusting.session.fetch("https://elsewhere.example/users/me"))).value.status, 200);
    assert.match(world.requests.at(-1).headers.get("Authorization"), /^Bearer access/);
  });

  test("leaves the token to the browser where it is in a cookie", async () => {
    const world = new World();
    world.accessInCookie = true;
    const tab = world.open();
    tab.logIn();
    assert.equal((await world.settle(tab.me())).value, 200);
    assert.equal(world.requests[0].headers.get("Authorization"), null);
    assert.equal(world.requests[0].credentials, "include");
    assert.equal(world.refreshes().length, 0);
  });

  eachMode("rejects where nobody is signed in", async (create, body) => {
    const world = create();
    const tab = world.open();
    const { error } = await world.settle(tab.me());
    assert.equal(error.name, "SessionEnded");
    assert.deepEqual(tab.events, ["ended expired"]);
    assert.equal((await world.settle(tab.me())).error.name, "SessionEnded");
    assert.deepEqual(tab.events, ["ended expired"]); // once is enough
    assert.equal(world.requests.length, body ? 0 : 2); // only the browser knows whether there is a cookie
  });
});

describe("a new tab", () => {
  eachMode("takes the token of another tab, and asks the server nothing", async (create) => {
    const world = create();
    world.open({ hidden: true }).logIn();
    const tab = world.open({ hidden: true });
    assert.equal((await world.settle(tab.me())).value, 200);
    assert.equal(world.refreshes().length, 0);
  });

  eachMode("takes no token that has ended", async (create) => {
    const world = create();
    world.open({ hidden: true }).logIn();
    await world.pass(accessTTL);
    const tab = world.open({ hidden: true });
    assert.equal((await world.settle(tab.me())).value, 200);
    assert.deepEqual(world.requests.map(({ route }) => route), ["refresh-tokens", undefined]);
  });
});

test("a refresh by hand asks the server, whatever other tabs have", async () => {
  const world = new World();
  const [tab, other] = [world.open(), world.open()];
  tab.logIn();
  await world.pass(1);
  const hear = tab.onmessage;
  tab.onmessage = undefined; // the message of the other tab is late
  await world.settle(other.session.refresh());
  tab.onmessage = hear;
  await world.settle(tab.session.refresh());
  assert.deepEqual(world.refreshes().map(({ tab }) => tab), [other, tab]);
});

describe("silent refresh", () => {
  eachMode("comes at about 80 % of the token's life", async (create) => {
    const world = create();
    const tab = world.open();
    tab.logIn();
    await world.pass(0.74 * accessTTL);
    assert.equal(world.refreshes().length, 0);
    await world.pass(0.12 * accessTTL);
    assert.equal(world.refreshes().length, 1);
    await world.pass(10 * accessTTL);
    within(world.refreshes().length, 12, 14, "refreshes");
    assert.equal(world.rotated, world.refreshes().length);
  });

  eachMode("does not come while the page is hidden, and comes when it is shown again", async (create) => {
    const world = create();
    const tab = world.open();
    tab.logIn();
    tab.hide();
    await world.pass(10 * accessTTL);
    assert.equal(world.refreshes().length, 0);
    tab.hide(false);
    await world.pass(1);
    assert.equal(world.refreshes().length, 1);
  });

  eachMode("comes once for all visible tabs", async (create) => {
    const world = create();
    const tabs = Array.from({ length: 10 }, () => world.open());
    tabs[0].logIn();
    await world.pass(accessTTL);
    within(world.refreshes().length, 1, 1, "refreshes");
    for (const tab of tabs) assert.deepEqual(tab.events, ["refreshed login", "refreshed refresh"]);
  });

  eachMode("bears a clock that is a day off", async (create) => {
    for (const days of [-1, 1]) {
      const world = create();
      const tab = world.open({ clockOff: days * 86_400_000 });
      tab.logIn();
      assert.equal((await world.settle(tab.me())).value, 200);
      assert.equal(world.refreshes().length, 0);
      await world.pass(4 * accessTTL);
      if (days === -1) await world.settle(tab.session.refresh());
      const before = world.refreshes().length;
      within(before, 1, 7, "refreshes");
      within((tab.session.expires - (world.now + tab.clockOff)) / 1000, 0, accessTTL + 2, "the rest of the token's life");
      await world.pass(10 * accessTTL);
      within(world.refreshes().length - before, 11, 14, "refreshes");
      assert.equal((await world.settle(tab.me())).value, 200);
    }
  });

  eachMode("comes soon after a laptop has slept", async (create) => {
    const world = create();
    const tab = world.open();
    tab.logIn();
    await world.pass(1);
    world.sleepFor(10 * accessTTL);
    await world.pass(61);
    assert.equal(world.refreshes().length, 1);
  });

  test("comes at most once a second, however short the tokens live", async () => {
    const world = new World();
    world.accessTTL = 0.1;
    const tab = world.open();
    tab.logIn();
    await world.pass(20);
    within(world.refreshes().length, 1, 20, "refreshes");
  });

  test("has one timer, however often the page is shown", async () => {
    const world = new World();
    const tab = world.open();
    tab.logIn();
    for (let i = 0; i < 100; i++) tab.happens("pageshow");
    assert.equal(world.pending, 1);
  });
});

describe("a refresh without a good answer", () => {
  for (const fate of ["lost", "unanswered"]) {
    eachMode(`is tried again after about a second: ${fate}`, async (create) => {
      const world = create();
      const tab = world.open();
      tab.logIn();
      world.network = ({ count }) => (count === 1 ? fate : undefined);
      const { error } = await world.settle(tab.session.refresh());
      assert.equal(error, undefined);
      const [first, second] = world.refreshes();
      within(second.at - first.at, 750, 1500, "the pause in ms");
      assert.deepEqual(tab.events, ["refreshed login", "waiting", "refreshed refresh"]);
      assert.equal(world.rotated, 1);
    });
  }

  eachMode("is tried again twice within the grace period where the server says nothing", async (create) => {
    const world = create();
    const tab = world.open();
    tab.logIn();
    world.network = ({ count }) => (count < 3 ? "silent" : undefined);
    const { error, seconds } = await world.settle(tab.session.refresh());
    assert.equal(error, undefined);
    within(seconds, 20, gracePeriod, "seconds");
  });

  for (const status of [500, 503, 429]) {
    eachMode(`backs off and signs nobody out: ${status}`, async (create) => {
      const world = create();
      const tab = world.open();
      tab.logIn();
      tab.hide();
      await world.pass(accessTTL);
      tab.hide(false);
      tab.events.length = 0;
      world.network = ({ route }) => (route === "refresh-tokens" ? { status } : undefined);
      const { error, seconds } = await world.settle(tab.me());
      assert.equal(error.name, "SessionWaiting");
      within(seconds, 5, 12, "seconds until fetch rejects");
      assert.equal(world.refreshes().length, 4);
      await world.pass(3600); // it goes on, about once a minute
      within(world.refreshes().length, 50, 90, "tries in an hour");
      assert.deepEqual(new Set(tab.events), new Set(["waiting"]));

      world.network = () => undefined;
      await world.pass(90);
      assert.equal(tab.events.at(-1), "refreshed refresh");
      assert.equal((await world.settle(tab.me())).value, 200);
    });
  }

  for (const [kind, header] of [["seconds", () => "20"], ["a date", (now) => new Date(now + 20_000).toUTCString()]]) {
    eachMode(`waits as long as Retry-After says, in every tab: ${kind}`, async (create) => {
      const world = create();
      const [tab, other] = [world.open(), world.open()];
      tab.logIn();
      const now = world.now;
      world.network = ({ count }) => (count === 1 ? { status: 429, headers: { "Retry-After": header(now) } } : undefined);
      const done = world.settle(tab.session.refresh());
      for (let i = 0; i < 5; i++) {
        await world.pass(1);
        tab.happens("online"); // is no reason to ask earlier
      }
      const { error } = await world.settle(other.session.refresh());
      assert.equal(error, undefined);
      assert.equal((await done).error, undefined);
      const [first, second] = world.refreshes();
      within(second.at - first.at, 19_000, 22_000, "the pause in ms");
      assert.equal(world.refreshes().length, 2);
    });
  }

  eachMode("rejects at once where the server wants a long pause, and asks nothing before its end", async (create) => {
    const world = create();
    const tab = world.open();
    tab.logIn();
    world.network = ({ route, count }) =>
      route === "refresh-tokens" && count === 1 ? { status: 503, headers: { "Retry-After": "300" } } : undefined;
    assert.equal((await world.settle(tab.session.refresh())).error.name, "SessionWaiting");
    assert.equal((await world.settle(tab.session.refresh())).error.name, "SessionWaiting");
    await world.pass(298);
    assert.equal(world.refreshes().length, 1);
    assert.equal((await world.settle(tab.me())).value, 200); // its token lives
    await world.pass(5);
    assert.equal(world.refreshes().length, 2);
    assert.equal(tab.events.at(-1), "refreshed refresh");
  });

  eachMode("is tried again as soon as the network is back", async (create) => {
    const world = create();
    const tab = world.open();
    tab.logIn();
    world.network = () => "lost";
    await world.settle(tab.session.refresh());
    await world.pass(600);
    world.network = () => undefined;
    tab.happens("online");
    await world.pass(0.5);
    assert.equal(tab.events.at(-1), "refreshed refresh");
  });

  for (const type of ["online", "pageshow", "visibilitychange"]) {
    eachMode(`is tried again at once, and not at the end of a pause, on ${type}`, async (create) => {
      const world = create();
      const tab = world.open();
      tab.logIn();
      world.network = ({ count }) => (count < 4 ? "lost" : undefined);
      const done = world.settle(tab.session.refresh());
      await thirdPause(world);
      tab.happens(type);
      await world.pass(0.3);
      assert.equal(world.refreshes().length, 4);
      assert.equal((await done).error, undefined);
    });
  }

  eachMode("starts over with a short pause after a success", async (create) => {
    const world = create();
    const tab = world.open();
    tab.logIn();
    world.network = ({ count }) => ([1, 2, 3, 5].includes(count) ? "lost" : undefined);
    await world.settle(tab.session.refresh());
    await world.settle(tab.session.refresh());
    const [first, second] = world.refreshes().slice(-2);
    within(second.at - first.at, 750, 1500, "the pause in ms");
  });

  eachMode("ends with the session, in the middle of a pause", async (create) => {
    const world = create();
    const [tab, other] = [world.open(), world.open()];
    tab.logIn();
    world.network = ({ route, tab: from }) => (route === "refresh-tokens" && from === tab ? "lost" : undefined);
    const done = world.settle(tab.session.refresh());
    await thirdPause(world);
    await world.settle(other.session.logOut());
    const before = world.now;
    assert.equal((await done).error.name, "SessionEnded");
    within(world.now - before, 0, 100, "ms");
    assert.equal(world.refreshes().length, 3);
  });

  eachMode("is tried again where a portal answers instead of the server", async (create) => {
    const world = create();
    const tab = world.open();
    tab.logIn();
    world.network = ({ count }) => (count === 1 ? { status: 200 } : undefined); // its body is no JSON
    assert.equal((await world.settle(tab.session.refresh())).error, undefined);
    assert.equal(world.refreshes().length, 2);
  });

  eachMode("is not tried again where that is no use", async (create) => {
    const world = create();
    const tab = world.open();
    tab.logIn();
    world.network = () => ({ status: 400 });
    const { error } = await world.settle(tab.session.refresh());
    assert.equal(error.name, "SessionRefused");
    await world.pass(10);
    assert.equal(world.refreshes().length, 1);
    assert.deepEqual(tab.events, ["refreshed login"]);
  });

  test("is left to the browser where the session is bound to the device", async () => {
    const world = new World({});
    const tab = world.open();
    tab.logIn();
    world.network = ({ route }) => (route === "refresh-tokens" ? { status: 403 } : undefined);
    assert.equal((await world.settle(tab.session.refresh())).error, undefined);
    await world.pass(accessTTL);
    assert.equal(world.refreshes().length, 1);
    assert.deepEqual(tab.events, ["refreshed login", "refreshed refresh"]);
  });
});

describe("the end", () => {
  eachMode("comes with a 401 of the refresh route, in every tab", async (create) => {
    const world = create();
    const tabs = [world.open(), world.open(), world.open()];
    tabs[0].logIn();
    await world.pass(1);
    world.end("s1");
    assert.equal((await world.settle(tabs[1].me())).error.name, "SessionEnded");
    await world.pass(1);
    for (const tab of tabs) {
      assert.deepEqual(tab.events, ["refreshed login", "ended expired"]);
      assert.equal(tab.session.expires, null);
    }
    assert.equal(world.items.size, 0);
    assert.equal(world.refreshes().length, 1);
    await world.pass(10 * accessTTL);
    assert.equal(world.requests.length, 2);
  });

  eachMode("comes by log-out, in every tab and without a request of theirs", async (create) => {
    const world = create();
    const tabs = [world.open(), world.open(), world.open()];
    tabs[0].logIn();
    await world.pass(1);
    assert.equal((await world.settle(tabs[2].session.logOut())).error, undefined);
    await world.pass(1);
    for (const tab of tabs) assert.deepEqual(tab.events, ["refreshed login", "ended logout"]);
    assert.equal(world.sessions.get("s1").ended, true);
    assert.equal(world.items.size, 0);
    assert.deepEqual(world.requests.map(({ route }) => route), ["logout"]);
  });

  for (const channel of [true, false]) {
    eachMode(`is not undone by a refresh under way, ${channel ? "with" : "without"} a channel`, async (create) => {
      const world = create({ channel });
      const [tab, other] = [world.open(), world.open()];
      tab.logIn();
      await world.settle(other.me());
      world.network = ({ route }) => (route === "refresh-tokens" ? 5000 : undefined); // the answer comes after the log-out
      const refreshed = world.settle(tab.session.refresh());
      await world.pass(1);
      await world.settle(other.session.logOut());
      const { error } = await refreshed;
      if (channel) assert.equal(error.name, "SessionEnded");
      else await world.settle(tab.me()); // nothing has told this tab
      assert.match(tab.events.at(-1), /^ended/);
      assert.equal(world.items.size, 0);
      assert.equal(tab.session.expires, null);
    });
  }

  eachMode("comes by a log-out in the same tab too, with a refresh under way", async (create) => {
    const world = create();
    const tab = world.open();
    tab.logIn();
    world.network = ({ route }) => (route === "refresh-tokens" ? 5000 : undefined);
    const refreshed = world.settle(tab.session.refresh());
    await world.pass(1);
    await world.settle(tab.session.logOut());
    assert.equal((await refreshed).error.name, "SessionEnded");
    assert.deepEqual(tab.events, ["refreshed login", "ended logout"]);
    assert.equal(world.items.size, 0);
  });

  eachMode("is the end of trying again", async (create) => {
    const world = create();
    const [tab, other] = [world.open(), world.open()];
    tab.logIn();
    await world.pass(1);
    world.network = ({ route }) => (route === "refresh-tokens" ? { status: 500, delay: 5000 } : undefined);
    const refreshed = world.settle(tab.session.refresh());
    await world.pass(1);
    await world.settle(other.session.logOut());
    await refreshed;
    assert.deepEqual(tab.events, ["refreshed login", "ended logout"]);
  });

  test("of a log-out that the server does not hear of: the cookie is still there, so one is still signed in", async () => {
    const world = new World();
    const tab = world.open();
    tab.logIn();
    world.network = () => "lost";
    assert.equal((await world.settle(tab.session.logOut())).error.name, "SessionWaiting");
    assert.deepEqual(tab.events, ["refreshed login"]);
    assert.notEqual(tab.session.expires, null);
  });

  test("of a log-out that the server does not hear of: the stored token is gone, so one is signed out here", async () => {
    const world = new World({ body: true });
    const tab = world.open();
    tab.logIn();
    world.network = () => "lost";
    assert.equal((await world.settle(tab.session.logOut())).error.name, "SessionWaiting");
    assert.deepEqual(tab.events, ["refreshed login", "ended logout"]);
    assert.equal(world.items.size, 0);
  });
});

describe("a message that comes late", () => {
  eachMode("of the last session changes nothing", async (create) => {
    const world = create();
    const [tab, other] = [world.open(), world.open()];
    tab.logIn();
    await world.pass(1);
    await world.settle(other.session.refresh());
    await world.settle(other.session.logOut());
    await world.pass(1);
    const late = world.messages.filter(({ from }) => from === other);
    assert.ok(late.some(({ data }) => data.access) && late.some(({ data }) => data.ended));

    tab.events.length = 0;
    for (const { data } of late) if (data.access) tab.hear(data); // of before the log-out
    assert.deepEqual(tab.events, []);
    assert.equal(tab.session.expires, null);

    tab.logIn();
    for (const { data } of late) tab.hear(data); // of before the login
    assert.deepEqual(tab.events, ["refreshed login"]);
    assert.equal((await world.settle(tab.me())).value, 200);
  });

  eachMode("and is older than the tab's token changes nothing", async (create) => {
    const world = create();
    const [tab, other] = [world.open(), world.open()];
    tab.logIn();
    await world.pass(1);
    await world.settle(other.session.refresh());
    await world.pass(1);
    const late = world.messages.filter(({ data }) => data.access && !data.login);
    await world.settle(tab.session.refresh());
    const { expires } = tab.session;
    tab.events.length = 0;
    for (const { data } of late) tab.hear(data);
    assert.deepEqual(tab.events, []);
    assert.equal(tab.session.expires, expires);
  });

  eachMode("is told apart even where the clock has been turned back", async (create) => {
    const world = create();
    const tab = world.open();
    tab.logIn();
    await world.pass(1);
    tab.clockOff = -3_600_000;
    const other = world.open({ clockOff: -3_600_000 });
    assert.equal((await world.settle(other.me())).value, 200);
    await world.settle(other.session.logOut());
    await world.pass(1);
    assert.equal(tab.events.at(-1), "ended logout");
  });

  eachMode("a second end of another session is an end too, and a log-out is always told", async (create) => {
    const world = create();
    const tab = world.open();
    for (const id of ["s1", "s2"]) {
      tab.logIn();
      world.end(id);
      await world.settle(tab.session.refresh());
      await world.pass(1);
    }
    await world.settle(tab.session.logOut());
    assert.deepEqual(tab.events, ["refreshed login", "ended expired", "refreshed login", "ended expired", "ended logout"]);
  });
});

describe("a login meanwhile", () => {
  for (const channel of [true, false]) {
    eachMode(`in another tab outlives the 401 of the last session, ${channel ? "with" : "without"} a channel`, async (create, body) => {
      if (!channel && !body) return; // nothing tells the tab of a new cookie; its next request does
      const world = create({ channel });
      const [tab, other] = [world.open(), world.open()];
      tab.logIn();
      await world.pass(1);
      world.end("s1");
      world.network = ({ route, count }) => (route === "refresh-tokens" && count === 1 ? 5000 : undefined);
      const done = world.settle(tab.session.refresh());
      await world.pass(1);
      other.logIn();
      assert.equal((await done).error, undefined);
      assert.ok(!tab.events.includes("ended expired"), tab.events.join());
      assert.equal((await world.settle(tab.me())).value, 200);
      assert.equal(world.requests.at(-1).headers.get("Authorization").split(".")[1], "s2");
      if (body) assert.equal(tab.stored().token.split(".")[0], "s2");
    });

    eachMode(`is not replaced by a late answer of the session before, ${channel ? "with" : "without"} a channel`, async (create, body) => {
      if (!channel && !body) return;
      const world = create({ channel, locks: channel });
      const [tab, other] = [world.open(), world.open()];
      tab.logIn();
      await world.settle(tab.session.refresh());
      await world.pass(1);
      world.network = ({ tab: from }) => (from === tab ? 5000 : undefined);
      const done = world.settle(tab.session.refresh());
      await world.pass(1);
      other.logIn();
      if (!channel) await world.settle(other.session.refresh());
      await done;
      world.network = () => undefined;
      assert.equal((await world.settle(tab.me())).value, 200);
      assert.equal(world.requests.at(-1).headers.get("Authorization").split(".")[1], "s2");
      if (body) assert.equal(tab.stored().token.split(".")[0], "s2");
    });
  }

  eachMode("signs the other tabs in", async (create) => {
    const world = create();
    const [tab, other] = [world.open(), world.open()];
    await world.settle(other.me());
    assert.deepEqual(other.events, ["ended expired"]);
    await world.pass(1);
    tab.logIn();
    await world.pass(1);
    assert.equal(other.events.at(-1), "refreshed login");
    assert.equal((await world.settle(other.me())).value, 200);
  });
});

describe("many tabs that wake at once", () => {
  for (const locks of [true, false]) {
    for (const channel of [true, false]) {
      eachMode(`${locks ? "with" : "without"} locks and ${channel ? "with" : "without"} a channel`, async (create, body) => {
        const world = create({ locks, channel });
        const tabs = Array.from({ length: 10 }, () => world.open());
        tabs[0].logIn();
        await world.settle(Promise.all(tabs.map((tab) => tab.me())));
        for (const tab of tabs) tab.hide();
        for (let round = 0; round < 20; round++) {
          await world.pass(accessTTL);
          world.requests.length = world.rotated = 0;
          world.network = () => Math.random() * 3000;
          for (const tab of tabs) tab.hide(false);
          const { value } = await world.settle(Promise.all(tabs.map((tab) => tab.me())));
          assert.deepEqual(new Set(value), new Set([200]));
          assert.equal(world.rotated, 1);
          if (locks && channel) assert.equal(world.refreshes().length, 1);
          for (const tab of tabs) tab.hide();
        }
        assert.equal(world.reused, 0);
        assert.equal([...world.sessions.values()].filter(({ ended }) => !ended).length, 1);
        if (body) assert.equal(tabs[0].stored().token, `s1.${world.sessions.get("s1").generation}`);
      });
    }
  }

  eachMode("do not wait for a tab that is frozen with the lock", async (create) => {
    const world = create();
    const [tab, other] = [world.open({ hidden: true }), world.open({ hidden: true })];
    tab.logIn();
    await world.pass(accessTTL);
    world.lock(tab, { onTimeout() {} }, () => new Promise(() => {})); // never released
    const { value, seconds } = await world.settle(other.me());
    assert.equal(value, 200);
    within(seconds, 11, 12, "seconds");
  });
});

describe("the storage", () => {
  test("keeps the newer token when an older answer is late", async () => {
    const world = new World({ body: true, locks: false, channel: false });
    const [tab, other] = [world.open({ hidden: true }), world.open({ hidden: true })];
    tab.logIn();
    await world.settle(tab.session.refresh()); // the first refresh rotates
    await world.pass(2 * gracePeriod - 1);
    const late = world.settle(tab.session.refresh());
    world.network = ({ count }) => (count === 2 ? 8000 : undefined); // repeats the token, late
    await world.pass(2);
    await world.settle(other.session.refresh()); // rotates
    const token = tab.stored().token;
    assert.equal(token, "s1.3");
    await late;
    assert.equal(tab.stored().token, token);
    await world.pass(gracePeriod + 1);
    assert.equal((await world.settle(tab.session.refresh())).error, undefined);
    assert.equal(world.reused, 0);
  });

  test("keeps the newer token also where all end at the same instant", async () => {
    const world = new World({ body: true, locks: false, channel: false });
    const tab = world.open({ hidden: true });
    tab.logIn();
    const { expires, id } = tab.stored();
    const key = `${origin}/v1/auth`;
    world.network = () => 5000;
    const late = world.settle(tab.session.refresh());
    await world.pass(1);
    world.items.set(key, JSON.stringify({ token: "s1.3", expires: "2030-01-08T00:00:00.000Z", id })); // by another tab
    assert.equal(expires, "2030-01-08T00:00:00.000Z");
    await late;
    assert.equal(tab.stored().token, "s1.3");
  });

  for (const [kind, storage] of Object.entries({
    "throws": { getItem() { throw new Error("no"); }, setItem() { throw new Error("no"); }, removeItem() { throw new Error("no"); } },
    "is full": { getItem: () => null, setItem() { throw new Error("full"); }, removeItem() {} },
    "is none": {},
  })) {
    test(`that ${kind} leaves the session in this tab`, async () => {
      const world = new World({ body: true });
      const tab = world.open({ storage });
      assert.equal((await world.settle(tab.me())).error.name, "SessionEnded");
      tab.logIn();
      await world.pass(10 * accessTTL);
      assert.equal((await world.settle(tab.me())).value, 200);
      assert.equal(world.reused, 0);
      await world.settle(tab.session.logOut());
      assert.equal(tab.events.at(-1), "ended logout");
      assert.equal((await world.settle(tab.me())).error.name, "SessionEnded");
    });
  }

  test("that holds something else is written over", async () => {
    const world = new World({ body: true });
    world.items.set(`${origin}/v1/auth`, "{");
    const tab = world.open();
    assert.equal((await world.settle(tab.me())).error.name, "SessionEnded");
    tab.logIn();
    assert.equal(tab.stored().token, "s1.1");
  });

  test("is asked for where the server answers with a refresh token, and only there", () => {
    const cookie = new World().open();
    assert.throws(() => cookie.session.start(new World({ body: true }).logIn()), TypeError);
    const body = new World({ body: true }).open();
    assert.throws(() => body.session.start(new World().logIn()), TypeError);
  });
});
