import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { put, PutError } from '../.cache/put.mjs';

// Only what a browser has and node has not: the wire itself is tested in real
// Chromium, in ../e2e.
class FakeXHR {
  static last;
  upload = {};
  status = 0;
  responseText = '';
  headers = '';
  sends = {};
  constructor() { FakeXHR.last = this; }
  open(method, url) { Object.assign(this, { method, url }); }
  setRequestHeader(name, value) { this.sends[name] = value; }
  send(form) { this.form = form; }
  abort() { this.aborted = true; this.onloadend(); }
  getAllResponseHeaders() { return this.headers; }
  answer(status, responseText = '', headers = '') {
    Object.assign(this, { status, responseText, headers });
    this.onloadend();
  }
}

const grant = { method: 'POST', url: 'https://bucket.test/', fields: { key: 'incoming/1', 'Content-Type': 'image/jpeg', policy: 'p' }, file_field: 'file' };
const file = (size) => new File([new Uint8Array(size)], 'cat.jpg', { type: 'image/jpeg' });

beforeEach(() => { globalThis.XMLHttpRequest = FakeXHR; });
afterEach(() => { delete globalThis.XMLHttpRequest; });

test('every field in order, the file last', async () => {
  const sent = put(grant, file(3));
  const x = FakeXHR.last;
  assert.deepEqual([x.method, x.url], ['POST', 'https://bucket.test/']);
  assert.deepEqual([...x.form.keys()], ['key', 'Content-Type', 'policy', 'file']);
  assert.equal(x.form.get('file').name, 'cat.jpg');
  x.answer(204);
  await sent;
});

test('by PUT: the file is the body, with exactly the headers of the grant', async () => {
  const headers = { 'Content-Type': 'image/jpeg', 'If-None-Match': '*', 'x-amz-checksum-sha256': 'abc=' };
  const f = file(3);
  const sent = put({ method: 'PUT', url: 'https://bucket.test/incoming/1?X-Amz-Signature=s', headers }, f);
  const x = FakeXHR.last;
  assert.deepEqual([x.method, x.url], ['PUT', 'https://bucket.test/incoming/1?X-Amz-Signature=s']);
  assert.deepEqual(x.sends, headers);
  assert.equal(x.form, f);
  x.answer(200);
  await sent;
});

test('412 to a PUT: an earlier try got through; to a form it is a refusal', async () => {
  const sent = put({ method: 'PUT', url: 'https://bucket.test/1', headers: {} }, file(3));
  FakeXHR.last.answer(412, '<Error><Code>PreconditionFailed</Code></Error>');
  await sent;
  const form = put(grant, file(3));
  FakeXHR.last.answer(412);
  await assert.rejects(form, (e) => e.status === 412);
});

test('progress is watched from 256 KiB on: a listener costs a preflight', async () => {
  const seen = [];
  const onprogress = (share) => seen.push(share);
  const small = put(grant, file(256 * 1024 - 1), { onprogress });
  assert.equal(FakeXHR.last.upload.onprogress, undefined);
  FakeXHR.last.answer(201);
  await small;
  const large = put(grant, file(256 * 1024), { onprogress });
  FakeXHR.last.upload.onprogress({ loaded: 1, total: 4 });
  FakeXHR.last.answer(200);
  await large;
  assert.deepEqual(seen, [0.25]);
});

test('the bucket’s error is read, and only headers that CORS shows', async () => {
  const sent = put(grant, file(3));
  FakeXHR.last.answer(503, '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce.</Message></Error>', 'content-type: application/xml\r\nretry-after: 7\r\n');
  await assert.rejects(sent, (e) => {
    assert.ok(e instanceof PutError);
    assert.deepEqual([e.status, e.code, e.message, e.retryAfter], [503, 'SlowDown', 'Please reduce.', '7']);
    return true;
  });
  const opaque = put(grant, file(3));
  FakeXHR.last.answer(0);
  await assert.rejects(opaque, (e) => e.status === 0 && e.code === '' && e.retryAfter === undefined);
});

test('the signal aborts it', async () => {
  const stop = new AbortController();
  const sent = put(grant, file(3), { signal: stop.signal });
  const reason = new Error('enough');
  stop.abort(reason);
  await assert.rejects(sent, reason);
  assert.ok(FakeXHR.last.aborted);
  await assert.rejects(put(grant, file(3), { signal: stop.signal }), reason);
});

test('standing still is given up', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const sent = put(grant, file(2 ** 18), { onprogress: () => {} });
  const x = FakeXHR.last;
  t.mock.timers.tick(29_000);
  x.upload.onprogress({ loaded: 1, total: 2 });
  t.mock.timers.tick(29_000);
  assert.equal(x.aborted, undefined);
  t.mock.timers.tick(1_000);
  await assert.rejects(sent, (e) => e instanceof PutError && e.status === 0);
});
