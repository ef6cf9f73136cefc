// Pages written for Shrine's presign endpoint and for the tutorial's server.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { open, settled, skip, visit } from './gate.mjs';
import { photo } from './pictures.mjs';

describe('pages that ask for a form', { skip, timeout: 120_000 }, () => {
  let gate;
  before(async () => { gate = await open(); });
  after(() => gate?.close());

  const text = { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('not a picture') };
  const said = (page, text) => page.locator('#state').getByText(text, { exact: true }).waitFor();

  test('Shrine: presigned, sent, handed to the form', async (t) => {
    const file = await photo(gate, 'shrine.jpg');
    const { page, faults } = await visit(t, gate, '/shrine/', { preset: 'photos' });
    await page.getByLabel('Picture').setInputFiles(file);
    await said(page, 'sent');
    const up = await settled(gate, file.name);
    assert.deepEqual([up.state, up.size, up.width, up.height], ['ready', file.buffer.length, 640, 480]);
    assert.deepEqual(JSON.parse(await page.locator('input[type=hidden]').inputValue()),
      { id: up.id, storage: 'cache', metadata: { size: file.buffer.length, filename: 'shrine.jpg', mime_type: 'image/jpeg' } });
    assert.equal(await page.locator('progress').evaluate((p) => p.value), 1);
    assert.deepEqual(faults, []);
  });

  test('Shrine: a type that is not allowed', async (t) => {
    const { page } = await visit(t, gate, '/shrine/', { preset: 'photos' });
    await page.getByLabel('Picture').setInputFiles(text);
    await page.getByRole('alert').getByText(/JPEG, PNG/).waitFor();
    assert.deepEqual(gate.line.seen, []);
  });

  test('the tutorial: credentials by the file’s name, then its form', async (t) => {
    const file = await photo(gate, 'tutorial.jpg');
    const { page, faults } = await visit(t, gate, '/tutorial/', { preset: 'photos' });
    await page.getByLabel('Picture').setInputFiles(file);
    await page.getByRole('button', { name: 'Upload' }).click();
    await said(page, 'sent');
    const up = await settled(gate, file.name);
    assert.deepEqual([up.state, up.size, up.width, up.height], ['ready', file.buffer.length, 640, 480]);
    assert.deepEqual(faults, []);
  });

  test('the tutorial: a type that is not allowed', async (t) => {
    const { page } = await visit(t, gate, '/tutorial/', { preset: 'photos' });
    await page.getByLabel('Picture').setInputFiles(text);
    await page.getByRole('button', { name: 'Upload' }).click();
    await page.getByRole('alert').getByText(/JPEG, PNG/).waitFor();
    assert.deepEqual(gate.line.seen, []);
  });
});
