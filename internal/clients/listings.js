// The listings of docs/clients.md as files, so that the tests run what people read. A fenced listing whose first line is a
// comment with a file name, `// name.js`, is one.

import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

const page = new URL("../../docs/clients.md", import.meta.url);

// listings returns the page's listings: a Map from file name to text.
export async function listings() {
  const found = new Map();
  for (const [, text] of (await readFile(page, "utf8")).matchAll(/^```\w+\n(.*?)^```$/gms)) {
    const name = /^\/\/ (\S+\.\w+)\n/.exec(text)?.[1];
    if (!name) continue;
    if (found.has(name)) throw new Error(`docs/clients.md has two listings called ${name}`);
    found.set(name, text);
  }
  return found;
}

// writeListings writes some of the listings into a new directory, and returns it. `adapt`, where given, may change a text. The
// directory is below this one, so that imports find node_modules.
export async function writeListings(names, adapt = (text) => text) {
  const all = await listings();
  await mkdir(new URL(".listings", import.meta.url), { recursive: true });
  const directory = await mkdtemp(new URL(".listings/", import.meta.url).pathname);
  for (const name of names) {
    if (!all.has(name)) throw new Error(`docs/clients.md has no listing called ${name}`);
    const path = join(directory, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, adapt(all.get(name), name));
  }
  return directory;
}

// change replaces what must be in a text.
export function change(text, pattern, replacement) {
  if (!pattern.test(text)) throw new Error(`the listing has nothing like ${pattern}`);
  return text.replace(pattern, replacement);
}
