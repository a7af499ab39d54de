// What is on the screen: views, messages, buttons.

import { explain } from "./api.js";

export const $ = (id) => document.getElementById(id);

const root = document.documentElement;
const titles = { loading: "Account", "sign-in": "Sign in · Account", "sign-up": "Create an account · Account", home: "Your account" };

export const view = () => root.dataset.view;

/** Shows a view, and says so to a screen reader: the heading gets the focus, except when the page has just been loaded. */
export function show(name) {
  const before = view();
  root.dataset.view = name;
  document.title = titles[name];
  for (const section of document.querySelectorAll(".view")) section.hidden = section.dataset.name !== name;
  $("log-out").hidden = name !== "home";
  for (const password of document.querySelectorAll('input[name="password"]')) conceal(password);
  if (before === name || before === "loading") return;
  scrollTo(0, 0);
  document.querySelector(`.view[data-name="${name}"] h1`).focus({ preventScroll: true });
}

// conceal empties a password field, so that nobody finds a password on a page that is left open.
function conceal(password) {
  password.value = "";
  reveal(password, false);
}

function reveal(password, isShown) {
  password.type = isShown ? "text" : "password";
  const button = document.querySelector(`[aria-controls="${password.id}"]`);
  if (!button) return;
  button.textContent = isShown ? "Hide" : "Show";
  button.setAttribute("aria-label", `${button.textContent} password`);
}

for (const button of document.querySelectorAll(".reveal")) {
  const password = $(button.getAttribute("aria-controls"));
  button.addEventListener("click", () => reveal(password, password.type === "password"));
}

/** Tells the user something: kind is "notice" or "error". An empty text takes it away. */
export function say(text, kind = "notice") {
  $("message").className = `banner ${kind}`;
  $("message").textContent = text;
}

/** Tells the user of an error, unless that is the end of the session, which has a message of its own. */
export function tell(error) {
  const text = explain(error);
  if (text) say(text, "error");
}

/** Has a click or a submit run work, not twice at once, and tells the user of its errors with fail. */
export function on(element, type, work, fail = tell) {
  const button = type === "submit" ? element.querySelector("[type=submit]") : element;
  element.addEventListener(type, async (event) => {
    event.preventDefault();
    if (button.matches("[aria-busy], [aria-disabled]")) return;
    button.setAttribute("aria-busy", "true");
    say("");
    try {
      await work(event);
    } catch (error) {
      fail(error);
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}

/** Makes an element of a template. */
export function make(template) {
  return $(template).content.firstElementChild.cloneNode(true);
}
