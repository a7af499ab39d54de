// Debian's Chromium, driven by puppeteer-core.

import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import puppeteer from "puppeteer-core";

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

// startChromium starts a browser with an empty profile. CHROMIUM may name its program. Its `stop` removes the profile too.
export async function startChromium() {
  const userDataDir = await mkdtemp(join(tmpdir(), "refreshtokens-chromium-"));
  const browser = await puppeteer.launch({
    executablePath: await find(),
    userDataDir,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync",
    ],
  });
  return {
    browser,
    async stop() {
      await browser.close();
      await rm(userDataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function find() {
  for (const place of process.env.CHROMIUM ? [process.env.CHROMIUM] : places) {
    if (await access(place).then(() => true, () => false)) return place;
  }
  throw new Error("Chromium is missing: set CHROMIUM to its path, or on Debian: apt-get install chromium");
}
