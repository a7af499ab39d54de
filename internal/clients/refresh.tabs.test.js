// refresh.js in many tabs, and what they share.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { eachMode, within } from "./modes.js";
import { origin } from "./tab.js";
import { World, accessTTL, gracePeriod } from "./world.js";

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
