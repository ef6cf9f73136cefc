// examples/react and examples/vue, as an application has them: bundled with the
// package for npm, at work in somebody's page. React is bundled in parts and in
// StrictMode, Vue into one file: the element has to go with both.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { choose, give, open, photo, row, rows, skip as noGate, slow, wire } from './gate.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const examples = join(here, '..', '..', 'examples');
const build = join(here, '..', 'build');
const run = promisify(execFile);

const skip = noGate || (!['react', 'vue'].every((name) => existsSync(join(examples, name, 'node_modules'))) &&
  'SKIPPED: the node_modules of examples/react and examples/vue are missing; make compat installs them');

/** Single file components become TypeScript, as Vue's own plugins do it. */
async function compile(folder) {
  const { compileScript, parse } = createRequire(join(folder, 'package.json'))('vue/compiler-sfc');
  const cache = join(folder, '.cache');
  await rm(cache, { recursive: true, force: true });
  await mkdir(cache);
  for (const name of ['PhotoUpload.vue', 'App.vue']) {
    const filename = join(folder, name);
    const { descriptor, errors } = parse(await readFile(filename, 'utf8'), { filename, templateParseOptions: { isCustomElement: (tag) => tag === 'postern-upload' } });
    assert.deepEqual(errors, []);
    const { content } = compileScript(descriptor, { id: name, inlineTemplate: true });
    await writeFile(join(cache, `${name}.ts`), content);
  }
  await cp(join(folder, 'main.ts'), join(cache, 'main.ts'));
  return join(cache, 'main.ts');
}

/** A server with what was bundled in a folder, and a page for each: /react/ and /vue/. */
async function serve(folder) {
  let gate;
  const server = http.createServer(async (r, w) => {
    const { pathname, searchParams } = new URL(r.url, 'http://x');
    if (extname(pathname) === '.js') {
      w.setHeader('content-type', 'text/javascript');
      w.end(await readFile(join(folder, pathname)).catch(() => { w.statusCode = 404; }));
      return;
    }
    let body = '';
    for await (const some of r) body += some;
    w.setHeader('content-type', 'text/html; charset=utf-8');
    w.end(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Somebody's application</title><link rel="icon" href="data:,">
${r.method === 'POST' ? `<pre id="posted">${body.replace(/&/g, '&amp;')}</pre>` : `<div id="app" data-gate="${gate}" data-lang="${searchParams.get('lang') ?? 'en'}"></div><script type="module" src="main.js"></script>`}`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    with(url) { gate = url; },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const bundles = {
  react: { entry: (folder) => join(folder, 'main.tsx'), flags: ['--splitting', '--jsx=automatic', '--jsx-dev'] },
  vue: { entry: compile, flags: ['--define:__VUE_OPTIONS_API__=false', '--define:__VUE_PROD_DEVTOOLS__=false', '--define:__VUE_PROD_HYDRATION_MISMATCH_DETAILS__=false'] },
};

describe('examples', { skip, timeout: 240_000 }, () => {
  let gate;
  let app;
  let folder;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'postern-examples-'));
    await run('go', ['run', '-C', build, '.', '-npm', join(examples, 'node_modules', 'postern-upload')]);
    for (const [name, { entry, flags }] of Object.entries(bundles)) {
      // Development builds: they warn of what they do not like.
      await run('go', ['run', '-C', build, 'github.com/evanw/esbuild/cmd/esbuild', '--log-level=warning', '--bundle', '--format=esm', '--target=es2022',
        '--define:process.env.NODE_ENV="development"', '--entry-names=main', `--outdir=${join(folder, name)}`, ...flags, await entry(join(examples, name))]);
    }
    app = await serve(folder);
    gate = await open({ args: ['--origin', app.url] });
    app.with(gate.url.replace(/\/$/, ''));
  });
  after(async () => {
    await gate?.close();
    app?.close();
    if (folder) await rm(folder, { recursive: true });
  });

  test('the wrapper for React has the types of the element', async () => {
    await run(join(here, '..', 'node_modules', '.bin', 'tsc'), ['-p', join(examples, 'react')]);
  });

  for (const name of Object.keys(bundles)) describe(name, () => {
    async function go(t, query = '') {
      const context = await gate.browser.newContext();
      t.after(() => context.close());
      const page = await context.newPage();
      const faults = [];
      page.on('pageerror', (e) => faults.push(String(e)));
      page.on('console', (m) => {
        if (m.type() === 'error' || m.type() === 'warning') faults.push(m.text());
      });
      const requests = await wire(page);
      const sent = (method, path) => [...requests.values()].filter((r) => r.method === method && r.url.startsWith(gate.url) && path.test(new URL(r.url).pathname));
      await page.goto(`${app.url}/${name}/${query}`);
      await page.getByText(/\d+ MB/).waitFor();
      return { page, faults, sent };
    }
    const state = (page) => page.locator('#photos-state');
    const held = async (page) => (await state(page).innerText()).split(' ').filter(Boolean);
    const formed = (page) => page.evaluate(() => new FormData(document.querySelector('form')).getAll('photos'));
    const said = (page, text) => page.locator('#said').getByText(text, { exact: true }).waitFor();
    const ready = (page, name) => row(page, name).and(page.locator('[data-state=ready]')).waitFor();
    const holds = (page, n) => page.waitForFunction((n) => document.getElementById('photos-state').textContent.split(' ').filter(Boolean).length === n, n);
    const asked = async (id) => {
      const answer = await fetch(new URL(`uploads/${id}`, gate.url));
      return answer.ok ? (await answer.json()).state : answer.status;
    };

    test('a photo is picked and is ready: the state and the form hold its id; removed, they are empty', async (t) => {
      const { page, faults, sent } = await go(t);
      assert.equal(await page.getByRole('button', { name: 'Post' }).isDisabled(), true);
      await choose(page, [await photo(gate, 'a.jpg')]);
      await ready(page, 'a.jpg');
      await holds(page, 1);
      await said(page, 'a.jpg: 640 pixels wide');
      const [id] = await held(page);
      assert.deepEqual(await formed(page), [id]);
      const u = await (await fetch(new URL(`uploads/${id}`, gate.url))).json();
      assert.deepEqual([u.state, u.filename, u.metadata], ['ready', 'a.jpg', { album: '42' }]);
      assert.equal(sent('POST', /\/uploads$/).length, 1, 'one file is granted once, mounted twice or not');

      await page.getByRole('button', { name: 'Remove a.jpg' }).click();
      await holds(page, 0);
      assert.deepEqual(await formed(page), []);
      assert.equal(await rows(page).count(), 0);
      assert.equal(await page.getByRole('button', { name: 'Post' }).isDisabled(), true);
      assert.deepEqual(faults, []);
    });

    test('what the application may say: which files, whether any, in which order; and what it is told', async (t) => {
      const { page, faults } = await go(t);
      assert.deepEqual(await page.evaluate(() => {
        const u = document.querySelector('postern-upload');
        return ['name', 'keep', 'multiple', 'required', 'sortable', 'disabled', 'preset', 'metadata'].map((n) => u.getAttribute(n)).concat(typeof u.resume, u.multiple);
      }), ['photos', 'off', '', '', '', null, null, null, 'function', true]);

      await choose(page, [await photo(gate, 'secret.jpg'), await photo(gate, 'a.jpg'), await photo(gate, 'b.jpg')]);
      await holds(page, 2);
      assert.equal(await row(page, 'secret.jpg').count(), 0);
      const before = await formed(page);
      assert.deepEqual(await held(page), before);
      await page.getByRole('button', { name: /Move up b\.jpg|b\.jpg.*up|up.*b\.jpg/i }).click();
      await page.waitForFunction((ids) => document.getElementById('photos-state').textContent === ids, before.toReversed().join(' '));
      assert.deepEqual(await formed(page), before.toReversed());

      await give(page, { name: 'void.jpg', mimeType: 'image/jpeg', buffer: Buffer.alloc(0) });
      await said(page, 'void.jpg: empty_file');
      await page.getByRole('button', { name: 'Remove void.jpg' }).click();

      await page.getByLabel('Locked').check();
      await page.waitForFunction(() => document.querySelector('postern-upload').matches(':disabled'));
      assert.equal(await page.getByRole('button', { name: 'Choose photos' }).isDisabled(), true);
      await page.getByLabel('Locked').uncheck();
      await page.waitForFunction(() => !document.querySelector('postern-upload').hasAttribute('disabled'));

      await page.getByRole('button', { name: 'Post' }).click();
      await page.locator('#posted').waitFor();
      assert.deepEqual(new URLSearchParams(await page.locator('#posted').innerText()).getAll('photos'), before.toReversed());
      assert.deepEqual(faults, []);
    });

    test('unmounted: what is under way ends, on the server too; what is ready stays, and so does the state', async (t) => {
      const { page, faults, sent } = await go(t);
      await give(page, await photo(gate, 'kept.jpg'));
      await ready(page, 'kept.jpg');
      await holds(page, 1);
      const [kept] = await held(page);
      await slow(page, 40_000);
      await give(page, await photo(gate, 'way.jpg', { width: 1200, height: 900, noise: 90 }));
      await row(page, 'way.jpg').getByText(/Uploading [1-9]/).waitFor();
      const way = await page.evaluate(() => document.querySelector('postern-upload').items.find((i) => i.file.name === 'way.jpg').id);
      assert.equal(await asked(way), 'granted');
      const gone = page.waitForResponse((r) => r.request().method() === 'DELETE' && r.url().endsWith(way));
      const cut = page.waitForEvent('requestfailed', (r) => r.method() === 'POST' && r.url().startsWith(gate.bucket));

      await page.getByLabel('With photos').uncheck();
      assert.equal(await page.locator('postern-upload').count(), 0);
      await Promise.all([gone, cut]);
      await slow(page, 0);
      assert.deepEqual(sent('DELETE', /./).map((r) => new URL(r.url).pathname.split('/').at(-1)), [way]);
      assert.equal(await asked(kept), 'ready');
      assert.equal(await asked(way), 'granted', 'it never arrived');
      assert.deepEqual(await held(page), [kept]);

      // Mounted again it is another one: empty, and at work.
      await page.getByLabel('With photos').check();
      await page.getByText(/up to \d+ MB/).waitFor();
      assert.equal(await rows(page).count(), 0);
      await give(page, await photo(gate, 'again.jpg'));
      await ready(page, 'again.jpg');
      await page.waitForFunction((kept) => ![kept, ''].includes(document.getElementById('photos-state').textContent), kept);
      assert.deepEqual(await held(page), await formed(page));
      assert.equal(sent('POST', /\/uploads$/).length, 3);
      assert.deepEqual(faults, []);
    });

    test('its methods can be called, it speaks the language that the application asks for, and has its worker', async (t) => {
      const { page, faults } = await go(t, '?lang=de');
      await page.getByRole('button', { name: 'Fotos auswählen' }).waitFor();
      await slow(page, 40_000);
      await give(page, await photo(gate, 'way.jpg', { width: 1200, height: 900, noise: 90 }));
      await row(page, 'way.jpg').getByText(/Wird hochgeladen, [1-9]/).waitFor();
      // In parts or in one file: its picture is drawn by a worker.
      await row(page, 'way.jpg').locator('canvas[data-drawn]').waitFor({ state: 'attached' });
      assert.equal(page.workers().length, 1);
      await page.getByRole('button', { name: 'Hold' }).click();
      await row(page, 'way.jpg').getByText('Angehalten').waitFor();
      await slow(page, 0);
      await row(page, 'way.jpg').getByRole('button', { name: 'way.jpg: Fortsetzen' }).click();
      await row(page, 'way.jpg').and(page.locator('[data-state=ready]')).waitFor();
      await holds(page, 1);
      assert.deepEqual(faults, []);
    });
  });
});
