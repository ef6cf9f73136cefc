// Uppy 5 and 6 by the routes of its Companion.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { open, settled, skip, until, uploads, visit } from './gate.mjs';
import { noise, photo } from './pictures.mjs';

const MB = 1_000_000;
const form = ({ method }) => method === 'POST';
const part = (n) => (r) => r.method === 'PUT' && r.part === n;
const later = (r) => r.method === 'PUT' && r.part > 1;

/** Statuses of what the line saw, parts in their order. */
const seen = (gate) => [...gate.line.seen].sort((a, b) => a.part - b.part).map(({ part, status }) => [part, status]);

for (const version of [5, 6]) {
  describe(`Uppy ${version}`, { skip, timeout: 240_000 }, () => {
    let gate;
    before(async () => { gate = await open(); });
    after(() => gate?.close());

    const start = async (t, file, query = {}) => {
      const visited = await visit(t, gate, `/uppy${version}/`, { preset: 'photos', parts: 10 * MB, ...query });
      await visited.page.getByLabel('Files').setInputFiles(file);
      await visited.page.getByRole('button', { name: 'Send' }).click();
      return visited;
    };
    const press = (page, name) => page.getByRole('button', { name }).click();
    const state = (page, name) => page.locator('#state').getByText(name, { exact: true }).waitFor();
    const alert = (page) => page.getByRole('alert').innerText();
    /** Three parts of 5 MiB at most. */
    const large = (name) => noise(`${name}-${version}.png`, 2200, 1800);

    test('a small file, by a form', async (t) => {
      const file = await photo(gate, `small-${version}.jpg`);
      const { page, faults, requests } = await start(t, file);
      await state(page, 'complete');
      const up = await settled(gate, file.name);
      assert.deepEqual([up.state, up.type, up.size, up.width, up.height], ['ready', 'image/jpeg', file.buffer.length, 640, 480]);
      assert.equal(requests.of('GET', '/s3/params').length, 1);
      assert.equal(gate.line.seen.length, 1);
      assert.match(await page.locator('#address').innerText(), new RegExp(`/postern/incoming(/|%2F)${up.id}$`)); // S3's Location escapes the key
      assert.deepEqual(faults, []); // an ETag or a Location that CORS hides is one
    });

    test('a large file, in parts', async (t) => {
      const file = large('large');
      assert.ok(file.buffer.length > 10 * MB);
      const { page, faults, requests } = await start(t, file);
      await state(page, 'complete');
      const up = await settled(gate, file.name);
      assert.deepEqual([up.state, up.type, up.size, up.width, up.height], ['ready', 'image/png', file.buffer.length, 2200, 1800]);
      assert.deepEqual(seen(gate), [[1, 200], [2, 200], [3, 200]]);
      assert.deepEqual(requests.of('POST', '/complete').map((r) => r.status), [200]);
      assert.equal(await page.locator('#address').innerText(), `${gate.url}/uploads/${up.id}`);
      assert.deepEqual(await gate.bucket.unfinished(), []);
      assert.deepEqual(faults, []);
    });

    if (version === 5) { // the next sends a form whatever it is told
      test('a small file, by PUT where the preset says so', async (t) => {
        const file = await photo(gate, 'put.jpg');
        const { page, faults } = await start(t, file, { preset: 'put', size: 1 });
        await state(page, 'complete');
        const up = await settled(gate, file.name);
        assert.deepEqual([up.state, up.size], ['ready', file.buffer.length]);
        assert.deepEqual(gate.line.seen.map((r) => [r.method, r.status]), [['PUT', 200]]);
        assert.deepEqual(faults, []);
      });
    }

    test('paused and resumed: what the bucket has is not sent again', async (t) => {
      const file = large('pause');
      const { page, faults, requests } = await visit(t, gate, `/uppy${version}/`, { preset: 'photos', parts: 10 * MB });
      const rest = gate.line.hold(later);
      await page.getByLabel('Files').setInputFiles(file);
      await press(page, 'Send');
      await page.locator('#parts').getByText('1', { exact: true }).waitFor();
      await until('another part is under way', () => rest.held.length > 0);
      await press(page, 'Pause');
      await until('nothing is under way', () => rest.held.every((r) => r.status === 'gone'));
      rest.release();
      assert.equal((await gate.bucket.unfinished()).length, 1);
      await press(page, 'Resume');
      await state(page, 'complete');
      const up = await settled(gate, file.name);
      assert.deepEqual([up.state, up.size], ['ready', file.buffer.length]);
      assert.deepEqual(seen(gate).filter(([, status]) => status !== 'gone'), [[1, 200], [2, 200], [3, 200]]);
      const lists = requests.of('GET', '/s3/multipart/').filter((r) => /\/s3\/multipart\/[^/]+\?key=/.test(r.url));
      assert.deepEqual(lists.map((r) => r.status), [200]);
      assert.deepEqual(faults, []);
    });

    test('cancelled in the middle: the bucket keeps nothing', async (t) => {
      const file = large('cancel');
      const { page, requests } = await visit(t, gate, `/uppy${version}/`, { preset: 'photos', parts: 10 * MB });
      const rest = gate.line.hold(later);
      await page.getByLabel('Files').setInputFiles(file);
      await press(page, 'Send');
      await page.locator('#parts').getByText('1', { exact: true }).waitFor();
      await until('another part is under way', () => rest.held.length > 0);
      assert.equal((await gate.bucket.unfinished()).length, 1);
      await press(page, 'Cancel');
      await state(page, 'cancelled');
      await until('nothing is unfinished', async () => (await gate.bucket.unfinished()).length === 0);
      await until('the client knows', () => requests.of('DELETE', '/s3/multipart/')[0]?.status === 200);
      rest.release();
      assert.deepEqual(await gate.bucket.incoming(), []);
      assert.ok(!(await uploads(gate)).some((u) => u.filename === file.name));
    });

    test('the bucket is busy once: a form', async (t) => {
      const file = await photo(gate, `busy-${version}.jpg`);
      const { page } = await visit(t, gate, `/uppy${version}/`, { preset: 'photos' });
      gate.line.busy(form);
      await page.getByLabel('Files').setInputFiles(file);
      await press(page, 'Send');
      if (version === 5) { // leaves a form's second try to people
        await state(page, 'failed');
        assert.match(await alert(page), /busy-5\.jpg/);
        await press(page, 'Retry');
      }
      await state(page, 'complete');
      assert.equal((await settled(gate, file.name)).state, 'ready');
      assert.deepEqual(gate.line.seen.map((r) => r.status === 503), [true, false]);
    });

    for (const [name, spoil] of [['busy', 'busy'], ['cut off', 'cut']]) {
      test(`the bucket is ${name} in the middle of parts: they are sent again`, async (t) => {
        const file = large(spoil);
        const { page } = await visit(t, gate, `/uppy${version}/`, { preset: 'photos', parts: 10 * MB });
        gate.line[spoil](part(2));
        await page.getByLabel('Files').setInputFiles(file);
        await press(page, 'Send');
        await state(page, 'complete');
        const up = await settled(gate, file.name);
        assert.deepEqual([up.state, up.size], ['ready', file.buffer.length]);
        const spoiled = spoil === 'busy' ? 503 : 'cut';
        assert.deepEqual(seen(gate), [[1, 200], [2, spoiled], [2, 200], [3, 200]]);
      });
    }

    test('a form whose grant has expired fails; a second try gets a new one', async (t) => {
      const file = await photo(gate, `late-${version}.jpg`);
      const { page, requests } = await visit(t, gate, `/uppy${version}/`, { preset: 'brief' });
      gate.line.late(form);
      await page.getByLabel('Files').setInputFiles(file);
      await press(page, 'Send');
      await state(page, 'failed');
      assert.match(await alert(page), new RegExp(`late-${version}\\.jpg`));
      assert.deepEqual(gate.line.seen.map((r) => r.status), [403]);
      await press(page, 'Retry');
      await state(page, 'complete');
      const up = await settled(gate, file.name);
      assert.deepEqual([up.state, up.preset], ['ready', 'brief']);
      assert.equal(requests.of('GET', '/s3/params').length, 2);
    });

    test('a part whose permission has expired is signed again', async (t) => {
      const file = large('late');
      const { page } = await visit(t, gate, `/uppy${version}/`, { preset: 'brief', parts: 10 * MB });
      gate.line.late(part(2));
      await page.getByLabel('Files').setInputFiles(file);
      await press(page, 'Send');
      if (version === 6) { // takes 403 for an end
        await state(page, 'failed');
        await press(page, 'Retry');
      }
      await state(page, 'complete');
      const up = await settled(gate, file.name);
      assert.deepEqual([up.state, up.size], ['ready', file.buffer.length]);
      // On a busy machine the next permission may be late as well: what counts is
      // that a late one stores nothing, and that a new one is had until one is in time.
      const tries = gate.line.seen.filter((r) => r.part === 2);
      const [first, last] = [tries.at(0), tries.at(-1)];
      assert.ok(tries.length >= 2);
      assert.deepEqual(tries.filter((r) => r.status === 200), [last]);
      // Uppy 5 gives up what it knows to be late before the bucket says so; a busy
      // browser may as well hang up on the bucket that refuses it half-way.
      assert.ok(first.status === 'gone' || (version === 6 && first.status === 403), `${first.status}`);
      assert.notEqual(first.signed, last.signed);
    });

    test('a type that is not allowed, in our words where it shows them', async (t) => {
      const { page } = await start(t, { name: `notes-${version}.txt`, mimeType: 'text/plain', buffer: Buffer.from('not a picture') });
      await state(page, 'failed');
      const said = await alert(page);
      if (version === 5) assert.match(said, /JPEG, PNG/);
      else assert.match(said, /Unsupported Media Type/); // it does not read the body
      assert.deepEqual(gate.line.seen, []);
    });

    // Uppy says a file's size to nobody: the parts tell.
    test('parts that add up to more than the preset has room for: refused, and forgotten', async (t) => {
      const file = large('small');
      const { page, requests } = await start(t, file, { preset: 'small' });
      await state(page, 'failed');
      assert.deepEqual(requests.of('POST', '/complete').map((r) => r.status), [413]);
      const said = await alert(page);
      if (version === 5) assert.match(said, /The parts have 11\.9 MB; up to 11\.5 MB are allowed\./);
      else assert.match(said, /Request Entity Too Large/);
      assert.deepEqual(await gate.bucket.unfinished(), []);
      assert.deepEqual(await gate.bucket.incoming(), []);
      assert.ok(!(await uploads(gate)).some((u) => u.filename === file.name));
    });

    test('more parts than the preset has room for: refused before they are sent', async (t) => {
      const file = large('tiny');
      const { page, requests } = await start(t, file, { preset: 'tiny' });
      await state(page, 'failed');
      assert.deepEqual([...new Set(requests.of('GET', '/3?key=').map((r) => r.status))], [413]);
      const said = await alert(page);
      if (version === 5) assert.match(said, /up to 6 MB are allowed/);
      else assert.match(said, /Request Entity Too Large/); // and leaves the parts to our sweep
      assert.ok(!gate.line.seen.some((r) => r.part === 3));
      assert.ok(!(await uploads(gate)).some((u) => u.filename === file.name));
    });

    if (version === 5) {
      // Its timer is faster than the bucket, mostly. When it is not, it knows an
      // expired signature by these words alone.
      test('the bucket says of an expired part what Uppy looks for', async () => {
        const ask = async (path, options) => (await fetch(`${gate.url}/s3/multipart${path}`, options)).json();
        const json = { 'content-type': 'application/json' };
        const { key, uploadId } = await ask('', { method: 'POST', headers: json, body: JSON.stringify({ filename: 'words.png', type: 'image/png', metadata: { preset: 'brief' } }) });
        const { url } = await ask(`/${uploadId}/1?key=${encodeURIComponent(key)}`);
        gate.line.forget();
        gate.line.late(part(1));
        const answer = await fetch(url, { method: 'PUT', body: 'late' });
        assert.equal(answer.status, 403);
        assert.match(await answer.text(), /<Message>Request has expired<\/Message>/);
        assert.deepEqual(await ask(`/${uploadId}?key=${encodeURIComponent(key)}`, { method: 'DELETE' }), {});
        assert.deepEqual(await gate.bucket.unfinished(), []);
      });
    }
  });
}
