// The page: which view is shown when, and what its forms and buttons do.

import { call, explain, logIn, mode, remember, remembered, session } from "./api.js";
import { clearDevices, devicesAge, loadDevices } from "./devices.js";
import { initials, span } from "./format.js";
import { $, on, say, show, tell, view } from "./page.js";
import { loadUsers } from "./users.js";

const root = document.documentElement;

let visits = 0; // how often somebody has come or gone: what was loaded for an earlier visit is dropped
let isEntering = false;
let shown; // id of the user on the page
let farewell; // what to say when the session ends, where that is not the usual
let isWaiting = false; // for the server to answer a refresh
let life = 1; // of the access token when it came, in ms

// Somebody has signed in, here or in another tab, or is signed in as the page loads.
async function enter() {
  const visit = ++visits;
  isEntering = true;
  try {
    const { body: me } = await call("GET", "/users/me");
    if (visit !== visits) return;
    if (me.id !== shown) clearDevices();
    fill(me);
    if (view() !== "home") show("home");
    await Promise.all([loadDevices(), loadUsers(me)]);
  } catch (error) {
    if (visit !== visits || error.name === "SessionEnded") return;
    if (view() === "loading" && error.name === "SessionRefused") show("sign-in"); // another login may help
    if (view() === "loading") failLoading(explain(error));
    else tell(error);
  } finally {
    if (visit === visits) isEntering = false;
  }
}

function failLoading(why) {
  $("loading-reason").textContent = why;
  $("loading-wait").hidden = Boolean(why);
  $("loading-failed").hidden = !why;
}

function fill(me) {
  shown = me.id;
  remember("signed in", true);
  $("user-name").textContent = me.name;
  $("user-email").textContent = me.email;
  $("avatar").textContent = initials(me.name);
  $("change-password-email").value = $("step-up-email").value = me.email;
  const impersonation = remembered("impersonation");
  const isImpersonated = impersonation?.id === me.id;
  if (impersonation && !isImpersonated) remember("impersonation", null);
  $("impersonation").hidden = !isImpersonated;
  $("impersonated").textContent = me.name;
  $("own").hidden = isImpersonated; // an administrator may not do these for a user
}

session.addEventListener("refreshed", ({ detail }) => {
  life = session.expires - Date.now();
  isWaiting = false;
  showConnection();
  showLife();
  if (detail === "login") enter();
  else if (isEntering) return; // this is the refresh that it waits for
  else if (view() !== "home") enter();
  else loadDevices().catch(tell); // this also finds out whether the session still lives
});

session.addEventListener("ended", ({ detail }) => {
  visits++;
  isEntering = false;
  const wasSignedIn = view() === "home" || remembered("signed in");
  const who = remembered("impersonation")?.name;
  remember("signed in", null);
  remember("impersonation", null);
  isWaiting = false;
  showConnection();
  $("step-up").close();
  if (view() === "sign-up" && !wasSignedIn) return;
  show("sign-in");
  clearDevices();
  shown = undefined;
  if (farewell) say(farewell);
  else if (detail === "logout") say(who ? `You are signed out, and no longer act for ${who}.` : "You are signed out.");
  else if (wasSignedIn) say("Your session has ended. Please sign in again.", "notice warning");
});

session.addEventListener("waiting", () => {
  isWaiting = true;
  showConnection();
});

function showConnection() {
  const isOnline = navigator.onLine && !isWaiting;
  root.dataset.online = isOnline;
  const text = navigator.onLine ? "The server can’t be reached. Trying again…" : "You are offline. The page goes on once you are back.";
  if (isOnline) $("connection").textContent = "";
  else if ($("connection").textContent !== text) $("connection").textContent = text;
}

for (const type of ["online", "offline"]) addEventListener(type, showConnection);

// Meanwhile the session may have ended, or another device may have come.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && view() === "home" && devicesAge() > 60_000) loadDevices().catch(tell);
});

function showLife() {
  const { expires } = session;
  if (!expires) return;
  const left = expires - Date.now();
  $("access-life").dataset.expires = expires.toISOString();
  if (left > 1e12) $("access-life").textContent = "Renewed by your browser"; // the session is bound to the device
  else $("access-life").textContent = left > 0 ? `${span(left)} left` : "Ended";
  $("access-progress").value = Math.max(0, left / life);
}

setInterval(showLife, 1000);

// Sign in and sign up

const fields = (form) => Object.fromEntries(new FormData(form));

on($("sign-in"), "submit", async () => {
  const { email, password } = fields($("sign-in"));
  await logIn("/auth/login", { email, password, remember: $("sign-in-remember").checked });
}, (error) => {
  tell(error);
  $("sign-in-password").select();
});
on($("sign-up"), "submit", () => logIn("/auth/register", fields($("sign-up"))));

for (const name of ["sign-up", "sign-in"]) {
  $(`to-${name}`).addEventListener("click", () => {
    say("");
    show(name);
  });
}

// Home

on($("try-again"), "click", async () => {
  failLoading("");
  await enter();
});
on($("refresh-now"), "click", () => session.refresh());
on($("log-out"), "click", () => session.logOut());
on($("stop-impersonating"), "click", () => session.logOut());

on($("change-password"), "submit", async () => {
  await call("PATCH", "/users/me", fields($("change-password")));
  $("change-password").reset();
  say("Your password is changed, and all other devices are logged out.");
  await loadDevices();
});

// Delete the account: the server wants the password to have been checked within the last five minutes.

$("delete-account").addEventListener("click", () => {
  $("step-up-form").reset();
  $("step-up-error").textContent = "";
  $("step-up").showModal();
  $("step-up-password").focus();
});
$("step-up-cancel").addEventListener("click", () => $("step-up").close());

on($("step-up-form"), "submit", async () => {
  $("step-up-error").textContent = "";
  const { body } = await call("POST", "/auth/reauthenticate", { password: $("step-up-password").value });
  session.start(body);
  await call("DELETE", "/users/me");
  farewell = "Your account is deleted.";
  try {
    await session.logOut(); // the server has ended the session; this tells the other tabs, and clears the cookies
  } finally {
    farewell = undefined;
  }
}, (error) => {
  const isWrong = error.status === 401 && !error.needsPassword;
  $("step-up-error").textContent = isWrong ? "Incorrect password." : explain(error);
  $("step-up-password").select();
});

// Begin

root.dataset.mode = mode;
const isCookie = mode === "cookie";
$("mode-note").textContent = isCookie
  ? "The refresh token is in an HttpOnly cookie, which no script can read."
  : "The refresh token travels in JSON bodies and is kept in localStorage.";
$("other-mode").textContent = isCookie ? "Keep it in localStorage instead" : "Keep it in a cookie instead";
$("other-mode").href = isCookie ? "/?mode=body" : "/";
document.querySelector(".brand").href = isCookie ? "/" : "/?mode=body";
showConnection();
enter();
