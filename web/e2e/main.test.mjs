// The main job in a real browser: files in by every way, and out as pictures.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { choose, hand, open, photo, row, rows, skip, slow, spoken, tile, visit, wire } from './gate.mjs';

describe('uploading', { skip }, () => {
  let gate;
  before(async () => { gate = await open(); });
  after(() => gate?.close());

  test('several photos by the picker: thumbnails, newest first, kept over a reload', async (t) => {
    const { page, faults } = await visit(t, gate);
    await page.getByText('Nothing here yet').waitFor();
    const names = ['one.jpg', 'two.jpg', 'three.png', 'four.jpg', 'five.jpg', 'six.jpg'];
    const files = [];
    for (const [i, name] of names.entries()) files.push(await photo(gate, name, { width: 500 + i, height: 400 }));
    await choose(page, files);
    for (const name of names) await tile(page, name).waitFor();
    await rows(page).first().waitFor({ state: 'detached' });
    await page.getByRole('heading', { name: '6 photos' }).waitFor();
    assert.equal(await page.getByText('Nothing here yet').isVisible(), false);

    const seen = async () => ({
      order: await page.locator('.tile').evaluateAll((all) => all.map((li) => li.dataset.id)),
      loaded: await page.locator('.tile img').evaluateAll((all) => Promise.all(all.map(async (i) => (await i.decode(), i.naturalWidth)))),
    });
    const first = await seen();
    assert.deepEqual(first.order, [...first.order].sort().reverse(), 'ids sort by time: newest first');
    assert.ok(first.loaded.every((w) => w > 0));
    const said = await tile(page, 'three.png').locator('figcaption').innerText();
    assert.match(said, /three\.png\s+502 × 400 · \d+ k?B/);
    await page.reload();
    await page.getByRole('heading', { name: '6 photos' }).waitFor();
    assert.deepEqual((await seen()).order, first.order);
    assert.deepEqual(faults, []);
  });

  test('dropped anywhere on the page', async (t) => {
    const { page, faults } = await visit(t, gate);
    await hand(page, 'drop', [await photo(gate, 'dropped-1.jpg'), await photo(gate, 'dropped-2.jpg')], 'footer');
    await tile(page, 'dropped-1.jpg').waitFor();
    await tile(page, 'dropped-2.jpg').waitFor();
    assert.deepEqual(faults, []);
  });

  test('pasted', async (t) => {
    const { page } = await visit(t, gate);
    await hand(page, 'paste', [await photo(gate, 'pasted.png')]);
    await tile(page, 'pasted.png').waitFor();
  });

  test('until a thumbnail is there, its ThumbHash is', async (t) => {
    const name = 'hazy.jpg';
    {
      const { page } = await visit(t, gate);
      await choose(page, [await photo(gate, name, { width: 1200, height: 900, noise: 120 })]);
      await tile(page, name).waitFor();
    }
    // Another visitor, with nothing in the cache.
    const { page } = await visit(t, gate, {}, (page) => slow(page, 0, 30_000));
    const there = tile(page, name);
    await there.locator('img[data-wait]').waitFor({ state: 'attached' });
    const { width, height, corners } = await there.locator('canvas').evaluate((c) => {
      const at = (x, y) => [...c.getContext('2d').getImageData(x, y, 1, 1).data];
      return { width: c.width, height: c.height, corners: [at(0, 0), at(c.width - 1, c.height - 1)] };
    });
    assert.deepEqual([width, height], [32, 23]);
    assert.notDeepEqual(corners[0], corners[1], 'it shows the gradient');
    assert.equal(corners[0][3], 255);
    await slow(page, 0);
    await there.locator('img:not([data-wait])').waitFor({ state: 'attached' });
    await there.locator('canvas').waitFor({ state: 'detached' });
  });

  test('the bytes go by one signed form to the bucket’s origin, after its own preflight', async (t) => {
    const { page } = await visit(t, gate);
    const requests = await wire(page);
    const file = await photo(gate, 'wire.jpg', { width: 1600, height: 1200, noise: 60 });
    assert.ok(file.buffer.length > 256 * 1024, 'heavy enough to be watched');
    await choose(page, [file]);
    await tile(page, 'wire.jpg').waitFor();

    const all = [...requests.values()].filter((r) => r.url);
    const here = new URL(gate.url).origin;
    const away = all.filter((r) => r.url.startsWith('http') && new URL(r.url).origin !== here);
    const posts = away.filter((r) => r.method === 'POST');
    assert.equal(posts.length, 1);
    const [post] = posts;
    assert.match(post.headers['content-type'], /^multipart\/form-data; boundary=/);
    assert.equal(post.headers.origin, here);
    assert.ok(Number(post.headers['content-length'] ?? file.buffer.length) >= file.buffer.length);
    assert.ok(post.status === 204 || post.status === 201, `${post.status}`);
    assert.equal(post.answered['access-control-allow-origin'], here);

    const preflights = away.filter((r) => r.method === 'OPTIONS');
    assert.equal(preflights.length, 1);
    assert.equal(preflights[0].headers['access-control-request-method'], 'POST');
    assert.ok(preflights[0].status >= 200 && preflights[0].status < 300);
    assert.equal(preflights[0].answered['access-control-allow-origin'], here);
    assert.deepEqual([...new Set(away.map((r) => r.method))].sort(), ['OPTIONS', 'POST']);

    for (const r of all) if (new URL(r.url).origin === here) assert.ok(r.posted < 1024, `${r.method} ${r.url} carries ${r.posted} bytes`);
  });

  test('each wrong file is told in words what is wrong and what is allowed', async (t) => {
    const { page } = await visit(t, gate);
    const requests = await wire(page);
    const whole = await photo(gate, 'whole.jpg', { width: 800, height: 600, noise: 40 });
    const jpeg = (name, buffer) => ({ name, mimeType: 'image/jpeg', buffer });
    await hand(page, 'drop', [
      jpeg('paper.jpg', Buffer.from('%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n')),
      jpeg('nothing.jpg', Buffer.alloc(0)),
      jpeg('cut.jpg', whole.buffer.subarray(0, whole.buffer.length / 2)),
      { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') },
    ]);
    // By the page's own means: 26 MB are too much for a message to the browser.
    await page.evaluate(() => document.querySelector('postern-upload').add([new File([new Uint8Array(26e6)], 'huge.jpg', { type: 'image/jpeg' })]));

    const words = async (name) => {
      const there = row(page, name).and(page.locator('[data-state=rejected]'));
      await there.waitFor();
      assert.equal(await there.getByRole('button', { name: 'again' }).isVisible(), false, 'trying again would not help');
      return there.locator('.say').innerText();
    };
    assert.match(await words('paper.jpg'), /JPEG, PNG, GIF or WebP/);
    assert.equal(await words('nothing.jpg'), 'The file is empty.');
    assert.match(await words('cut.jpg'), /cut short|ends|incomplete|truncated/i);
    assert.equal(await words('notes.txt'), 'Only JPEG, PNG, GIF, or WEBP are allowed.');
    assert.equal(await words('huge.jpg'), 'The file is too large: 25 MB at most.');
    const granted = [...requests.values()].filter((r) => r.method === 'POST' && r.url?.endsWith('/uploads'));
    assert.equal(granted.length, 2, 'what the page itself can see is refused without a request');
    assert.match(await spoken(page).innerText(), /not uploaded/);
    assert.equal(await tile(page, 'cut.jpg').count(), 0);
  });

  test('cancel: the request stops, the upload is gone, the focus goes on', async (t) => {
    const { page } = await visit(t, gate);
    const requests = await wire(page);
    await slow(page, 100_000);
    await choose(page, [
      await photo(gate, 'stop.jpg', { width: 1600, height: 1200, noise: 80 }),
      await photo(gate, 'stay.jpg', { width: 1600, height: 1200, noise: 80 }),
    ]);
    const stop = row(page, 'stop.jpg');
    await stop.getByText(/Uploading [1-9]/).waitFor();
    assert.ok(await stop.getByRole('progressbar', { name: 'stop.jpg' }).evaluate((p) => p.value > 0 && p.value < 1));
    await stop.getByRole('button', { name: 'Cancel stop.jpg' }).press('Enter');
    await stop.waitFor({ state: 'detached' });
    assert.equal(await page.evaluate(() => document.activeElement.shadowRoot.activeElement.getAttribute('aria-label')), 'Cancel stay.jpg');
    await row(page, 'stay.jpg').getByRole('button', { name: 'Cancel stay.jpg' }).press('Enter');
    await rows(page).first().waitFor({ state: 'detached' });
    assert.equal(await page.evaluate(() => document.activeElement.shadowRoot.activeElement.textContent), 'Choose photos');
    await slow(page, 0);
    await assert.doesNotReject(async () => {
      for (let i = 0; i < 100; i++) {
        const gone = [...requests.values()].filter((r) => r.method === 'DELETE' && r.status === 204);
        if (gone.length === 2) return;
        await page.evaluate(() => new Promise(requestAnimationFrame));
      }
      throw new Error('the uploads were not deleted');
    });
    await page.reload();
    await page.getByRole('heading', { name: /photos/ }).waitFor();
    assert.equal(await tile(page, 'stop.jpg').count(), 0);
  });

  test('a click opens the large variant; arrows go on; Escape gives the focus back', async (t) => {
    const { page } = await visit(t, gate);
    await choose(page, [await photo(gate, 'left.jpg', { width: 1500, height: 1000 })]);
    await tile(page, 'left.jpg').waitFor();
    await choose(page, [await photo(gate, 'right.jpg', { width: 900, height: 1200 })]);
    await tile(page, 'right.jpg').waitFor();
    await tile(page, 'right.jpg').getByRole('button', { name: /^Open/ }).click();
    const viewer = page.getByRole('dialog', { name: 'right.jpg' });
    await viewer.waitFor();
    const wide = () => page.locator('#viewer .frame img').evaluate(async (i) => (await i.decode(), [i.naturalWidth, i.naturalHeight, i.alt]));
    assert.deepEqual(await wide(), [900, 1200, 'right.jpg']);
    assert.equal(await page.getByRole('button', { name: 'Previous photo' }).isVisible(), false, 'it is the newest');
    await page.keyboard.press('ArrowRight');
    await page.getByRole('dialog', { name: 'left.jpg' }).waitFor();
    assert.deepEqual(await wide(), [1500, 1000, 'left.jpg']);
    await page.keyboard.press('ArrowLeft');
    await viewer.waitFor();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    // The browser gives it back to where it was before; the event that moves it on comes after.
    await page.waitForFunction(() => document.activeElement.getAttribute('aria-label')?.startsWith('Open left.jpg'));
  });

});
