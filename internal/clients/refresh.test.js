// refresh.js: requests with an access token, and its refresh in time. The tabs are those of world.js.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { eachMode, within } from "./modes.js";
import { origin } from "./tab.js";
import { World, accessTTL } from "./world.js";

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

  eachMode("does not refresh for a 401 to a token that has been replaced meanwhile", async (create) => {
    const world = create();
    const tab = world.open({ hidden: true });
    tab.logIn();
    await world.pass(accessTTL - 11);
    world.network = ({ route, count }) => (route === undefined && count === 1 ? { status: 401, delay: 5000 } : undefined);
    const slow = world.settle(tab.me());
    await world.pass(2);
    assert.equal((await world.settle(tab.me())).value, 200);
    assert.equal((await slow).value, 200);
    assert.equal(world.refreshes().length, 1);
  });

  eachMode("rejects where the session ends meanwhile", async (create) => {
    const world = create();
    const [tab, other] = [world.open(), world.open()];
    tab.logIn();
    await world.pass(1);
    world.network = ({ tab: from }) => (from === tab ? { status: 401, delay: 5000 } : undefined);
    const slow = world.settle(tab.me());
    await world.settle(other.session.logOut());
    assert.equal((await slow).error.name, "SessionEnded");
    assert.equal(world.refreshes().length, 0);
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
