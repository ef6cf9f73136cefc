// Real photos, all the way: upright, within their boxes, and nothing left in
// what is served of what a camera writes about its owner.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { choose, open, rows, skip, visit } from './gate.mjs';

const made = process.env.POSTERN_PHOTOS;
const taken = join(dirname(fileURLToPath(import.meta.url)), '../../../shared/photos');
const boxes = { thumb: 256, medium: 1024, large: 2048 };
// Planted in every piece of metadata of the photos that are made.
const secret = 'postern-secret-7f3a';

const photosIn = async (folder) => (await readdir(folder))
  .filter((n) => /^\.(jpe?g|png|gif|webp)$/.test(extname(n).toLowerCase()) && !n.startsWith('corrupted'))
  .sort();

describe('photos', { skip }, () => {
  let gate;
  before(async () => { gate = await open(); });
  after(() => gate?.close());

  /** Uploads files through the page; what it was told of each, by name. */
  async function upload(page, folder, names) {
    await page.evaluate((n) => {
      globalThis.told = new Promise((finished) => {
        const got = [];
        const take = (filename, said) => {
          got.push([filename, said]);
          if (got.length === n) finished(got);
        };
        addEventListener('postern-done', (e) => take(e.detail.item.file.name, e.detail.upload));
        addEventListener('postern-error', (e) => take(e.detail.item.file.name, { problem: e.detail.detail }));
      });
    }, names.length);
    await choose(page, names.map((n) => join(folder, n)));
    return new Map(await page.evaluate(() => globalThis.told));
  }

  /** The bytes of a variant, its size when opened, and the colours of its corners. */
  const look = async (page, url) => {
    const { text, ...seen } = await page.evaluate(async (url) => {
      const answer = await fetch(url);
      const blob = await answer.blob();
      const b = await createImageBitmap(blob);
      const canvas = new OffscreenCanvas(b.width, b.height);
      const c = canvas.getContext('2d', { willReadFrequently: true });
      c.drawImage(b, 0, 0);
      const at = (x, y) => [...c.getImageData(Math.round(x * b.width), Math.round(y * b.height), 1, 1).data.slice(0, 3)];
      let text = '';
      for (const x of new Uint8Array(await blob.arrayBuffer())) text += String.fromCharCode(x);
      return {
        status: answer.status, type: blob.type, width: b.width, height: b.height,
        corners: [at(0.04, 0.04), at(0.96, 0.04), at(0.04, 0.96), at(0.96, 0.96)], text: btoa(text),
      };
    }, url);
    return { ...seen, bytes: Buffer.from(text, 'base64') };
  };

  /** The colour that stands out: red, green, blue or yellow. */
  const named = ([r, g, b]) => (b > r && b > g ? 'blue' : r > 1.6 * g ? 'red' : g > 1.6 * r ? 'green' : 'yellow');

  async function clean(page, u, name) {
    assert.equal(u.problem, undefined, name);
    assert.deepEqual(u.variants.map((v) => v.name), Object.keys(boxes));
    const seen = [];
    for (const v of u.variants) {
      const s = await look(page, v.url);
      const what = `${name}, ${v.name}`;
      assert.equal(s.type, v.type, what);
      assert.equal(s.bytes.length, v.size, what);
      assert.deepEqual([s.width, s.height], [v.width, v.height], what);
      assert.ok(Math.max(v.width, v.height) <= boxes[v.name], `${what}: ${v.width} × ${v.height}`);
      assert.ok(v.width <= u.width && v.height <= u.height, `${what} is enlarged`);
      for (const trace of ['Exif\0', 'eXIf', 'ns.adobe.com', 'Photoshop', 'GPSLatitude', secret]) {
        assert.equal(s.bytes.indexOf(trace), -1, `${what} holds ${trace}`);
      }
      seen.push(s);
    }
    return seen;
  }

  test('all eight orientations, 12 MP', { skip: !made && 'SKIPPED: POSTERN_PHOTOS names no folder' }, async (t) => {
    const { page, faults } = await visit(t, gate);
    const names = (await photosIn(made)).filter((n) => n.startsWith('orientation-'));
    assert.equal(names.length, 8, `${made} holds the eight orientations`);
    const told = await upload(page, made, names);
    for (const name of names) {
      const file = await readFile(join(made, name));
      assert.ok(file.indexOf(secret) > 0 && file.indexOf('ICC_PROFILE') > 0, 'the file itself has it all');
      const turned = Number(/\d/.exec(name)[0]) > 4;
      const u = told.get(name);
      for (const s of await clean(page, u, name)) {
        assert.deepEqual(s.corners.map(named), ['red', 'green', 'blue', 'yellow'], `${name} is upright`);
        assert.ok(s.bytes.indexOf('ICC_PROFILE') > 0, `${name} keeps its colour profile`);
      }
      assert.deepEqual([u.width, u.height], turned ? [3024, 4032] : [4032, 3024], name);
    }
    await rows(page).first().waitFor({ state: 'detached' });
    assert.equal(await page.locator('.tile').count(), 8);
    // The gate has read requests, no file.
    const sent = [...told.values()].reduce((n, u) => n + u.size, 0);
    const text = await (await fetch(gate.metrics)).text();
    const read = Number(/^postern_request_body_bytes_total (\S+)$/m.exec(text)[1]);
    assert.ok(sent > 8e6 && read > 0 && read < 8 * 2000, `it read ${read} bytes of request bodies for ${sent} bytes of photos`);
    assert.deepEqual(faults, []);
  });

  test('photos as cameras write them', { skip: !existsSync(taken) && `SKIPPED: there are no photos in ${taken}` }, async (t) => {
    const { page } = await visit(t, gate);
    const names = await photosIn(taken);
    const told = await upload(page, taken, names);
    for (const name of names) {
      const u = told.get(name);
      await clean(page, u, name);
      // The browser turns by EXIF as well.
      const upright = await page.evaluate(async (packed) => {
        const b = await createImageBitmap(new Blob([Uint8Array.from(atob(packed), (c) => c.charCodeAt(0))]));
        return [b.width, b.height];
      }, (await readFile(join(taken, name))).toString('base64'));
      assert.deepEqual([u.width, u.height], upright, `${name} is upright`);
    }
  });

  test('a photo that is cut short is refused in words', { skip: !existsSync(taken) && `SKIPPED: there are no photos in ${taken}` }, async (t) => {
    const { page } = await visit(t, gate);
    const told = await upload(page, taken, ['corrupted.jpg']);
    assert.match(told.get('corrupted.jpg').problem, /damaged|cut short/);
  });

  test('a bomb is refused with its size and the limit', { skip: !made && 'SKIPPED: POSTERN_PHOTOS names no folder' }, async (t) => {
    const { page } = await visit(t, gate);
    const told = await upload(page, made, ['bomb.png']);
    assert.equal(told.get('bomb.png').problem, 'This picture has 60 megapixels; up to 50 megapixels are allowed.');
  });

  test('nobody reads what a browser wrote', async () => {
    const answer = await fetch(`${gate.url}/uploads`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ type: 'image/jpeg', filename: 'x.jpg' }),
    });
    const { id, grant } = await answer.json();
    const form = new FormData();
    for (const [k, v] of Object.entries(grant.fields)) form.append(k, v);
    form.append(grant.file_field, new Blob(['anything']));
    assert.equal((await fetch(grant.url, { method: 'POST', body: form })).status, 204);
    for (const key of [`incoming/${id}`, `images/${id}/thumb`]) {
      for (const method of ['GET', 'HEAD', 'DELETE', 'PUT']) {
        const body = method === 'PUT' ? 'x' : undefined;
        assert.equal((await fetch(`${grant.url}/${key}`, { method, body })).status, 403, `${method} ${key}`);
      }
    }
    assert.equal((await fetch(`${grant.url}?list-type=2`)).status, 403);
  });
});
