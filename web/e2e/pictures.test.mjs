// Pictures before they are sent: previews, smaller copies, the camera, folders.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { chromium } from 'playwright-core';

import { chrome, give, open, photo, row, rows, site, skip } from './gate.mjs';

describe('pictures', { skip }, () => {
  let gate;
  let somebody;
  before(async () => {
    somebody = await site({
      '/': '<postern-upload name="photos" multiple></postern-upload>',
      '/small': '<postern-upload name="photos" multiple max-side="300"></postern-upload>',
      '/folder': '<postern-upload name="photos" multiple directory></postern-upload>',
      '/camera': '<postern-upload name="photos" camera></postern-upload>',
    });
    gate = await open({ args: ['--origin', somebody.url] });
    somebody.with(gate);
  });
  after(async () => {
    await gate?.close();
    somebody?.close();
  });

  async function go(t, path = '/', browser = gate.browser, options = {}) {
    const context = await browser.newContext(options);
    t.after(() => context.close());
    const page = await context.newPage();
    await page.goto(somebody.url + path);
    await page.getByText(/up to \d+ MB/).waitFor();
    return page;
  }
  const state = (page, name, s) => row(page, name).and(page.locator(`[data-state=${s}]`));
  const drawn = (page) => page.evaluate(() => [...document.querySelector('postern-upload').shadowRoot.querySelectorAll('canvas')].map((c) => 'drawn' in c.dataset));
  const upload = (page, name) => page.evaluate((n) => document.querySelector('postern-upload').items.find((i) => i.file.name === n).upload, name);

  test('only rows that can be seen have a picture, made in a worker', async (t) => {
    const page = await go(t, '/', gate.browser, { viewport: { width: 700, height: 600 } });
    const workers = [];
    page.on('worker', (w) => workers.push(w.url()));
    await page.addStyleTag({ content: 'postern-upload { --postern-files: 240px }' });
    const one = await photo(gate, 'many.jpg', { width: 1200, height: 900 });
    await give(page, ...Array.from({ length: 40 }, (_, i) => ({ ...one, name: `many-${i}.jpg` })));
    await page.waitForFunction(() => document.querySelector('postern-upload').shadowRoot.querySelectorAll('canvas[data-drawn]').length >= 2);
    await page.waitForFunction(() => document.querySelector('postern-upload').items.every((i) => i.state === 'ready'));
    const before = await drawn(page);
    assert.ok(before.filter(Boolean).length < 15, `${before.filter(Boolean).length} of 40`);
    assert.equal(before[39], false);
    await page.locator('postern-upload li').last().scrollIntoViewIfNeeded();
    await page.waitForFunction(() => 'drawn' in [...document.querySelector('postern-upload').shadowRoot.querySelectorAll('canvas')].at(-1).dataset);
    assert.equal(workers.length, 1);
    assert.match(workers[0], /^blob:/, 'the script is of another origin');
  });

  test('a page whose policy allows no workers has previews as well', async (t) => {
    const page = await go(t);
    await page.evaluate(() => {
      const meta = Object.assign(document.createElement('meta'), { httpEquiv: 'Content-Security-Policy', content: "worker-src 'none'" });
      document.head.append(meta);
    });
    await give(page, await photo(gate, 'strict.jpg'));
    await page.waitForFunction(() => document.querySelector('postern-upload').shadowRoot.querySelector('canvas[data-drawn]'));
    await state(page, 'strict.jpg', 'ready').waitFor();
  });

  test('max-side: smaller before it is sent, upright, never larger; what moves stays as it is', async (t) => {
    const page = await go(t, '/small');
    const big = await photo(gate, 'big.jpg', { width: 1200, height: 600, noise: 60 });
    await give(page, big, await photo(gate, 'little.jpg', { width: 200, height: 100 }));
    await state(page, 'big.jpg', 'ready').waitFor();
    await state(page, 'little.jpg', 'ready').waitFor();
    const { width, height, size, type } = await upload(page, 'big.jpg');
    assert.deepEqual([width, height, type], [300, 150, 'image/jpeg']);
    assert.ok(size < big.buffer.length / 4);
    assert.deepEqual(await upload(page, 'little.jpg').then((u) => [u.width, u.height]), [200, 100]);

    // An upright picture that lies on its side, as phones make them: EXIF orientation 6.
    const app1 = Buffer.from('ffe1002245786966000049492a00080000000100120103000100000006000000000000000000'.slice(0, 72), 'hex');
    const plain = await photo(gate, 'turned.jpg', { width: 800, height: 400 });
    const turned = { ...plain, buffer: Buffer.concat([plain.buffer.subarray(0, 2), app1, plain.buffer.subarray(2)]) };
    await give(page, turned);
    await state(page, 'turned.jpg', 'ready').waitFor();
    assert.deepEqual(await upload(page, 'turned.jpg').then((u) => [u.width, u.height]), [150, 300]);
  });

  test('a file that the browser cannot open is sent as it is, and the server says what it thinks', async (t) => {
    const page = await go(t, '/small');
    await give(page, { name: 'broken.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('ffd8ffe000104a46494600010100000100010000ffd9', 'hex') });
    await state(page, 'broken.jpg', 'rejected').waitFor();
    assert.notEqual(await row(page, 'broken.jpg').locator('.say').innerText(), '');
  });

  test('a folder by the picker and by dropping: everything in it, and in what is in it', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'postern-folder-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    await mkdir(join(folder, 'inner'));
    for (const [name, where] of [['f-1.jpg', '.'], ['f-2.jpg', 'inner']]) await writeFile(join(folder, where, name), (await photo(gate, name)).buffer);
    await writeFile(join(folder, '.DS_Store'), 'x');

    const picked = await go(t, '/folder');
    const [chooser] = await Promise.all([picked.waitForEvent('filechooser'), picked.getByRole('button', { name: 'Choose photos' }).click()]);
    await chooser.setFiles(folder);
    await state(picked, 'f-1.jpg', 'ready').waitFor();
    await state(picked, 'f-2.jpg', 'ready').waitFor();

    const page = await go(t);
    const cdp = await page.context().newCDPSession(page);
    const { x, y } = await page.getByText('or drop or paste here').boundingBox();
    const data = { items: [], files: [folder], dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop']) await cdp.send('Input.dispatchDragEvent', { type, x: x + 5, y: y + 5, data });
    await state(page, 'f-1.jpg', 'ready').waitFor();
    await state(page, 'f-2.jpg', 'ready').waitFor();
    assert.equal(await rows(page).count(), 2, 'what systems hide is left out');
  });

  test('the camera: a dialog, a photo, and the light goes out', async (t) => {
    const seeing = await chromium.launch({ executablePath: chrome, args: ['--no-sandbox', '--disable-gpu', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'] });
    t.after(() => seeing.close());
    const page = await go(t, '/camera', seeing);
    await page.evaluate(() => {
      const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (o) => (globalThis.stream = await real(o));
    });
    const camera = page.getByRole('button', { name: 'Take a photo' });
    await camera.click();
    const dialog = page.getByRole('dialog', { name: 'Take a photo' });
    await dialog.waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    assert.equal(await page.evaluate(() => document.activeElement.shadowRoot.activeElement.textContent), 'Take a photo');
    await page.waitForFunction(() => !globalThis.stream.active);
    assert.equal(await rows(page).count(), 0);

    await camera.click();
    await page.waitForFunction(() => document.querySelector('postern-upload').shadowRoot.querySelector('video')?.videoWidth > 0);
    await dialog.getByRole('button', { name: 'Take a photo' }).click();
    await rows(page).and(page.locator('[data-state=ready]')).waitFor();
    assert.match(await rows(page).locator('.name').innerText(), /^photo-.+\.jpg$/);
    await page.waitForFunction(() => !globalThis.stream.active);
  });
});
