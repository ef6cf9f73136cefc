// Every way to the bucket in a real browser: by PUT, and in parts.

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { choose, open, photo, row, rows, skip, slow, tile, troubled, visit, wire } from './gate.mjs';

const MiB = 2 ** 20;
const seen = (requests, method, matching = '') => [...requests.values()].filter((r) => r.method === method && r.url?.includes(matching));

/** Adds a PNG of noise, which no encoder makes small, to the page's element; returns its bytes. */
const addNoise = (page, name, width, height) => page.evaluate(async ({ name, width, height }) => {
  const canvas = new OffscreenCanvas(width, height);
  const c = canvas.getContext('2d');
  const d = c.createImageData(width, height);
  for (let at = 0; at < d.data.length; at += 65536) crypto.getRandomValues(d.data.subarray(at, at + 65536));
  for (let i = 3; i < d.data.length; i += 4) d.data[i] = 255;
  c.putImageData(d, 0, 0);
  const blob = await canvas.convertToBlob({ type: 'image/png' });
  document.querySelector('postern-upload').add([new File([blob], name, { type: 'image/png' })]);
  return blob.size;
}, { name, width, height });

/** The page has no way of waiting for folders. */
async function until(what, check) {
  for (const end = Date.now() + 20_000; Date.now() < end;) {
    if (await check()) return;
    await new Promise((done) => setTimeout(done, 20));
  }
  assert.fail(`it did not come true: ${what}`);
}

const ended = (page) => page.evaluate(() => {
  globalThis.ended = new Promise((done) => {
    for (const type of ['postern-done', 'postern-error']) {
      addEventListener(type, (e) => done({ upload: e.detail.upload, problem: e.detail.problem ?? e.detail.code }), { once: true });
    }
  });
});

describe('by PUT', { skip }, () => {
  let gate;
  before(async () => { gate = await open({ presets: [{ name: 'photos', transfer: 'put' }] }); });
  after(() => gate?.close());

  test('a photo travels as the body of one signed PUT, after its own preflight', async (t) => {
    const { page, faults } = await visit(t, gate);
    const requests = await wire(page);
    const file = await photo(gate, 'whole.jpg', { width: 900, height: 600, noise: 30 });
    await choose(page, [file]);
    await tile(page, 'whole.jpg').waitFor();

    const puts = seen(requests, 'PUT');
    assert.equal(puts.length, 1);
    const [{ headers, status, url }] = puts;
    assert.ok(status >= 200 && status < 300, `${status}`);
    assert.equal(new URL(url).origin, gate.bucket);
    assert.equal(headers['content-type'], 'image/jpeg');
    assert.equal(headers['if-none-match'], '*');
    assert.match(headers['x-amz-checksum-sha256'], /^[\w+/]{43}=$/);
    assert.ok(headers['x-amz-meta-postern']);
    const away = [...requests.values()].filter((r) => r.url && new URL(r.url).origin === gate.bucket);
    assert.deepEqual(away.filter((r) => r.method !== 'GET').map((r) => r.method).sort(), ['OPTIONS', 'PUT']);
    assert.equal(seen(requests, 'GET', 'multipart.js').length, 0, 'what parts need is not fetched');
    assert.deepEqual(faults, []);
  });

  test('the browser calls it image/jpg: what was signed is sent', async (t) => {
    const { page } = await visit(t, gate);
    const requests = await wire(page);
    const { buffer } = await photo(gate, 'other.jpg');
    await choose(page, [{ name: 'other.jpg', mimeType: 'image/jpg', buffer }]);
    await tile(page, 'other.jpg').waitFor();
    assert.equal(seen(requests, 'PUT')[0].headers['content-type'], 'image/jpeg');
  });
});

describe('in parts', { skip }, () => {
  let bucket;
  let gate;
  before(async () => {
    bucket = await troubled();
    gate = await open({
      presets: [{ name: 'photos', transfer: 'multipart', part_size: 5 * MiB, max_bytes: 60_000_000 }],
      args: ['--bucket-url', `${bucket.url}/postern`],
    });
    bucket.before(gate.bucket);
  });
  after(async () => {
    await gate?.close();
    bucket?.close();
  });
  const unfinished = () => readdir(join(gate.folder, 'postern', 'uploads'));

  test('40 MB: parts of 5 MiB, three at once, joined by the server', { timeout: 120_000 }, async (t) => {
    const { page, faults } = await visit(t, gate);
    const requests = await wire(page);
    await ended(page);
    const bytes = await addNoise(page, 'large.png', 4200, 3200);
    assert.ok(bytes > 40e6, `${bytes}`);
    const { upload, problem } = await page.evaluate(() => globalThis.ended);
    assert.equal(problem, undefined);
    assert.deepEqual([upload.state, upload.size, upload.width, upload.height], ['ready', bytes, 4200, 3200]);

    const count = Math.ceil(bytes / (5 * MiB));
    const puts = seen(requests, 'PUT', 'partNumber=');
    assert.deepEqual(puts.map((r) => Number(new URL(r.url).searchParams.get('partNumber'))).sort((a, b) => a - b), Array.from({ length: count }, (_, i) => i + 1));
    for (const { headers, status } of puts) {
      assert.equal(status, 200);
      assert.equal(headers['content-type'], undefined);
    }
    assert.equal(bucket.most, 3);
    assert.equal(seen(requests, 'GET', '/multipart.js').length, 1);
    assert.equal(seen(requests, 'POST', '/parts').length, count > 8 ? 1 : 0);
    const [complete] = seen(requests, 'POST', '/complete');
    assert.equal(complete.status, 202);
    assert.deepEqual(await unfinished(), []);
    assert.deepEqual(faults, []);
  });

  test('cancel in the middle: everything stops, the bucket has nothing unfinished', async (t) => {
    const { page } = await visit(t, gate);
    const requests = await wire(page);
    await slow(page, 2_000_000);
    await addNoise(page, 'stop.png', 2400, 1800);
    const stop = row(page, 'stop.png');
    await stop.getByText(/Uploading [1-9]/).waitFor();
    assert.equal((await unfinished()).length, 1);
    await stop.getByRole('button', { name: 'Cancel stop.png' }).press('Enter');
    await stop.waitFor({ state: 'detached' });
    await slow(page, 0);
    await until('the upload is deleted', () => seen(requests, 'DELETE').some((r) => r.status === 204));
    await until('nothing is unfinished', async () => (await unfinished()).length === 0);
    assert.equal(seen(requests, 'POST', '/complete').length, 0);
    const before = seen(requests, 'PUT').length;
    assert.ok(before <= 3, `${before} parts were begun`);
    assert.equal(await rows(page).count(), 0);
  });

  test('a part that fails once is sent again by itself', async (t) => {
    const { page } = await visit(t, gate);
    await ended(page);
    const from = bucket.puts.length;
    bucket.fail(1);
    const bytes = await addNoise(page, 'again.png', 2400, 1800);
    const { upload, problem } = await page.evaluate(() => globalThis.ended);
    assert.equal(problem, undefined);
    assert.equal(upload.size, bytes);
    const count = Math.ceil(bytes / (5 * MiB));
    const sent = bucket.puts.slice(from);
    assert.equal(sent.length, count + 1);
    assert.equal(new Set(sent).size, count);
  });

  test('a line that is cut in the middle of parts: they are sent again', async (t) => {
    const { page } = await visit(t, gate);
    const requests = await wire(page);
    await ended(page);
    const from = bucket.puts.length;
    // Chromium itself sends once more what a used connection lost; six are too many for that.
    bucket.cut(6);
    const bytes = await addNoise(page, 'line.png', 2400, 1800);
    const { upload, problem } = await page.evaluate(() => globalThis.ended);
    assert.equal(problem, undefined);
    assert.equal(upload.size, bytes);
    const count = Math.ceil(bytes / (5 * MiB));
    assert.equal(bucket.puts.slice(from).length, count + 6);
    const puts = seen(requests, 'PUT', 'partNumber=');
    assert.equal(puts.filter((r) => r.status === 200).length, count);
    assert.ok(puts.length > count, 'the page was told of some');
  });

  test('given up, then tried again by hand: only what the bucket lacks is sent', async (t) => {
    const { page } = await visit(t, gate);
    // Back-off of half a minute is for people, not for tests. The parts that go well
    // have three seconds, until the third one is given up.
    await page.evaluate(() => { Math.random = () => 0.2; });
    const requests = await wire(page);
    bucket.fail(1000, 2);
    await addNoise(page, 'hand.png', 2400, 1800);
    const hand = row(page, 'hand.png').and(page.locator('[data-state=failed]'));
    await hand.waitFor();
    assert.match(await hand.locator('.say').innerText(), /^The bucket refused it: /);
    const arrived = new Set(seen(requests, 'PUT').filter((r) => r.status === 200).map((r) => new URL(r.url).searchParams.get('partNumber')));
    assert.ok(arrived.size, 'what the others were sending is given up as well, perhaps before it was through');
    bucket.fail(0);
    await ended(page);
    const from = bucket.puts.length;
    await hand.getByRole('button', { name: 'Try again hand.png' }).click();
    const { upload, problem } = await page.evaluate(() => globalThis.ended);
    assert.equal(problem, undefined);
    assert.equal(upload.state, 'ready');
    const sent = bucket.puts.slice(from);
    assert.ok(sent.length > 0 && sent.length <= 3 - arrived.size, `${sent}`);
    assert.ok(!sent.some((n) => arrived.has(n)), `${sent}`);
    assert.equal(seen(requests, 'GET', '/parts').length, 1);
  });
});
