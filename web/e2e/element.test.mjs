// The element as other pages use it: in a form, with its events and attributes.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { open, photo, skip, slow, visit, wire } from './gate.mjs';

describe('element', { skip }, () => {
  let gate;
  before(async () => { gate = await open(); });
  after(() => gate?.close());

  /** A page with a form of its own beside what is there. */
  async function form(t, markup) {
    const { page, faults } = await visit(t, gate);
    await page.evaluate((html) => {
      const form = Object.assign(document.createElement('form'), { id: 'form', innerHTML: html });
      document.querySelector('main').prepend(form);
      const element = form.querySelector('postern-upload');
      globalThis.events = [];
      for (const type of ['postern-accept', 'postern-done', 'postern-error']) {
        element.addEventListener(type, (e) => globalThis.events.push([type, e.detail]));
      }
    }, markup);
    return { page, faults };
  }

  const add = (page, ...files) => page.evaluate((packed) => {
    document.querySelector('#form postern-upload').add(packed.map(({ name, mimeType, content }) =>
      new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name, { type: mimeType })));
  }, files.map(({ name, mimeType, buffer }) => ({ name, mimeType, content: buffer.toString('base64') })));
  const values = (page) => page.evaluate(() => new FormData(document.getElementById('form')).getAll('photos'));
  const list = (page) => page.locator('#form postern-upload li');

  test('its value is the ids of the uploads that are ready', async (t) => {
    const { page, faults } = await form(t, '<label for="u">Pictures of the cat</label> <postern-upload id="u" name="photos" multiple></postern-upload>');
    await page.evaluate(() => { document.querySelector('#form postern-upload').metadata = { album: '42' }; });
    // The browser's own tree: a role in ElementInternals is in no attribute.
    const cdp = await page.context().newCDPSession(page);
    const { nodes } = await cdp.send('Accessibility.getFullAXTree');
    assert.deepEqual(nodes.filter((n) => n.role?.value === 'group' && n.name?.value).map((n) => n.name.value).sort(), ['Photos', 'Pictures of the cat']);
    assert.deepEqual(await values(page), []);
    await add(page, await photo(gate, 'a.jpg'), await photo(gate, 'b.jpg'), { name: 'c.jpg', mimeType: 'image/jpeg', buffer: Buffer.alloc(0) });
    await list(page).and(page.locator('[data-state=ready]')).nth(1).waitFor();
    const ids = await values(page);
    assert.equal(ids.length, 2);
    for (const id of ids) {
      const u = await page.evaluate(async (id) => (await fetch('/uploads/' + id)).json(), id);
      assert.equal(u.state, 'ready');
      assert.deepEqual(u.metadata, { album: '42' });
    }
    const events = await page.evaluate(() => globalThis.events.map(([type, d]) => [type, d.code ?? d.upload?.id ?? d.file?.name]));
    assert.deepEqual(events.filter(([type]) => type === 'postern-accept').map(([, name]) => name), ['a.jpg', 'b.jpg', 'c.jpg']);
    assert.deepEqual(events.filter(([type]) => type === 'postern-done').map(([, id]) => id).sort(), [...ids].sort());
    assert.deepEqual(events.filter(([type]) => type === 'postern-error'), [['postern-error', 'empty_file']]);

    await list(page).filter({ hasText: 'a.jpg' }).getByRole('button', { name: 'Remove a.jpg' }).click();
    await page.waitForFunction(() => new FormData(document.getElementById('form')).getAll('photos').length === 1);
    const [left] = await values(page);
    const removed = ids.find((id) => id !== left);
    await page.waitForFunction(async (id) => (await fetch('/uploads/' + id)).status === 404, removed);
    faults.splice(0, faults.length, ...faults.filter((f) => !f.includes('404')));
    assert.deepEqual(faults, []);
  });

  test('one file takes the place of the one before', async (t) => {
    const { page } = await form(t, '<postern-upload name="photos"></postern-upload>');
    assert.equal(await page.locator('#form').getByRole('button', { name: 'Choose a photo' }).count(), 1);
    await add(page, await photo(gate, 'first.jpg'), await photo(gate, 'ignored.jpg'));
    await list(page).and(page.locator('[data-state=ready]')).waitFor();
    const [first] = await values(page);
    await add(page, await photo(gate, 'second.jpg'));
    await list(page).and(page.locator('[data-state=ready]')).filter({ hasText: 'second.jpg' }).waitFor();
    const ids = await values(page);
    assert.equal(ids.length, 1);
    assert.notEqual(ids[0], first);
  });

  test('postern-accept may leave a file out', async (t) => {
    const { page } = await form(t, '<postern-upload name="photos" multiple></postern-upload>');
    await page.evaluate(() => document.querySelector('#form postern-upload').addEventListener('postern-accept', (e) => {
      if (e.detail.file.name.startsWith('no')) e.preventDefault();
    }));
    await add(page, await photo(gate, 'no.jpg'), await photo(gate, 'yes.jpg'));
    await list(page).and(page.locator('[data-state=ready]')).waitFor();
    assert.equal(await list(page).count(), 1);
  });

  test('disabled, by itself or by its fieldset, it takes nothing', async (t) => {
    const { page } = await form(t, '<fieldset disabled><postern-upload name="photos"></postern-upload></fieldset>');
    assert.ok(await page.locator('#form').getByRole('button', { name: 'Choose a photo' }).isDisabled());
    await add(page, await photo(gate, 'x.jpg'));
    assert.equal(await list(page).count(), 0);
    await page.evaluate(() => { document.querySelector('fieldset').disabled = false; });
    await add(page, await photo(gate, 'x.jpg'));
    await list(page).and(page.locator('[data-state=ready]')).waitFor();
  });

  test('being moved is not being removed; being removed ends what is under way', async (t) => {
    const { page } = await form(t, '<postern-upload name="photos"></postern-upload>');
    const requests = await wire(page);
    await slow(page, 100_000);
    await add(page, await photo(gate, 'moved.jpg', { width: 1000, height: 800, noise: 100 }));
    await list(page).getByText(/Uploading [1-9]/).waitFor();
    await page.evaluate(() => document.getElementById('form').append(document.querySelector('#form postern-upload')));
    await list(page).getByText(/Uploading/).waitFor();
    await page.evaluate(() => document.querySelector('#form postern-upload').remove());
    for (let i = 0; i < 200; i++) {
      if ([...requests.values()].some((r) => r.method === 'DELETE' && r.status === 204)) return;
      await page.evaluate(() => new Promise(requestAnimationFrame));
    }
    assert.fail('the upload was not deleted');
  });

  test('without a connection: it says so in words, and goes on by itself when there is one', async (t) => {
    const { page } = await form(t, '<postern-upload name="photos"></postern-upload>');
    const file = await photo(gate, 'later.jpg');
    await page.context().setOffline(true);
    await add(page, file);
    await list(page).getByText('Connection trouble').waitFor();
    await page.context().setOffline(false);
    await list(page).and(page.locator('[data-state=ready]')).waitFor();
    assert.equal((await values(page)).length, 1);
  });
});
