// refresh.js where a refresh gets no good answer.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { eachMode, thirdPause, within } from "./modes.js";
import { World, accessTTL, gracePeriod } from "./world.js";

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

  test("is tried once more where the browser is asked for a key, and then not", async () => {
    for (const [binds, error] of [[true, undefined], [false, "SessionRefused"]]) {
      const world = new World({});
      const tab = world.open();
      tab.logIn();
      let asked = 0;
      world.network = ({ route }) => {
        if (route !== "refresh-tokens") return undefined;
        return { status: 403, headers: asked++ && binds ? {} : { "Secure-Session-Registration": "(ES256)" } };
      };
      assert.equal((await world.settle(tab.session.refresh())).error?.name, error);
      assert.equal(world.refreshes().length, 2);
      assert.equal((await world.settle(tab.session.refresh())).error?.name, error);
      assert.equal(world.refreshes().length, 3);
    }
  });
});
