// The plain form, in a browser that runs no script.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { open, settled, skip, until } from './gate.mjs';
import { photo } from './pictures.mjs';

describe('a form without script', { skip, timeout: 120_000 }, () => {
  let gate;
  before(async () => { gate = await open(); });
  after(() => gate?.close());

  const show = async (t, preset) => {
    gate.line.forget();
    const context = await gate.browser.newContext({ javaScriptEnabled: false });
    t.after(() => context.close());
    const page = await context.newPage();
    const faults = [];
    page.on('console', (m) => { // violations of the page's policy as well
      const { url } = m.location();
      // The icon is the browser's own idea.
      if (m.type() === 'error' && !url.endsWith('/favicon.ico')) faults.push(`${m.text()} ${url}`);
    });
    await page.goto(`${gate.url}/form?preset=${preset}`);
    return { page, faults };
  };
  const send = async (page, file) => {
    await page.getByLabel('Picture').setInputFiles(file);
    await page.getByRole('button', { name: 'Send' }).click();
  };
  const heading = (page, name) => page.getByRole('heading', { name, level: 1 });

  test('a picture: the page by itself comes to show it', async (t) => {
    const file = await photo(gate, 'plain.jpg');
    const { page, faults } = await show(t, 'photos');
    await send(page, file);
    await page.waitForURL(/\/form\/done\/[0-9a-z]+(\?|$)/);
    await heading(page, 'The picture is ready').waitFor();
    const picture = page.getByRole('img', { name: 'The picture you sent' });
    await until('the picture shows', () => picture.evaluate((i) => i.complete && i.naturalWidth > 0));
    assert.deepEqual(await picture.evaluate((i) => [i.naturalWidth, i.naturalHeight]), [640, 480]);
    const up = await settled(gate, undefined); // a policy cannot carry the name of a file that nobody has chosen yet
    assert.deepEqual([up.state, up.type, up.size], ['ready', 'image/jpeg', file.buffer.length]);
    assert.ok(page.url().includes(up.id));
    assert.deepEqual(gate.line.seen.filter((r) => r.method === 'POST').map((r) => r.status), [303]);

    await page.getByRole('link', { name: 'Send another one' }).click();
    await heading(page, 'Send a picture').waitFor();
    assert.deepEqual(faults, []);
  });

  test('what is no picture: rejected, in words', async (t) => {
    const { page, faults } = await show(t, 'photos');
    await send(page, { name: 'spoof.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('not a picture at all') });
    await heading(page, 'The picture was not accepted').waitFor();
    assert.notEqual(await page.getByRole('status').innerText(), '');
    await page.getByRole('link', { name: 'Try another one' }).click();
    await heading(page, 'Send a picture').waitFor();
    assert.deepEqual(faults, []);
  });

  test('a form that has run out says so, and offers a fresh one', async (t) => {
    const { page, faults } = await show(t, 'brief');
    await page.getByRole('status').getByText('This page has expired').waitFor();
    await page.getByRole('button', { name: 'Send' }).waitFor({ state: 'hidden' });
    await page.getByRole('link', { name: 'Open a fresh one' }).click();
    await page.getByRole('button', { name: 'Send' }).waitFor();
    const file = await photo(gate, 'fresh.jpg');
    await send(page, file);
    await heading(page, 'The picture is ready').waitFor();
    assert.deepEqual(faults, []);
  });
});
