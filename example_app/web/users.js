// The list of users, for administrators.

import { call, remember, session } from "./api.js";
import { currentDevice } from "./devices.js";
import { $, make, on, say, tell } from "./page.js";

let loads = 0;

/** Shows the list to an administrator, and to nobody else. */
export async function loadUsers(me) {
  const load = ++loads;
  $("admin").hidden = me.role !== "admin";
  $("users").replaceChildren();
  if (me.role === "admin") await append(me, "", load);
}

async function append(me, query, load) {
  const { body } = await call("GET", `/users${query}`);
  if (load !== loads) return;
  $("users").append(...body.users.map((user) => row(user, me)));
  const last = body.users.at(-1);
  $("more-users").hidden = body.users.length < 200;
  $("more-users").onclick = () => append(me, `?after=${encodeURIComponent(last.email)}`, load).catch(tell);
}

function row(user, me) {
  const item = make("user-template");
  item.dataset.userId = user.id;
  item.querySelector(".name").textContent = user.name;
  item.querySelector(".email").textContent = user.email;
  const isMe = user.id === me.id;
  if (isMe || user.role !== "user") mark(item, isMe ? "You" : user.role, "plain");
  const [impersonateButton, banButton] = [item.querySelector(".impersonate"), item.querySelector(".ban")];
  impersonateButton.setAttribute("aria-label", `Act for ${user.name}`);
  banButton.setAttribute("aria-label", `Ban ${user.name}`);
  on(impersonateButton, "click", () => impersonate(user));
  on(banButton, "click", () => ban(user, item));
  if (isMe || user.role === "admin") impersonateButton.remove();
  if (isMe) banButton.remove();
  return item;
}

function mark(item, text, kind) {
  const badge = item.querySelector(".badge");
  badge.className = `badge ${kind}`;
  badge.textContent = text;
  badge.hidden = false;
}

async function ban(user, item) {
  await call("POST", `/users/${user.id}/ban`);
  mark(item, "Banned", "bad");
  for (const button of item.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
  say(`${user.name} is banned, and signed out everywhere.`);
}

// impersonate leaves the administrator's own session, and begins one of the user's.
async function impersonate(user) {
  const { body } = await call("POST", `/users/${user.id}/impersonate`);
  // Nobody would come back to the session that this page leaves, so it ends. That may fail: then it ends by its age.
  await call("DELETE", `/auth/refresh-tokens/${currentDevice()}`).catch(() => {});
  remember("impersonation", { id: user.id, name: user.name });
  session.start(body.tokens);
}
