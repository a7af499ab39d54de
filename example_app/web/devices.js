// The list of the user's sessions.

import { call, session } from "./api.js";
import { ago, day, deviceOf } from "./format.js";
import { $, make, on, say } from "./page.js";

const list = $("devices");
const items = new Map(); // id of a session to its li
let loads = 0;
let loaded = 0; // when, in ms

/** How old the list is, in ms. */
export const devicesAge = () => Date.now() - loaded;

/** The id of this session, once the list has been loaded. */
export const currentDevice = () => list.querySelector("[data-current]")?.dataset.sessionId;

/** Loads the list anew. */
export async function loadDevices() {
  const load = ++loads;
  list.setAttribute("aria-busy", "true");
  try {
    const { body, now } = await call("GET", "/auth/refresh-tokens");
    if (load === loads) render(body.sessions, now); // if not, there is a newer one
  } finally {
    if (load === loads) list.removeAttribute("aria-busy");
  }
}

function render(listed, now) {
  loaded = Date.now();
  const sessions = [...listed].sort((a, b) => b.current - a.current);
  const ids = new Set(sessions.map(({ id }) => id));
  for (const [id, item] of items) {
    if (!ids.has(id)) remove(id, item);
  }
  for (const [place, entry] of sessions.entries()) {
    const item = items.get(entry.id) ?? create(entry);
    fill(item, entry, now);
    if (list.children[place] !== item) list.insertBefore(item, list.children[place] ?? null);
  }
  $("log-out-others").hidden = sessions.length < 2;
}

/** Empties the list, when somebody else signs in. */
export function clearDevices() {
  loads++;
  for (const [id, item] of items) remove(id, item);
}

function remove(id, item) {
  if (item.contains(document.activeElement)) $("devices-title").focus();
  item.remove();
  items.delete(id);
}

function create({ id, current }) {
  const item = make("device-template");
  item.dataset.sessionId = id;
  if (current) item.dataset.current = "true";
  item.querySelector(".badge").hidden = !current;
  on(item.querySelector(".end-session"), "click", () => endSession(id, item));
  items.set(id, item);
  return item;
}

function fill(item, { name, userAgent, ip, createdAt, lastUsedAt, bound, current }, now) {
  const device = deviceOf(userAgent);
  const title = name || device.name;
  item.querySelector("use").setAttribute("href", `#icon-${device.icon}`);
  item.querySelector(".name").textContent = title;
  const details = [
    name && device.name,
    `Last used ${ago(lastUsedAt, now)}`,
    ip,
    `Signed in ${day(createdAt)}`,
    bound && "Bound to its key",
  ].filter(Boolean);
  item.querySelector(".detail").replaceChildren(...details.flatMap((detail, i) => {
    const part = document.createElement("span"); // a line breaks between two parts
    part.textContent = i < details.length - 1 ? `${detail} ·` : detail;
    return [part, " "];
  }));
  item.querySelector(".end-session").setAttribute("aria-label", `Log out ${current ? "this device" : title}`);
}

async function endSession(id, item) {
  if (item.dataset.current) return session.logOut();
  try {
    await call("DELETE", `/auth/refresh-tokens/${id}`);
  } catch (error) {
    if (error.status !== 404) throw error; // it has ended by itself
  }
  await loadDevices();
  say(`${item.querySelector(".name").textContent} is logged out.`);
}

on($("log-out-others"), "click", async () => {
  await call("DELETE", "/auth/refresh-tokens?except=current");
  await loadDevices();
  $("devices-title").focus();
  say("All other devices are logged out.");
});
