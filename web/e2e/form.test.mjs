// The element as a control of somebody else's form, on somebody else's origin.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { give, open, photo, row, rows, site, skip, slow } from './gate.mjs';

describe('in a form', { skip }, () => {
  let gate;
  let somebody;
  before(async () => {
    somebody = await site({
      '/': `<form method="post" action="/posts"><label for="u">Pictures</label>
        <postern-upload id="u" name="photos" multiple required></postern-upload><button>Post</button><button type="reset">Start over</button></form>`,
      '/other': '<postern-upload name="photos" multiple></postern-upload>',
      '/fields': '<form method="post" action="/posts"><fieldset><legend>x</legend><postern-upload name="photos" multiple></postern-upload></fieldset><button>Post</button></form>',
      '/sorted': '<form method="post" action="/posts"><postern-upload name="photos" multiple sortable></postern-upload><button>Post</button></form>',
      // As docs/element.md says it for visitors without script.
      '/plain': `<form method="post" action="/posts"><postern-upload name="photos"><input type="file" name="file" form="bucket" required multiple></postern-upload><button>Post</button></form>
        <form id="bucket" method="post" enctype="multipart/form-data" action="/elsewhere"></form>`,
    });
    gate = await open({ args: ['--origin', somebody.url] });
    somebody.with(gate);
  });
  after(async () => {
    await gate?.close();
    somebody?.close();
  });

  const hinted = (page) => page.getByText(/up to \d+ MB/).waitFor();
  async function go(t, path = '/') {
    const context = await gate.browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    await page.goto(somebody.url + path);
    await hinted(page);
    return page;
  }
  const validity = (page) => page.evaluate(() => {
    const u = document.querySelector('postern-upload');
    return { valid: u.checkValidity(), message: u.validationMessage, missing: u.validity.valueMissing };
  });
  const ready = (page, name) => row(page, name).and(page.locator('[data-state=ready]'));
  const posted = async (page) => new URLSearchParams(await page.locator('#posted').innerText()).getAll('photos');

  test('nothing chosen, on its way, failed, ready: when it may be sent, and why not', async (t) => {
    const page = await go(t);
    assert.deepEqual(await validity(page), { valid: false, message: 'Choose a photo', missing: true });
    await page.getByRole('button', { name: 'Post' }).click();
    assert.equal(await page.evaluate(() => document.activeElement.shadowRoot?.activeElement?.textContent), 'Choose photos', 'the browser leads to what is missing');
    assert.equal(new URL(page.url()).pathname, '/');

    await slow(page, 60_000);
    await give(page, await photo(gate, 'way.jpg', { width: 900, height: 700, noise: 90 }));
    await row(page, 'way.jpg').getByText(/Uploading [1-9]/).waitFor();
    assert.deepEqual(await validity(page), { valid: false, message: 'Uploads are under way.', missing: false });
    await page.getByRole('button', { name: 'Post' }).click();
    assert.equal(new URL(page.url()).pathname, '/');
    await slow(page, 0);
    await ready(page, 'way.jpg').waitFor();
    assert.equal((await validity(page)).valid, true);

    await give(page, { name: 'void.jpg', mimeType: 'image/jpeg', buffer: Buffer.alloc(0) });
    await row(page, 'void.jpg').getByText('is empty').waitFor();
    assert.deepEqual(await validity(page), { valid: false, message: 'Remove or retry what failed.', missing: false });
    await row(page, 'void.jpg').getByRole('button', { name: 'Remove void.jpg' }).click();
    const [id] = await page.evaluate(() => document.querySelector('postern-upload').value);
    await page.getByRole('button', { name: 'Post' }).click();
    await page.locator('#posted').waitFor();
    assert.deepEqual(await posted(page), [id]);
  });

  test('after going back everything stands where it was, and reset leaves what may be in use', async (t) => {
    const page = await go(t);
    await give(page, await photo(gate, 'one.jpg'), await photo(gate, 'two.jpg'));
    await ready(page, 'one.jpg').waitFor();
    await ready(page, 'two.jpg').waitFor();
    await page.getByRole('button', { name: 'Post' }).click();
    await page.locator('#posted').waitFor();
    const ids = await posted(page);
    assert.equal(ids.length, 2);
    // Not from the browser's memory of the page, but built anew.
    await page.goBack();
    await ready(page, 'one.jpg').waitFor();
    await ready(page, 'two.jpg').waitFor();
    assert.deepEqual(await page.evaluate(() => document.querySelector('postern-upload').value), ids);
    assert.equal((await validity(page)).valid, true);

    await row(page, 'two.jpg').getByRole('button', { name: 'Remove two.jpg' }).click();
    assert.equal(await rows(page).count(), 1);
    await page.getByRole('button', { name: 'Start over' }).click();
    await rows(page).first().waitFor({ state: 'detached' });
    assert.deepEqual(await validity(page), { valid: false, message: 'Choose a photo', missing: true });
    for (const id of ids) assert.equal((await fetch(`${gate.url.replace(/\/$/, '')}/uploads/${id}`)).status, 200, 'what was posted is still there');
  });

  test('its label opens the picker, and a fieldset disables it', async (t) => {
    const page = await go(t);
    const [picker] = await Promise.all([page.waitForEvent('filechooser'), page.getByText('Pictures', { exact: true }).click()]);
    assert.equal(picker.isMultiple(), true);
    const other = await go(t, '/fields');
    await other.evaluate(() => { document.querySelector('fieldset').disabled = true; });
    assert.equal(await other.getByRole('button', { name: 'Choose photos' }).isDisabled(), true);
    await give(other, await photo(gate, 'no.jpg'));
    assert.equal(await rows(other).count(), 0);
    await other.evaluate(() => { document.querySelector('fieldset').disabled = false; });
    assert.equal(await other.getByRole('button', { name: 'Choose photos' }).isEnabled(), true);
  });

  test('in the order of the list: by the keyboard, by a button, by dragging', async (t) => {
    const page = await go(t, '/sorted');
    await page.evaluate(() => {
      globalThis.changes = [];
      document.querySelector('form').addEventListener('change', (e) => globalThis.changes.push(new FormData(e.currentTarget).getAll('photos').length));
    });
    for (const name of ['a.jpg', 'b.jpg', 'c.jpg']) {
      await give(page, await photo(gate, name));
      await ready(page, name).waitFor();
    }
    const names = () => page.locator('postern-upload li .name').allTextContents();
    const up = (name) => page.getByRole('button', { name: `Move up ${name}` });
    await up('c.jpg').waitFor();
    await up('c.jpg').click();
    assert.deepEqual(await names(), ['a.jpg', 'c.jpg', 'b.jpg']);
    await up('c.jpg').press('ArrowUp');
    assert.deepEqual(await names(), ['c.jpg', 'a.jpg', 'b.jpg']);
    assert.equal(await page.evaluate(() => document.activeElement.shadowRoot.activeElement.getAttribute('aria-label')), 'Move up c.jpg', 'the focus goes along');
    await page.keyboard.press('ArrowDown');
    assert.deepEqual(await names(), ['a.jpg', 'c.jpg', 'b.jpg']);
    await row(page, 'b.jpg').locator('.name').dragTo(row(page, 'a.jpg').locator('.name'), { targetPosition: { x: 5, y: 2 } });
    assert.deepEqual(await names(), ['b.jpg', 'a.jpg', 'c.jpg']);
    await row(page, 'c.jpg').getByRole('button', { name: 'Remove c.jpg' }).click();
    // Three became ready, four moves, one went.
    assert.deepEqual(await page.evaluate(() => globalThis.changes), [1, 2, 3, 3, 3, 3, 3, 2]);
    const ids = await page.evaluate(() => document.querySelector('postern-upload').value);
    await page.getByRole('button', { name: 'Post' }).click();
    await page.locator('#posted').waitFor();
    assert.deepEqual(await posted(page), ids);
  });

  test('the page’s own input, which works without script, gives way with what it has', async (t) => {
    const page = await go(t, '/plain');
    await page.getByRole('button', { name: 'Choose photos' }).waitFor();
    assert.deepEqual(await validity(page), { valid: false, message: 'Choose a photo', missing: true });
    assert.equal(await page.locator('input[name=file]').isVisible(), false);
    assert.equal(await page.locator('input[name=file]').isDisabled(), true, 'it is not sent any more');

    const context = await gate.browser.newContext({ javaScriptEnabled: false });
    t.after(() => context.close());
    const plain = await context.newPage();
    await plain.goto(somebody.url + '/plain');
    assert.equal(await plain.locator('input[name=file]').isVisible(), true);

    // Files that were chosen before the script came.
    const late = await (await gate.browser.newContext()).newPage();
    t.after(() => late.context().close());
    let release;
    const held = new Promise((done) => { release = done; });
    await late.route('**/postern.js', async (r) => { await held; await r.continue(); });
    const loading = late.goto(somebody.url + '/plain', { waitUntil: 'commit' });
    await loading;
    await late.locator('input[name=file]').setInputFiles([await photo(gate, 'early.jpg')]);
    release();
    await ready(late, 'early.jpg').waitFor();
  });

  test('leaving while something is on its way is asked about, and only then', async (t) => {
    const page = await go(t);
    let asked = 0;
    page.on('dialog', (d) => { asked++; void d.dismiss(); });
    await page.locator('h1').click(); // browsers ask only where somebody did something
    await slow(page, 60_000);
    await give(page, await photo(gate, 'leave.jpg', { width: 900, height: 700, noise: 90 }));
    await row(page, 'leave.jpg').getByText(/Uploading [1-9]/).waitFor();
    await page.evaluate(() => { location.href = '/fields'; });
    await page.waitForFunction(() => true);
    for (let i = 0; i < 100 && !asked; i++) await page.evaluate(() => new Promise(requestAnimationFrame));
    assert.equal(asked, 1);
    assert.equal(new URL(page.url()).pathname, '/');
    await slow(page, 0);
    await ready(page, 'leave.jpg').waitFor();
    await page.evaluate(() => { location.href = '/fields'; });
    await page.waitForURL('**/fields');
    assert.equal(asked, 1);
  });
});
