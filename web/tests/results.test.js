// Results equal those of the Python package.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { PNG } from "pngjs";
import {
  choose,
  differences,
  download,
  downloadedJson,
  expected,
  expectedPath,
  psnr,
  readPng,
  set,
  start,
  waitFor,
} from "./browser.js";

let site;
let page; // One for all, since it takes seconds to compile the runtime.
before(async () => {
  site = await start();
  page = await site.open();
});
after(() => site.close());
afterEach(() => assert.deepEqual(page.problems, []));

/** Asserts that 99.9 % of the pixels are within one step of 255, and the rest near. */
function assertEqual(found, wanted) {
  const changes = differences(found.data ? found : readPng(found), readPng(expectedPath(wanted)));
  const far = changes.filter((change) => change > 1).length / changes.length;
  assert.ok(far <= 0.001, `${wanted}: ${(100 * far).toFixed(3)} % differ by more than 1`);
}

function assertNear(found, wanted, tolerance) {
  assert.ok(Math.abs(found - wanted) <= tolerance, `${found} is not ${wanted}`);
}

test("a photograph of several tiles", async (t) => {
  await choose(page, "camera.png");
  await waitFor(page, "done");
  const result = await download(page);

  await t.test("equals Python's, and its PSNR", () => {
    assertEqual(result, "camera_denoised.png");
    const clean = readPng(expectedPath("camera_clean.png"));
    const [found, wanted, noisy] = [result, "camera_denoised.png", "camera.png"].map((path) =>
      psnr(readPng(path === result ? path : expectedPath(path)), clean),
    );
    assertNear(found, wanted, 0.02);
    assert.ok(found > noisy + 1, `${found} dB from ${noisy}`);
  });

  await t.test("has no seams", () => {
    // From the result in one piece it differs no more where tiles meet than elsewhere.
    const whole = readPng(expectedPath("camera_whole.png"));
    const changes = differences(readPng(result), whole);
    const mean = (chosen) => {
      const values = changes.filter((_, index) => chosen(Math.floor(index / 3) % whole.width));
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    };
    const overlap = (x) => x >= 256 - 32 && x < 320 - 32; // Tiles are [0, 320) and [256, 576).
    assert.ok(mean(overlap) < 0.25, `${mean(overlap)} of 255`);
    assert.ok(mean(overlap) < 2 * mean((x) => !overlap(x)) + 0.05);
  });

  await t.test("is blended anew when the strength changes", async () => {
    await set(page, "#strength", 80);
    await set(page, "#luminance", 50);
    assertEqual(await download(page), "camera_some.png");
  });

  await t.test("is denoised with the kernels of one place", async () => {
    const [x, y] = [358, 153]; // Of 512 pixels: the place that make_expected.py took.
    const stage = await page.locator("#view").evaluate(({ width, height }) => [width, height]);
    const [left, top] = stage.map((length) => Math.round((length - 512) / 2));
    await page.click("#pick");
    await page.click("#view", { position: { x: left + x + 0.5, y: top + y + 0.5 } });
    const dialog = page.locator("#kernels");
    await dialog.waitFor();
    assert.match(await dialog.locator("figcaption").nth(2).textContent(), /kernels of 358, 153/);
    const url = await dialog.locator("canvas").nth(2).evaluate((canvas) => canvas.toDataURL());
    const found = PNG.sync.read(Buffer.from(url.split(",")[1], "base64"));
    assertEqual(found, "camera_kernels.png");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
  });
  await set(page, "#strength", 100);
  await set(page, "#luminance", 100);
});

for (const name of ["white", "gray", "tiny", "weak", "strong", "scan", "page"]) {
  test(`${name}: network, level and result are Python's`, async () => {
    await choose(page, `${name}.png`);
    await waitFor(page, "done");
    const wanted = expected()[name];
    const { network, level, noise } = await downloadedJson(page);
    assert.equal(network, wanted.network);
    assertNear(level, wanted.level, 2e-3 * wanted.level);
    assertNear(noise.sigma, wanted.measured.sigma, 2e-3 * wanted.measured.sigma);
    assertNear(noise.level, wanted.measured.level, 2e-3 * wanted.measured.level);
    const result = await download(page);
    assertEqual(result, `${name}_denoised.png`);
    const unchanged = !differences(readPng(result), readPng(expectedPath(`${name}.png`))).some(Boolean);
    assert.equal(unchanged, name === "page"); // No noise, no change.
  });
}

test("white noise of a given level in a gray picture goes to the gray network", async () => {
  await choose(page, "gray_white.png");
  await waitFor(page, "in work");
  await page.check("[name=kind][value=white]");
  await page.check("#set-level");
  await set(page, "#level", 15);
  await waitFor(page, "in work");
  await waitFor(page, "done");
  const { network, level } = await downloadedJson(page);
  assert.deepEqual({ network, level }, { network: expected().gray_white.network, level: 15 });
  assertEqual(await download(page), "gray_white_denoised.png");
});
