// The listings of docs/clients.md as files, so that the tests run what people read. A fenced listing whose first line is a
// comment with a file name, `// name.js` or `<!-- name.vue -->`, is one.

import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

export const page = new URL("../../docs/clients.md", import.meta.url);
const refreshModule = new URL("../../example_app/web/refresh.js", import.meta.url);

// listings returns the page's listings: a Map from file name to text.
export async function listings() {
  const found = new Map();
  for (const [, text] of (await readFile(page, "utf8")).matchAll(/^```\w+\n(.*?)^```$/gms)) {
    const name = /^(?:\/\/|<!--) (\S+\.\w+)(?: -->)?\n/.exec(text)?.[1];
    if (!name) continue;
    if (found.has(name)) throw new Error(`docs/clients.md has two listings called ${name}`);
    found.set(name, text);
  }
  return found;
}

// writeListings writes some of the listings into a new directory, and returns it. `adapt`, where given, may change a text. The
// directory is below this one, so that imports find node_modules. "refresh.js" is the module of example_app/web.
export async function writeListings(names, adapt = (text) => text) {
  const all = await listings();
  const module = await readFile(refreshModule, "utf8");
  await mkdir(new URL(".listings", import.meta.url), { recursive: true });
  const directory = await mkdtemp(new URL(".listings/", import.meta.url).pathname);
  for (const name of names) {
    const text = basename(name) === "refresh.js" ? module : all.get(name);
    if (text === undefined) throw new Error(`docs/clients.md has no listing called ${name}`);
    const path = join(directory, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, adapt(text, name));
  }
  return directory;
}

// change replaces what must be in a text.
export function change(text, pattern, replacement) {
  if (!pattern.test(text)) throw new Error(`the listing has nothing like ${pattern}`);
  return text.replace(pattern, replacement);
}
