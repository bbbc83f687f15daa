// A served copy of the built site, Chromium to open it in, and what tests do with the page.

import { existsSync, readFileSync } from "node:fs";
import { chromium } from "playwright-core";
import { PNG } from "pngjs";
import { preview } from "vite";

const PROGRAMS = ["chromium", "chromium-browser", "google-chrome"];
const FOLDERS = ["/usr/bin", "/usr/local/bin", "/snap/bin"];
const MINUTES = 3; // A busy machine is slow.
const EXPECTED = new URL("../../build/web-tests/", import.meta.url);

/** Path of a file that make_expected.py wrote. */
export const expectedPath = (name) => new URL(name, EXPECTED).pathname;
export const expected = () => JSON.parse(readFileSync(expectedPath("expected.json"), "utf8"));
export const readPng = (path) => PNG.sync.read(readFileSync(path));

function findChromium() {
  const found = FOLDERS.flatMap((folder) => PROGRAMS.map((name) => `${folder}/${name}`)).find(existsSync);
  const path = process.env.CHROMIUM ?? found;
  if (!path) throw new Error("Chromium is not installed; on Debian and Ubuntu: apt install chromium");
  return path;
}

/** Starts both; `close` ends them. */
export async function start({ headers } = {}) {
  const server = await preview({ preview: { port: 0, host: "127.0.0.1", headers } });
  const browser = await chromium.launch({
    executablePath: findChromium(),
    args: ["--no-sandbox"], // Continuous integration runs as root.
  });
  const url = server.resolvedUrls.local[0];
  return {
    url,
    async open(options = {}) {
      const context = await browser.newContext(options);
      const page = await context.newPage();
      page.setDefaultTimeout(MINUTES * 60_000);
      page.problems = [];
      page.requested = [];
      page.on("pageerror", (error) => page.problems.push(String(error)));
      page.on("console", (message) => message.type() === "error" && page.problems.push(message.text()));
      page.on("request", (request) => page.requested.push(request.url()));
      await page.goto(url);
      return page;
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

/** Chooses files of make_expected.py, or such as Playwright takes. */
export async function choose(page, ...files) {
  const read = (name) => ({
    name,
    mimeType: name.endsWith(".jpg") ? "image/jpeg" : "image/png",
    buffer: readFileSync(expectedPath(name)),
  });
  const contents = files.map((file) => (typeof file === "string" ? read(file) : file));
  await page.setInputFiles("#choose", contents);
}

/** Waits until a file in the list has a state; the last file by default. */
export async function waitFor(page, state, index = -1) {
  await page.waitForFunction(
    ([at, text]) => [...document.querySelectorAll("#files .state")].at(at)?.textContent === text,
    [index, state],
  );
}

/** Sets a range or a radio button as a user does. */
export async function set(page, selector, value) {
  await page.locator(selector).evaluate((input, given) => {
    if (given === undefined) input.checked = true;
    else input.value = given;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }, value);
}

/** Clicks a button and returns the path of what it downloads. */
export async function download(page, button = "#download", format = "image/png") {
  await page.check(`[name=format][value="${format}"]`);
  const [file] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
  return file.path();
}

export async function downloadedJson(page) {
  return JSON.parse(readFileSync(await download(page, "#download-settings"), "utf8"));
}

/** Differences of two PNG files' colors, of 255. */
export function differences(found, wanted) {
  if (found.width !== wanted.width || found.height !== wanted.height) {
    throw new Error(`${found.width}x${found.height} is not ${wanted.width}x${wanted.height}`);
  }
  return Float64Array.from({ length: found.width * found.height * 3 }, (_, index) => {
    const at = 4 * Math.floor(index / 3) + (index % 3);
    return Math.abs(found.data[at] - wanted.data[at]);
  });
}

export function psnr(found, wanted) {
  const changes = differences(found, wanted);
  const squares = changes.reduce((sum, change) => sum + change ** 2, 0) / changes.length;
  return 10 * Math.log10(255 ** 2 / squares);
}
