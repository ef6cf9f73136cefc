// The operator's page: in a real browser, by keyboard, and for everybody's eyes.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { axe, give, open, photo, row, site, skip } from './gate.mjs';

describe("the operator's page", { skip }, () => {
  let gate;
  let admin;
  before(async () => {
    gate = await open();
    admin = gate.metrics.replace('/metrics', '');
  });
  after(() => gate?.close());

  async function see(t, options = {}) {
    const context = await gate.browser.newContext(options);
    t.after(() => context.close());
    const page = await context.newPage();
    const wrong = [];
    page.on('console', (m) => m.type() === 'error' && wrong.push(m.text()));
    page.on('response', (r) => r.status() >= 400 && wrong.push(`${r.status()} ${r.url()}`));
    t.after(() => assert.deepEqual(wrong, []));
    await page.goto(admin);
    return page;
  }

  test('from an empty list to one that was deleted, by keyboard', async (t) => {
    const page = await see(t);
    await page.getByText('Nothing has been uploaded yet.').waitFor();
    assert.deepEqual(await axe(page), []);

    const visitor = await gate.browser.newPage();
    t.after(() => visitor.close());
    await visitor.goto(gate.url);
    await give(visitor, await photo(gate, 'cat.jpg'));
    await give(visitor, { name: 'paper.jpg', mimeType: 'image/jpeg', buffer: Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]), Buffer.from('JFIF\0'), Buffer.alloc(900)]) });
    await row(visitor, 'cat.jpg').and(visitor.locator('[data-state=ready]')).waitFor();
    await row(visitor, 'paper.jpg').and(visitor.locator('[data-state=rejected]')).waitFor();

    await page.reload();
    await page.getByText('ends too early').waitFor();
    for (const [width, colorScheme] of [[1280, 'light'], [360, 'dark']]) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await axe(page), [], `${width} ${colorScheme}`);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'it has to be scrolled sideways');
    }
    // Its picture is there, and was allowed.
    assert.equal(await page.locator('.uploads img').first().evaluate(async (i) => { await i.decode(); return i.naturalWidth > 0; }), true);

    await page.getByLabel('State').selectOption('ready');
    await page.getByRole('button', { name: 'Show' }).press('Enter');
    await page.getByText('paper.jpg').waitFor({ state: 'detached' });
    await page.getByRole('link', { name: 'cat.jpg' }).press('Enter');
    await page.getByText('Found to be').waitFor();
    assert.deepEqual(await axe(page), [], 'one upload');
    await page.getByRole('button', { name: 'Delete…' }).press('Enter');
    await page.getByText('cannot be undone').waitFor();
    assert.deepEqual(await axe(page), [], 'asking');
    await page.getByRole('link', { name: 'Keep it' }).press('Enter');
    await page.getByRole('button', { name: 'Delete…' }).press('Enter');
    await page.getByRole('button', { name: 'Delete it' }).press('Enter');
    await page.getByRole('status').getByText('The upload is deleted').waitFor();
    assert.equal(await page.getByText('cat.jpg').count(), 0);

    const list = await (await fetch(`${gate.url}/uploads`)).json();
    assert.deepEqual(list.uploads.map((u) => u.filename), ['paper.jpg']);
  });

  test('a page of another site cannot delete by its visitor', async (t) => {
    const visitor = await gate.browser.newPage();
    t.after(() => visitor.close());
    await visitor.goto(gate.url);
    await give(visitor, await photo(gate, 'kept.jpg'));
    await row(visitor, 'kept.jpg').and(visitor.locator('[data-state=ready]')).waitFor();
    const { uploads } = await (await fetch(`${gate.url}/uploads`)).json();
    const id = uploads.find((u) => u.filename === 'kept.jpg').id;
    const other = await site({ '/': `<form method="post" action="${admin}/uploads/${id}/delete"><button>Win a prize</button></form>` });
    t.after(() => other.close());
    await visitor.goto(other.url);
    const [answer] = await Promise.all([visitor.waitForResponse((r) => r.url().endsWith('/delete')), visitor.getByRole('button').click()]);
    assert.equal(answer.status(), 403);
    assert.equal((await (await fetch(`${gate.url}/uploads/${id}`)).json()).state, 'ready');
  });
});
