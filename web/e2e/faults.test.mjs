// Everything that goes wrong between here and there, by a real server in
// between: nothing lost, nothing doubled, nothing sent twice that need not be.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { give, open, photo, row, rows, site, skip, troubled, wire } from './gate.mjs';

describe('faults', { skip }, () => {
  let bucket;
  let gate;
  let somebody;
  before(async () => {
    somebody = await site({
      '/': '<postern-upload name="photos" preset="forms" multiple></postern-upload>',
      '/brief': '<postern-upload name="photos" preset="brief" multiple></postern-upload>',
      '/parts': '<postern-upload name="photos" preset="parts" multiple></postern-upload>',
    });
    bucket = await troubled();
    gate = await open({
      presets: [
        { name: 'forms', transfer: 'post' },
        { name: 'brief', transfer: 'post', life: '6s' },
        { name: 'parts', max_bytes: 60e6, transfer: 'multipart', part_size: 5 * 2 ** 20 },
      ],
      args: ['--origin', somebody.url, '--bucket-url', `${bucket.url}/postern`],
    });
    bucket.before(gate.bucket);
    somebody.with(gate);
  });
  after(async () => {
    await gate?.close();
    bucket?.close();
    somebody?.close();
  });

  async function go(t, path = '/') {
    bucket.slow(0);
    bucket.down(false);
    bucket.fail(0);
    bucket.cut(0);
    const context = await gate.browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    await page.goto(somebody.url + path);
    await page.getByText(/up to \d+ MB/).waitFor();
    return page;
  }
  const state = (page, name, s) => row(page, name).and(page.locator(`[data-state=${s}]`));
  const named = async (name) => (await (await fetch(`${gate.url.replace(/\/$/, '')}/uploads?limit=200`)).json()).uploads.filter((u) => u.filename === name);
  const large = (name) => photo(gate, name, { width: 1600, height: 1200, noise: 120 });

  test('the bucket is gone for 20 seconds: what was on its way gets there by itself, once', { timeout: 120_000 }, async (t) => {
    const page = await go(t);
    bucket.slow(200_000);
    await give(page, await large('gone-1.jpg'), await large('gone-2.jpg'));
    await row(page, 'gone-1.jpg').getByText(/Uploading [1-9]/).waitFor();
    bucket.slow(0);
    bucket.down(true);
    await row(page, 'gone-1.jpg').getByText('Connection trouble').waitFor();
    await page.evaluate(() => new Promise((done) => setTimeout(done, 20_000))); // the outage itself
    for (const name of ['gone-1.jpg', 'gone-2.jpg']) assert.equal(await state(page, name, 'failed').count(), 0, 'it is not given up');
    bucket.down(false);
    for (const name of ['gone-1.jpg', 'gone-2.jpg']) {
      await state(page, name, 'ready').waitFor({ timeout: 60_000 });
      assert.equal((await named(name)).length, 1);
    }
  });

  test('a line that is cut in the middle of a part: that part again, and no other', async (t) => {
    const page = await go(t, '/parts');
    const from = bucket.puts.length;
    bucket.cut(1);
    await give(page, await photo(gate, 'cut.png', { width: 2400, height: 1800, noise: 255 }));
    await state(page, 'cut.png', 'ready').waitFor();
    const sent = bucket.puts.slice(from);
    // Chromium itself sends a PUT again when a connection that it had used before breaks.
    assert.ok(sent.length - new Set(sent).size === 1, `${sent}`);
  });

  test('503 with Retry-After: not sooner than it says', async (t) => {
    const page = await go(t, '/parts');
    await page.evaluate(() => { Math.random = () => 0; }); // without it, at once
    bucket.fail(1, 0, 3);
    const begun = Date.now();
    await give(page, await photo(gate, 'later.jpg'));
    await state(page, 'later.jpg', 'ready').waitFor();
    assert.ok(Date.now() - begun >= 3000, `${Date.now() - begun} ms`);
  });

  test('a grant that ran out before the bytes got through is renewed, and the file arrives once', async (t) => {
    const page = await go(t, '/brief');
    const requests = await wire(page);
    bucket.down(true);
    await give(page, await photo(gate, 'brief.jpg'));
    await row(page, 'brief.jpg').getByText('Connection trouble').waitFor();
    await page.evaluate(() => new Promise((done) => setTimeout(done, 6500))); // its life
    bucket.down(false);
    await state(page, 'brief.jpg', 'ready').waitFor({ timeout: 60_000 });
    const grants = [...requests.values()].filter((r) => r.method === 'POST' && r.url?.endsWith('/uploads'));
    assert.ok(grants.length >= 2, `${grants.length} grants`);
    assert.equal((await named('brief.jpg')).length, 1);
  });

  test('offline, then online: nothing is tried meanwhile', async (t) => {
    const page = await go(t);
    await page.context().setOffline(true);
    await give(page, await photo(gate, 'off.jpg'));
    await row(page, 'off.jpg').getByText('Connection trouble').waitFor();
    const requests = await wire(page);
    await page.evaluate(() => new Promise((done) => setTimeout(done, 3000)));
    assert.deepEqual([...requests.values()].filter((r) => /uploads/.test(r.url ?? '')).map((r) => r.url), []);
    await page.context().setOffline(false);
    await state(page, 'off.jpg', 'ready').waitFor();
  });

  test('paused in the middle, it stands still; then it goes on with what the bucket has', async (t) => {
    const page = await go(t, '/parts');
    bucket.slow(2_000_000);
    const from = bucket.puts.length;
    const file = await photo(gate, 'pause.png', { width: 2700, height: 2100, noise: 255 });
    await give(page, file);
    const there = row(page, 'pause.png');
    await page.waitForFunction(() => document.querySelector('postern-upload').items[0].sent > 0.5);
    await there.getByRole('button', { name: 'Pause pause.png' }).click();
    await there.getByText('Paused').waitFor();
    const before = bucket.puts.length;
    await page.evaluate(() => new Promise((done) => setTimeout(done, 1000)));
    assert.equal(bucket.puts.length, before);
    bucket.slow(0);
    await there.getByRole('button', { name: 'Resume pause.png' }).click();
    await state(page, 'pause.png', 'ready').waitFor();
    const parts = Math.ceil(file.buffer.length / (5 * 2 ** 20));
    assert.ok(bucket.puts.length - from <= parts + 3);
    assert.equal((await named('pause.png')).length, 1);
  });

  test('all of them held, and let go, by one button', async (t) => {
    const page = await go(t);
    bucket.slow(150_000);
    await give(page, await large('all-1.jpg'), await large('all-2.jpg'));
    await row(page, 'all-2.jpg').getByText(/Uploading [1-9]/).waitFor();
    const hold = page.locator('postern-upload .all button');
    await hold.click();
    await state(page, 'all-1.jpg', 'paused').waitFor();
    await state(page, 'all-2.jpg', 'paused').waitFor();
    await hold.getByText('Resume').waitFor();
    assert.equal(await page.locator('postern-upload .all progress').getAttribute('aria-label'), 'Photos');
    bucket.slow(0);
    await hold.click();
    await state(page, 'all-1.jpg', 'ready').waitFor();
    await state(page, 'all-2.jpg', 'ready').waitFor();
    assert.equal(await page.locator('postern-upload .all').isVisible(), false, 'with nothing left to do the line goes');
    assert.equal(await rows(page).count(), 2);
  });
});
