// Rails Active Storage's JavaScript, in a form as Rails makes it and by its class.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { open, settled, skip, until, uploads, visit } from './gate.mjs';
import { photo } from './pictures.mjs';

const put = ({ method }) => method === 'PUT';

describe('Active Storage', { skip, timeout: 120_000 }, () => {
  let gate;
  before(async () => { gate = await open(); });
  after(() => gate?.close());

  const start = async (t, file, query = {}) => {
    const visited = await visit(t, gate, '/rails/', { preset: 'photos', ...query });
    await visited.page.locator('body[data-ready]').waitFor();
    await visited.page.getByLabel('Picture').setInputFiles(file);
    return visited;
  };
  const save = (page) => page.getByRole('button', { name: 'Save' }).click();
  const fault = (page, text) => page.getByRole('alert').getByText(text, { exact: true }).waitFor();

  test('a form with direct uploads hands the upload’s id to the application', async (t) => {
    const file = await photo(gate, 'räksmörgås "1".jpg');
    const { page, faults, requests } = await start(t, file);
    await save(page);
    await page.getByRole('heading', { name: 'Saved' }).waitFor();
    const up = await settled(gate, file.name);
    assert.deepEqual([up.state, up.type, up.size, up.width, up.height], ['ready', 'image/jpeg', file.buffer.length, 640, 480]);
    assert.deepEqual(gate.site.posted.at(-1), { 'post[title]': 'A cat', 'post[picture]': up.id });
    assert.deepEqual(requests.of('POST', '/direct_uploads').map((r) => r.status), [200]);
    assert.deepEqual(gate.line.seen.map((r) => [r.method, r.status]), [['PUT', 200]]);
    assert.deepEqual(faults, []);
  });

  test('the class alone calls back with the signed id', async (t) => {
    const file = await photo(gate, 'class.jpg');
    const { page, faults } = await start(t, file);
    await page.getByRole('button', { name: 'Upload only' }).click();
    const signed = await until('there is an id', () => page.locator('#signed').innerText());
    const up = await settled(gate, file.name);
    assert.deepEqual([up.state, up.id], ['ready', signed]);
    assert.deepEqual(faults, []);
  });

  test('a type that is not allowed: its error, and nothing is sent', async (t) => {
    const { page } = await start(t, { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('not a picture') });
    const before = gate.site.posted.length;
    await save(page);
    await fault(page, 'Error creating Blob for "notes.txt". Status: 415');
    assert.deepEqual(gate.line.seen, []);
    assert.equal(gate.site.posted.length, before);
  });

  test('a file that only says it is a picture: taken, then rejected by the check', async (t) => {
    const file = { name: 'spoof.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('not a picture at all') };
    const { page } = await start(t, file);
    await save(page);
    await page.getByRole('heading', { name: 'Saved' }).waitFor();
    const up = await settled(gate, file.name);
    assert.equal(up.state, 'rejected');
    assert.ok(up.problem.detail);
  });

  test('the bucket is busy: its error; saved again, all is well', async (t) => {
    const file = await photo(gate, 'busy.jpg');
    const { page } = await start(t, file);
    gate.line.busy(put);
    await save(page);
    await fault(page, 'Error storing "busy.jpg". Status: 503');
    assert.ok(!(await uploads(gate)).some((u) => u.filename === file.name));
    await save(page);
    await page.getByRole('heading', { name: 'Saved' }).waitFor();
    const up = await settled(gate, file.name);
    assert.deepEqual([up.state, gate.site.posted.at(-1)['post[picture]']], ['ready', up.id]);
  });

  test('the grant expires on its way: its error; saved again, it gets a new one', async (t) => {
    const file = await photo(gate, 'late.jpg');
    const { page, requests } = await start(t, file, { preset: 'brief' });
    gate.line.late(put);
    await save(page);
    await fault(page, 'Error storing "late.jpg". Status: 403');
    await save(page);
    await page.getByRole('heading', { name: 'Saved' }).waitFor();
    const up = await settled(gate, file.name);
    assert.deepEqual([up.state, up.preset], ['ready', 'brief']);
    assert.equal(requests.of('POST', '/direct_uploads').length, 2);
  });
});
