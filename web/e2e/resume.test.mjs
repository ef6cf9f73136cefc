// A page that goes away in the middle, and the next one that goes on from there.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { give, open, photo, row, rows, site, skip, troubled } from './gate.mjs';

describe('going on', { skip }, () => {
  let bucket;
  let gate;
  let somebody;
  before(async () => {
    somebody = await site({
      '/': '<postern-upload name="photos" preset="photos" multiple></postern-upload>',
      '/parts': '<postern-upload name="photos" preset="parts" multiple></postern-upload>',
      '/parts/2': '<postern-upload name="photos" preset="parts" multiple></postern-upload>',
      '/parts/eve': '<postern-upload name="photos" preset="parts" multiple keep="eve"></postern-upload>',
      '/parts/off': '<postern-upload name="photos" preset="parts" multiple keep="off"></postern-upload>',
    });
    bucket = await troubled();
    const max_bytes = 200e6;
    gate = await open({
      presets: [{ name: 'photos', max_bytes, transfer: 'put' }, { name: 'parts', max_bytes, transfer: 'multipart', part_size: 5 * 2 ** 20 }],
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

  const someone = async (t) => {
    const context = await gate.browser.newContext();
    t.after(() => context.close());
    t.after(() => bucket.slow(0));
    return context;
  };
  async function visit(context, path) {
    const page = await context.newPage();
    page.on('dialog', (d) => void d.accept()); // it asks before it leaves
    await page.goto(somebody.url + path);
    await page.getByText(/up to \d+ MB/).waitFor();
    return page;
  }
  /** What is noted in this browser: of which file, whether its grant is known and its bytes are kept. */
  const noted = (page) => page.evaluate(() => localStorage.postern ? new Promise((done) => {
    const r = indexedDB.open('postern');
    r.onsuccess = () => {
      const t = r.result.transaction(['files', 'bytes']);
      const [all, kept] = [t.objectStore('files').getAll(), t.objectStore('bytes').getAllKeys()];
      t.oncomplete = () => {
        r.result.close();
        done(all.result.map((n) => ({ name: n.facts.name, granted: !!n.trace, kept: kept.result.includes(n.place) })));
      };
    };
  }) : []);
  const state = (page, name, s) => row(page, name).and(page.locator(`[data-state=${s}]`));
  const uploads = async () => (await (await fetch(`${gate.url.replace(/\/$/, '')}/uploads?limit=200`)).json()).uploads;
  /** Resolves once the condition holds. */
  async function until(what, holds) {
    for (let i = 0; i < 600; i++) {
      if (await holds()) return;
      await new Promise((done) => setImmediate(() => setTimeout(done, 20)));
    }
    assert.fail(`it never came to this: ${what}`);
  }
  /** Some 24 MB of a real picture, in five parts. */
  let large;
  const picture = async () => (large ??= await photo(gate, 'large.png', { width: 3300, height: 2500, noise: 255 }));
  const heavy = async (name) => ({ ...(await picture()), name });

  test('in parts, closed in the middle and opened again: by itself, and no part twice', async (t) => {
    const context = await someone(t);
    const from = bucket.puts.length;
    bucket.slow(4_000_000);
    const first = await visit(context, '/parts');
    await give(first, await heavy('again.png'));
    await until('two parts are there', async () => (await first.evaluate(() => document.querySelector('postern-upload').items[0]?.sent)) > 0.5);
    await until('it is noted, with its bytes', async () => (await noted(first)).some((n) => n.granted && n.kept));
    await first.close();
    bucket.slow(0);
    const second = await visit(context, '/parts');
    await state(second, 'again.png', 'ready').waitFor();
    const sent = bucket.puts.slice(from);
    const count = Math.ceil((await picture()).buffer.length / (5 * 2 ** 20));
    // What was cut off in the middle goes again: three at once, at most.
    assert.ok(sent.length <= count + 3, `${sent.length} parts for ${count}: ${sent}`);
    assert.ok(sent.length < 2 * count);
    assert.equal((await uploads()).filter((u) => u.filename === 'again.png').length, 1, 'nothing doubled');
    // A page that holds a lock is not kept by browsers for going back to it.
    await until('the lock is given back', async () => !(await second.evaluate(async () => (await navigator.locks.query()).held.length)));
    assert.deepEqual(await second.evaluate(() => document.querySelector('postern-upload').value.length), 1);

    await second.reload();
    await second.getByText(/up to \d+ MB/).waitFor();
    await until('nothing is noted any more', async () => !(await noted(second)).length);
  });

  test('what was all sent is not sent again', async (t) => {
    const context = await someone(t);
    const first = await visit(context, '/');
    const from = bucket.puts.length;
    // The bucket has it, but the page never learns: it is closed before it may say so.
    await first.evaluate(() => {
      const real = fetch;
      globalThis.fetch = (url, o) => (`${url}`.endsWith('/complete') ? new Promise(() => {}) : real(url, o));
    });
    await give(first, await photo(gate, 'whole.jpg', { width: 900, height: 600, noise: 80 }));
    await until('it is sent and noted', async () => bucket.puts.length > from && (await noted(first)).some((n) => n.granted));
    await first.close();
    const second = await visit(context, '/');
    await state(second, 'whole.jpg', 'ready').waitFor();
    assert.equal(bucket.puts.length - from, 1);
  });

  test('one page has a file: another that is open at the same time leaves it alone', async (t) => {
    const context = await someone(t);
    bucket.slow(1_500_000);
    const first = await visit(context, '/parts');
    await give(first, await heavy('mine.png'));
    await until('it is on its way', async () => (await first.evaluate(() => document.querySelector('postern-upload').items[0]?.sent)) > 0.05);
    await until('and noted', () => first.evaluate(() => !!localStorage.postern));
    const second = await visit(context, '/parts');
    await second.evaluate(() => navigator.locks.query()); // it has had its look
    assert.equal(await rows(second).count(), 0);
    bucket.slow(0);
    await state(first, 'mine.png', 'ready').waitFor();
    assert.equal(await rows(second).count(), 0);
    assert.equal((await uploads()).filter((u) => u.filename === 'mine.png').length, 1);
  });

  test('two pages that are opened at once, as after a crash: one of them goes on', async (t) => {
    const context = await someone(t);
    bucket.slow(1_500_000);
    const first = await visit(context, '/parts');
    await give(first, await heavy('crash.png'));
    await until('it is noted', () => first.evaluate(() => !!localStorage.postern));
    await first.close();
    const pages = await Promise.all([1, 2, 3].map(() => visit(context, '/parts')));
    const having = async () => (await Promise.all(pages.map((p) => rows(p).count()))).reduce((a, b) => a + b, 0);
    await until('one of them has it', async () => (await having()) > 0);
    for (const p of pages) await p.evaluate(() => navigator.locks.request('postern', () => undefined)); // each has had its turn
    assert.equal(await having(), 1);
    bucket.slow(0);
    await until('it is ready', async () => (await uploads()).some((u) => u.filename === 'crash.png' && u.state === 'ready'));
    assert.equal((await uploads()).filter((u) => u.filename === 'crash.png').length, 1);
  });

  test('too large to be kept: it is asked for again, and goes on where it was', async (t) => {
    const context = await someone(t);
    bucket.slow(3_000_000);
    const first = await visit(context, '/parts');
    const file = await heavy('huge.png');
    assert.ok(3 * file.buffer.length > 64 * 2 ** 20, 'the third does not find room for its bytes');
    for (const i of [1, 2]) await give(first, { ...file, name: `filler-${i}.png` });
    await give(first, file);
    await until('some of it is there', async () => (await first.evaluate(() => document.querySelector('postern-upload').items.find((i) => i.file.name === 'huge.png')?.sent)) > 0.4);
    await until('it is noted without its bytes, and the others with theirs', async () => {
      const all = await noted(first);
      return all.some((n) => n.name === 'huge.png' && n.granted && !n.kept) && all.every((n) => n.kept || n.name === 'huge.png');
    });
    await first.close();
    bucket.slow(0);
    const second = await visit(context, '/parts');
    await row(second, 'huge.png').getByText('Choose the file again').waitFor();
    const fillers = async () => (await uploads()).filter((u) => u.filename.startsWith('filler') && u.state === 'ready');
    await until('the others are there, by this page or the one before', async () => (await fillers()).length === 2);
    const before = bucket.puts.length;
    const [picker] = await Promise.all([second.waitForEvent('filechooser'), row(second, 'huge.png').getByRole('button', { name: 'Try again huge.png' }).click()]);
    await picker.setFiles([]);
    await give(second, file);
    await state(second, 'huge.png', 'ready').waitFor();
    const count = Math.ceil(file.buffer.length / (5 * 2 ** 20));
    assert.ok(bucket.puts.length - before < count, `${bucket.puts.length - before} of ${count} parts were sent again`);
    assert.equal((await uploads()).filter((u) => u.filename === 'huge.png').length, 1);
  });

  test('a database that never answers keeps no upload waiting', async (t) => {
    const context = await someone(t);
    const page = await visit(context, '/');
    await page.evaluate(() => { indexedDB.open = () => ({}); });
    await give(page, await photo(gate, 'mute.jpg'));
    await state(page, 'mute.jpg', 'ready').waitFor();
  });

  test('what somebody else left is not shown, and nothing is noted where that is not wanted', async (t) => {
    const context = await someone(t);
    bucket.slow(1_000_000);
    const first = await visit(context, '/parts');
    await give(first, await heavy('alice.png'));
    await until('it is noted', () => first.evaluate(() => !!localStorage.postern));
    await first.close();
    const eve = await visit(context, '/parts/eve');
    const elsewhere = await visit(context, '/parts/2'); // the form of another post
    const off = await visit(context, '/parts/off');
    for (const page of [eve, elsewhere, off]) {
      await page.evaluate(() => navigator.locks.query());
      assert.equal(await rows(page).count(), 0);
    }
    bucket.slow(0);
    await give(off, await heavy('bob.png'));
    await state(off, 'bob.png', 'ready').waitFor();
    assert.deepEqual((await noted(off)).map((n) => n.name), ['alice.png']);
  });
});
