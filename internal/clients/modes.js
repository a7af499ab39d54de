// What the tests of refresh.js share.

import assert from "node:assert/strict";
import { test } from "node:test";

import { World } from "./world.js";

// eachMode runs a test in cookie mode and in body mode. It gets a function that makes a world, and whether tokens are in bodies.
export function eachMode(name, run) {
  for (const body of [false, true]) test(`${name}, ${body ? "body" : "cookie"} mode`, () => run((settings) => new World({ body, ...settings }), body));
}

export const within = (value, low, high, what) =>
  assert.ok(value >= low && value <= high, `${what} is ${value}, want ${low} to ${high}`);

// thirdPause lets time pass until a refresh has failed for the third time. The pause after that takes 3 s or more.
export async function thirdPause(world) {
  while (world.refreshes().length < 3) await world.pass(0.1);
  await world.pass(0.5);
}
