// What the page makes of instants, spans of time and user agents, for people to read.

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const date = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric" });
const units = [["day", 86_400], ["hour", 3600], ["minute", 60]];

/** "5 minutes ago", of an instant (ISO) seen at another (ms since 1970); the date where it is longer ago than 30 days. */
export function ago(instant, now) {
  const seconds = Math.max(0, (now - Date.parse(instant)) / 1000);
  if (seconds > 30 * 86_400) return `on ${day(instant)}`;
  for (const [unit, size] of units) {
    if (seconds >= size) return relative.format(-Math.floor(seconds / size), unit);
  }
  return "just now";
}

/** "Mar 3, 2030" */
export function day(instant) {
  return date.format(Date.parse(instant));
}

/** "14 min 59 s", of a span in ms. */
export function span(ms) {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

// The first that matches counts: Edge and Opera say Chrome too, and Chrome says Safari.
const programs = [
  [/\bEdgA?(?:iOS)?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\bFirefox\/|\bFxiOS\//, "Firefox"],
  [/\b(?:Headless)?(?:Chrome|Chromium)\/|\bCriOS\//, "Chrome"],
  [/\bVersion\/[\d.]+.*\bSafari\//, "Safari"],
  [/^curl\//, "curl"],
  [/^okhttp\//, "Android app"],
  [/\bCFNetwork\//, "Apple app"],
  [/^(?:node|undici|axios)\b/, "Node.js"],
  [/^Go-http-client\//, "Go program"],
  [/^python-/i, "Python program"],
];

const systems = [
  [/\biPhone\b|\biPod\b/, "iPhone", "phone"],
  [/\biPad\b/, "iPad", "tablet"],
  [/\bAndroid\b(?=.*\bMobile\b)/, "Android", "phone"],
  [/\bAndroid\b/, "Android tablet", "tablet"],
  [/\bWindows\b/, "Windows", "laptop"],
  [/\bCrOS\b/, "ChromeOS", "laptop"],
  [/\bMac OS X\b|\bMacintosh\b/, "Mac", "laptop"],
  [/\bLinux\b/, "Linux", "laptop"],
];

/** {name, icon} of a user agent: "Firefox on Windows" and "laptop", or "phone", "tablet", "terminal". */
export function deviceOf(userAgent) {
  const [, program] = programs.find(([pattern]) => pattern.test(userAgent)) ?? [];
  const [, system, icon = "terminal"] = systems.find(([pattern]) => pattern.test(userAgent)) ?? [];
  const name = program && system ? `${program} on ${system}` : (program ?? system);
  return { name: name ?? (userAgent.slice(0, 60) || "Unknown device"), icon };
}

/** "AL" of "Ada Lovelace". */
export function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  return [words[0], words.length > 1 && words.at(-1)].map((word) => (word ? [...word][0] : "")).join("").toUpperCase();
}
