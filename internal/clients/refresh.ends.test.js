// refresh.js where a session ends or another begins, and what comes late.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { eachMode, within } from "./modes.js";
import { World, accessTTL } from "./world.js";

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

  eachMode("comes by a log-out whose request is lost at first, or whose session has ended before", async (create) => {
    const world = create();
    const tab = world.open({ hidden: true });
    tab.logIn();
    world.network = ({ count }) => (count < 3 ? "lost" : undefined);
    const { error, seconds } = await world.settle(tab.session.logOut());
    assert.equal(error, undefined);
    within(seconds, 3, 4, "seconds");
    assert.equal(world.sessions.get("s1").ended, true);

    tab.logIn();
    world.end("s2");
    assert.equal((await world.settle(tab.session.logOut())).error, undefined);
    assert.deepEqual(tab.events, ["refreshed login", "ended logout", "refreshed login", "ended logout"]);
  });

  test("by log-out leaves a login that another tab made meanwhile", async () => {
    const world = new World({ body: true, channel: false });
    const [tab, other] = [world.open(), world.open()];
    tab.logIn();
    world.network = ({ route }) => (route === "logout" ? 5000 : undefined);
    const done = world.settle(tab.session.logOut());
    await world.pass(1);
    other.logIn();
    await done;
    assert.equal(other.stored().token, "s2.1");
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

  eachMode("a second end of another session is an end too, and a log-out is always told", async (create, body) => {
    const world = create();
    const tab = world.open();
    for (const id of ["s1", "s2"]) {
      tab.logIn();
      world.end(id);
      await world.settle(tab.session.refresh());
      await world.pass(1);
    }
    assert.equal((await world.settle(tab.session.logOut())).error, undefined);
    assert.deepEqual(tab.events, ["refreshed login", "ended expired", "refreshed login", "ended expired", "ended logout"]);
    assert.equal(world.requests.filter(({ route }) => route === "logout").length, body ? 0 : 1);
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
