// The same short list in three engines: every way to the bucket, cancel, try
// again, a reload in the middle, a form with script and one without.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import * as chromium from './engines/chromium.mjs';
import * as firefox from './engines/firefox.mjs';
import * as webkit from './engines/webkit.mjs';
import { open, site, skip, troubled } from './gate.mjs';

/** A JPEG of 8 by 8 pixels. */
const small = Buffer.from('/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/wAALCAAIAAgBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/APRK/9k=', 'base64');

for (const engine of [chromium, firefox, webkit]) {
  const lacking = skip || (engine.missing && `SKIPPED: ${engine.missing}`);
  if (lacking && process.env.POSTERN_ENGINES_REQUIRED) throw new Error(`${engine.name} is required here: ${lacking}`);

  describe(`in ${engine.name}`, { skip: lacking }, () => {
    let bucket;
    let gate;
    let somebody;
    let folder;
    let page;
    before(async () => {
      const element = (preset) => `<form method="post" action="/posts"><postern-upload name="photos" preset="${preset}" multiple></postern-upload><button id="send">Post</button></form>`;
      somebody = await site({ '/form': element('form'), '/put': element('put'), '/parts': element('parts') });
      bucket = await troubled();
      gate = await open({
        alone: true,
        presets: [
          { name: 'form', transfer: 'post' }, { name: 'put', transfer: 'put' },
          { name: 'parts', transfer: 'multipart', part_size: 5 * 2 ** 20, max_bytes: 100e6 },
        ],
        args: ['--origin', somebody.url, '--bucket-url', `${bucket.url}/postern`, '--compat', 'form'],
      });
      bucket.before(gate.bucket);
      somebody.with(gate);
      folder = await mkdtemp(join(tmpdir(), 'postern-files-'));
      page = await engine.open();
    });
    after(async () => {
      await page?.close();
      await gate?.close();
      bucket?.close();
      somebody?.close();
      if (folder) await rm(folder, { recursive: true, force: true });
    });

    async function go(path) {
      bucket.slow(0);
      bucket.fail(0);
      await page.go(somebody.url + path);
      await until('the element is there', () => page.run(() => !!document.querySelector('postern-upload').shadowRoot?.querySelector('.hint').textContent));
    }
    async function until(what, holds) {
      for (let i = 0; i < 400; i++) {
        if (await holds()) return;
        await new Promise((done) => setTimeout(done, 50));
      }
      const rows = await page.run(() => document.querySelector('postern-upload')?.shadowRoot.textContent).catch(() => '');
      assert.fail(`it never came to this: ${what}; ${rows}`);
    }
    async function pick(...names) {
      const files = [];
      for (const n of names) {
        files.push(join(folder, n));
        await writeFile(files.at(-1), small);
      }
      await page.pick(files);
    }
    /** A PNG of noise, which nothing makes small: some 14 MB, three parts. */
    const noise = (name) => page.run(async (name) => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 2400, height: 1500 });
      const c = canvas.getContext('2d');
      const d = c.createImageData(canvas.width, canvas.height);
      const words = new Uint32Array(d.data.buffer);
      for (let i = 0, x = 7; i < words.length; i++) {
        x ^= x << 13; x ^= x >>> 17; x ^= x << 5;
        words[i] = x | 0xff000000;
      }
      c.putImageData(d, 0, 0);
      const blob = await new Promise((done) => canvas.toBlob(done, 'image/png'));
      document.querySelector('postern-upload').add([new File([blob], name, { type: 'image/png', lastModified: 1 })]);
      return blob.size;
    }, name);
    const item = (name) => page.run((n) => {
      const i = document.querySelector('postern-upload').items.find((x) => x.file.name === n);
      return i && { state: i.state, sent: i.sent, problem: i.problem };
    }, name);
    const ready = (name) => until(`${name} is ready`, async () => (await item(name))?.state === 'ready');
    const press = (label) => page.run((l) => document.querySelector('postern-upload').shadowRoot.querySelector(`[aria-label="${l}"]`).click(), label);
    const uploads = async (name) => (await (await fetch(`${gate.url.replace(/\/$/, '')}/uploads?limit=200`)).json()).uploads.filter((u) => u.filename === name);

    for (const way of ['form', 'put']) {
      test(`by ${way}, then with the page’s form`, async () => {
        await go(`/${way}`);
        await pick(`${way}-1.jpg`, `${way}-2.jpg`);
        await ready(`${way}-1.jpg`);
        await ready(`${way}-2.jpg`);
        const ids = await page.run(() => document.querySelector('postern-upload').value);
        assert.equal(ids.length, 2);
        await until('previews are drawn', () => page.run(() => document.querySelector('postern-upload').shadowRoot.querySelectorAll('canvas[data-drawn]').length === 2));
        await page.click('#send');
        await until('it is posted', () => page.run(() => !!document.getElementById('posted')));
        assert.deepEqual(new URLSearchParams(await page.run(() => document.getElementById('posted').textContent)).getAll('photos'), ids);
      });
    }

    test('in parts, with one that fails at first', async () => {
      await go('/parts');
      bucket.fail(1, 1);
      const from = bucket.puts.length;
      const bytes = await noise('parts.png');
      await ready('parts.png');
      assert.equal(bucket.puts.length - from, Math.ceil(bytes / (5 * 2 ** 20)) + 1);
      assert.equal((await uploads('parts.png'))[0].size, bytes);
    });

    test('canceled in the middle', async () => {
      await go('/parts');
      bucket.slow(1_000_000);
      await noise('stop.png');
      await until('it is on its way', async () => (await item('stop.png'))?.sent > 0);
      await press('Cancel stop.png');
      assert.ok(!(await item('stop.png')));
      assert.deepEqual(await uploads('stop.png'), []);
    });

    test('given up, and tried again by hand', async () => {
      await go('/put');
      await page.run(() => { Math.random = () => 0; });
      bucket.fail(100);
      await pick('again.jpg');
      await until('it is given up', async () => (await item('again.jpg'))?.state === 'failed');
      assert.equal((await item('again.jpg')).problem.code, 'bucket_refused');
      bucket.fail(0);
      await press('Try again again.jpg');
      await ready('again.jpg');
    });

    test('reloaded in the middle, it goes on, and no part is sent twice that had arrived', async () => {
      await go('/parts');
      const from = bucket.puts.length;
      bucket.slow(1_500_000);
      const bytes = await noise('reload.png');
      await until('some of it is there', async () => (await item('reload.png'))?.sent > 0.3);
      // With its bytes, but in WebKit: sessions that are automated keep no files.
      await until('it is noted', () => page.run((bytes) => new Promise((done) => {
        if (!localStorage.postern) return done(false); // nor a database
        setTimeout(done, 1000, false);
        const r = indexedDB.open('postern');
        r.onsuccess = () => {
          const t = r.result.transaction(['files', 'bytes']);
          const [all, kept] = [t.objectStore('files').getAll(), t.objectStore('bytes').getAllKeys()];
          t.oncomplete = () => { r.result.close(); done(all.result.some((n) => n.trace && n.facts.name === 'reload.png' && (kept.result.includes(n.place) || !bytes))); };
        };
      }), engine !== webkit));
      await page.reload();
      bucket.slow(0);
      await until('the element is there', () => page.run(() => !!document.querySelector('postern-upload').shadowRoot?.querySelector('.hint').textContent));
      if (engine === webkit) {
        await until('it asks for the file', async () => (await item('reload.png'))?.problem?.code === 'unreadable');
        await noise('reload.png');
      }
      await ready('reload.png');
      const parts = Math.ceil(bytes / (5 * 2 ** 20));
      assert.ok(bucket.puts.length - from <= parts + 3, `${bucket.puts.slice(from)}`);
      assert.equal((await uploads('reload.png')).length, 1);
    });

    test('without script, by the gate’s plain form', async (t) => {
      // WebKit's driver works by script itself; the form has none in any case.
      const plain = engine === webkit ? page : await engine.open({ script: false });
      if (plain !== page) t.after(() => plain.close());
      await writeFile(join(folder, 'plain.jpg'), small);
      await plain.go(`${gate.url.replace(/\/$/, '')}/form?preset=form`);
      await plain.fill('input[type=file]', [join(folder, 'plain.jpg')]);
      await plain.click('button');
      await until('the bucket has sent it back', async () => /\/form\/done\//.test(await plain.url()));
      const [, id] = /\/form\/done\/([0-9a-v]+)/.exec(await plain.url());
      await until('it is ready', async () => (await (await fetch(`${gate.url.replace(/\/$/, '')}/uploads/${id}`)).json()).state === 'ready');
    });
  });
}
