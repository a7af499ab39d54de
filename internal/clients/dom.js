// A page of the app's origin in happy-dom, for the tests of React and Vue.

import { GlobalRegistrator } from "@happy-dom/global-registrator";

// openPage gives this process the globals of a browser. It returns how to read the page, use it, and close it.
export function openPage(url) {
  GlobalRegistrator.register({ url });
  const root = document.body.appendChild(document.createElement("div"));
  return {
    root,
    text: () => root.textContent,
    // until waits for a text on the page.
    async until(wanted) {
      const end = Date.now() + 10_000;
      while (!root.textContent.includes(wanted)) {
        if (Date.now() > end) throw new Error(`the page shows ${JSON.stringify(root.textContent)} and not ${wanted}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    close: () => GlobalRegistrator.unregister(),
  };
}
