// The page's listings for pages without a framework, React and Vue, in happy-dom, against the app.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";

import { GlobalRegistrator } from "@happy-dom/global-registrator";

import { expectJSON, logIn, password, post, register, sessionsOf, startApp } from "./app.js";
import { change, page, writeListings } from "./listings.js";

// compile has what a bundler does: it turns a component into a module, and returns how to show it in an element. The libraries
// look for a document when they are loaded.
const compile = {
  async React(directory) {
    const { transform } = await import("esbuild");
    const { code } = await transform(await readFile(`${directory}/App.jsx`, "utf8"), { loader: "jsx", jsx: "automatic" });
    await writeFile(`${directory}/App.js`, code);
    const [{ createElement }, { createRoot }, { App }] =
      await Promise.all([import("react"), import("react-dom/client"), import(`${directory}/App.js`)]);
    return (element) => {
      const root = createRoot(element);
      root.render(createElement(App));
      return () => root.unmount();
    };
  },
  async Vue(directory) {
    const { compileScript, parse } = await import("vue/compiler-sfc");
    const { descriptor } = parse(await readFile(`${directory}/App.vue`, "utf8"));
    await writeFile(`${directory}/App.js`, compileScript(descriptor, { id: "app", inlineTemplate: true }).content);
    const [{ createApp }, { default: App }] = await Promise.all([import("vue"), import(`${directory}/App.js`)]);
    return (element) => {
      const app = createApp(App);
      app.mount(element);
      return () => app.unmount();
    };
  },
};
// bodyMode puts in the line that the page shows for body mode, and the other prefix.
async function bodyMode() {
  const [line] = /^const session = .*localStorage.*$/m.exec(await readFile(page, "utf8"));
  return (text) => change(change(text, /^const session = .*$/m, line), /"\/web\//, '"/v1/');
}

async function until(isSo, otherwise = () => `${isSo} stays false`) {
  for (const end = Date.now() + 30_000; !isSo(); await new Promise((resolve) => setTimeout(resolve, 10))) {
    if (Date.now() > end) throw new Error(otherwise());
  }
}

const files = { React: "App.jsx", Vue: "App.vue" };

describe("pages", () => {
  let app;
  before(async () => {
    app = await startApp({ ACCESS_TTL: "3s" });
    GlobalRegistrator.register({ url: `${app.url}/` });
  });
  after(async () => {
    await GlobalRegistrator.unregister();
    await app?.stop();
  });

  // openTab shows the page with a session of its own. Tabs share cookies, as in a browser.
  async function openTab(name) {
    const directory = await writeListings(["refresh.js", "session.js", files[name]]);
    const show = await compile[name](directory);
    const { session } = await import(`${directory}/session.js`);
    const element = document.body.appendChild(document.createElement("div"));
    const close = show(element);
    return {
      session,
      element,
      until: (text) => until(() => element.textContent.includes(text), () => `${text} does not come: ${element.textContent}`),
      signIn(fields) {
        for (const [name, value] of Object.entries(fields)) element.querySelector(`[name=${name}]`).value = value;
        element.querySelector("form button").click();
      },
      close() {
        close();
        element.remove();
      },
    };
  }

  for (const [mode, prefix] of [["cookie", "/web"], ["body", "/v1"]]) {
    test(`without a framework, ${mode} mode`, async (t) => {
      document.body.innerHTML = `<p id="user"></p><button id="sign-out">Sign out</button>`;
      const gone = t.mock.method(location, "replace", () => {}).mock;
      const adapt = mode === "body" ? await bodyMode() : (text) => text;
      const directory = await writeListings(["refresh.js", "page.js"], (text, name) => (name === "page.js" ? adapt(text) : text));
      const { user } = await register(app);
      const answer = await post(`${prefix}/auth/login`, { email: user.email, password });
      const { tokens } = await expectJSON(answer, 200);
      const { Session } = await import(`${directory}/refresh.js`);
      const storage = mode === "body" ? localStorage : undefined;
      new Session({ url: `${prefix}/auth`, storage }).start(tokens); // as the sign-in page does
      await import(`${directory}/page.js`);
      assert.equal(document.querySelector("#user").textContent, user.name);
      document.querySelector("#sign-out").click();
      await until(() => gone.callCount() > 0);
      assert.deepEqual(gone.calls[0].arguments, ["/sign-in.html"]);
      assert.equal(localStorage.length, 0);
      assert.equal((await post(`${prefix}/auth/refresh-tokens`, { refreshToken: tokens.refresh.token })).status, 401);
    });
  }

  for (const name of Object.keys(files)) {
    test(name, async (t) => {
      const { user } = await register(app);
      const tab = await openTab(name);
      await t.test("a stranger gets the form", () => tab.until("Sign in"));
      await t.test("a wrong password is told", async () => {
        tab.signIn({ email: user.email, password: "wrong horse 1" });
        await tab.until("Incorrect email or password");
      });
      await t.test("signs in", async () => {
        tab.signIn({ email: user.email, password });
        await tab.until(`Hello ${user.name}`);
      });
      await t.test("gets a new access token before the old one ends", async () => {
        const { expires } = tab.session;
        await new Promise((resolve) => tab.session.addEventListener("refreshed", resolve, { once: true }));
        assert.ok(expires > new Date(), "the old one has not ended");
        assert.ok(tab.session.expires > expires);
      });
      await t.test("a page that is opened again is signed in", async () => {
        const again = await openTab(name);
        await again.until(`Hello ${user.name}`);
        const answer = await again.session.fetch("/web/auth/refresh-tokens");
        const { sessions } = await expectJSON(answer, 200);
        assert.equal(sessions.length, 2, "that of the registration, and one for both pages");
        await again.session.logOut();
        await again.until("Sign in");
        again.close();
      });
      await t.test("is signed out by the other page", () => tab.until("Sign in"));
      tab.close();
      const { tokens } = await logIn(app, user);
      assert.equal((await sessionsOf(app, tokens.access.token)).length, 2, "that of the registration, and this one");
    });
  }
});
