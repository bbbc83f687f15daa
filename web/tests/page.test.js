// The page does what it offers.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import axe from "axe-core";
import piexif from "piexifjs";
import { choose, download, expectedPath, readPng, set, start, waitFor } from "./browser.js";

const BROKEN = { name: "broken.jpg", mimeType: "image/jpeg", buffer: Buffer.from("no picture") };

let site;
before(async () => (site = await start()));
after(() => site.close());

/** Color of the stage at a share of its width and height. */
function colorAt(page, x, y) {
  return page.locator("#view").evaluate(
    async (canvas, [acrossShare, downShare]) => {
      for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
      const at = [acrossShare * canvas.width, downShare * canvas.height].map(Math.floor);
      return [...canvas.getContext("2d").getImageData(...at, 1, 1).data].slice(0, 3);
    },
    [x, y],
  );
}

test("before and after: slider, zoom, pan", async () => {
  const page = await site.open();
  await choose(page, "white.png");
  await waitFor(page, "done");
  // A stage with a pixel in the middle of an even picture.
  const [wide, high] = await page.locator("#view").evaluate(({ width, height }) => [width, height]);
  const { width: across, height: down } = page.viewportSize();
  await page.setViewportSize({ width: across + (wide % 2), height: down + (high % 2) });
  const { width, height, data } = readPng(expectedPath("white.png"));
  const noisy = (x, y) => [...data.subarray(4 * (y * width + x), 4 * (y * width + x) + 3)];
  const middle = noisy(width / 2, height / 2);

  await set(page, "#divider", 100);
  const isBefore = await colorAt(page, 0.5, 0.5);
  await page.focus("#divider");
  await page.keyboard.press("Home"); // The slider is moved by keys.
  const isAfter = await colorAt(page, 0.5, 0.5);
  assert.deepEqual(isBefore, middle);
  assert.notDeepEqual(isAfter, middle);

  await set(page, "#divider", 100);
  await page.click("[data-zoom='4']");
  assert.equal(await page.getAttribute("[data-zoom='4']", "aria-pressed"), "true");
  assert.deepEqual(await colorAt(page, 0.5, 0.5), middle);
  await page.focus("#view");
  await page.keyboard.press("ArrowRight"); // 64 pixels of the screen, 16 of the picture
  assert.deepEqual(await colorAt(page, 0.5, 0.5), noisy(width / 2 + 16, height / 2));
  const stage = await page.locator("#view").boundingBox();
  await page.mouse.move(stage.x + 300, stage.y + 200);
  await page.mouse.down();
  await page.mouse.move(stage.x + 364, stage.y + 264, { steps: 4 });
  await page.mouse.up();
  assert.deepEqual(await colorAt(page, 0.5, 0.5), noisy(width / 2, height / 2 - 16));
  await page.keyboard.press("-");
  assert.equal(await page.getAttribute("[data-zoom='2']", "aria-pressed"), "true");
  await page.keyboard.press("0");
  assert.equal(await page.getAttribute("[data-zoom='fit']", "aria-pressed"), "true");
  await page.context().close();
});

test("several files, one of them broken", async () => {
  const page = await site.open();
  await choose(page, "tiny.png", "gray.png");
  await page.waitForSelector("#files li:nth-child(2)");
  await choose(page, BROKEN);
  for (const [index, state] of ["done", "done", "failed"].entries()) await waitFor(page, state, index);
  assert.equal(await page.textContent("#progress-text"), "");
  assert.match(await page.textContent("#status"), /broken\.jpg: this browser cannot read the file/);

  await page.click("#files li:nth-child(1) button"); // Stored when the engine went on.
  await page.waitForFunction(() => document.getElementById("view").ariaLabel.startsWith("tiny.png, 7 by 5"));
  const { width, height } = readPng(await download(page));
  assert.deepEqual([width, height], [7, 5]);

  const names = [];
  page.on("download", (file) => names.push(file.suggestedFilename()));
  await page.check("[name=format][value='image/jpeg']");
  await page.click("#download-all");
  while (names.length < 2) await page.waitForEvent("download");
  assert.deepEqual(names, ["tiny_denoised.jpg", "gray_denoised.jpg"]);
  await page.context().close();
});

test("cancel, and start again", async () => {
  const page = await site.open();
  await choose(page, "camera.png", "tiny.png", BROKEN);
  await waitFor(page, "in work", 0);
  await page.click("#cancel");
  for (const index of [0, 1, 2]) await waitFor(page, "canceled", index);
  assert.ok(await page.isDisabled("#cancel"));
  assert.ok(await page.isDisabled("#download"));
  await page.click("#files li:nth-child(2) button");
  await page.check("[name=kind][value=white]");
  await waitFor(page, "done", 1);
  assert.equal(await page.locator("#files .state").nth(0).textContent(), "canceled");
  await page.click("#files li:nth-child(3) button"); // Looked at for the first time.
  await waitFor(page, "failed", 2);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("EXIF data is kept, but for the orientation, which is applied", async () => {
  const page = await site.open();
  await choose(page, "turned.jpg");
  await waitFor(page, "done");
  const jpeg = readFileSync(await download(page, "#download", "image/jpeg")).toString("latin1");
  const png = readFileSync(await download(page)).toString("latin1");
  const at = png.indexOf("eXIf");
  const inPng = png.slice(at + 4, at + 4 + Buffer.from(png.slice(at - 4, at), "latin1").readUInt32BE());
  for (const exif of [piexif.load(jpeg), piexif.load(`Exif\0\0${inPng}`)]) {
    assert.equal(exif["0th"][piexif.ImageIFD.Make], "Maker of cameras");
    assert.equal(exif["Exif"][piexif.ExifIFD.DateTimeOriginal], "2026:11:29 12:00:00");
    assert.equal(exif["0th"][piexif.ImageIFD.Orientation], undefined);
  }
  const { width, height } = readPng(await download(page)); // Its checksums are right too.
  assert.deepEqual([width, height], [64, 96]);
  await page.context().close();
});

test("files are dropped and pasted", async () => {
  const page = await site.open();
  await page.evaluate(() => {
    for (const type of ["drop", "paste"]) {
      const files = new DataTransfer();
      files.items.add(new File(["no picture"], `${type}.png`));
      const options = { bubbles: true, cancelable: true };
      const event =
        type === "drop"
          ? new DragEvent(type, { ...options, dataTransfer: files })
          : new ClipboardEvent(type, { ...options, clipboardData: files });
      document.body.dispatchEvent(event);
    }
  });
  for (const index of [0, 1]) await waitFor(page, "failed", index);
  assert.deepEqual(await page.locator("#files .name").allTextContents(), ["drop.png", "paste.png"]);
  await page.context().close();
});

const SCREENS = { light: { width: 1280, height: 800 }, dark: { width: 360, height: 700 } };
for (const [colorScheme, viewport] of Object.entries(SCREENS)) {
  test(`accessible, ${colorScheme}, on a screen of ${viewport.width} pixels`, async () => {
    const page = await site.open({ viewport, colorScheme, bypassCSP: true });
    await page.evaluate(axe.source);
    const check = async (when) => {
      const { violations } = await page.evaluate(() => window.axe.run());
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`);
      assert.deepEqual(found, [], when);
      const [wide, room] = await page.evaluate(() => [
        document.documentElement.scrollWidth,
        document.documentElement.clientWidth,
      ]);
      assert.ok(wide <= room, `${when}: ${wide} pixels wide on a screen of ${room}`);
    };
    await check("empty");
    await choose(page, BROKEN);
    await waitFor(page, "failed");
    await check("failed");
    await choose(page, "tiny.png");
    await waitFor(page, "done");
    await check("done");
    await page.focus("#pick");
    await page.keyboard.press("Enter"); // Moves the focus to the picture.
    await page.keyboard.press("Enter"); // Chooses its middle.
    await page.locator("#kernels").waitFor();
    await check("kernels");
    await page.context().close();
  });
}

test("everything comes from the page's own host, and networks are fetched once", async () => {
  const page = await site.open();
  await choose(page, "tiny.png");
  await waitFor(page, "done");
  const origins = new Set(page.requested.map((url) => new URL(url).origin));
  assert.deepEqual([...origins], [new URL(site.url).origin]);
  assert.equal(page.requested.filter((url) => url.endsWith(".onnx")).length, 1);
  page.requested.length = 0;
  await page.reload();
  await choose(page, "tiny.png");
  await waitFor(page, "done");
  assert.deepEqual(page.requested.filter((url) => url.endsWith(".onnx")), []);
  await page.context().close();
});

test("a host without the headers for threads", async (t) => {
  const headers = {
    "Cross-Origin-Opener-Policy": "unsafe-none", // As if it was not sent
    "Cross-Origin-Embedder-Policy": "unsafe-none",
  };
  const plain = await start({ headers });
  t.after(() => plain.close());
  const page = await plain.open();
  await choose(page, "tiny.png");
  await waitFor(page, "done");
  assert.match(await page.textContent("#device"), /threads: 1\).*does not allow more/);
  assert.deepEqual(page.problems, []);
});
