import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bytes, count, dimensions, hint, kinds, roughly, sentence, ui } from '../.cache/words.mjs';

const all = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'];

test('sizes are said as the server says them', () => {
  // The same as the server's own test of postern.Bytes.
  for (const [n, want] of [
    [0, '0 bytes'], [1, '1 byte'], [999, '999 bytes'], [1000, '1 kB'], [1500, '1.5 kB'], [25_000_000, '25 MB'],
    [25_100_000, '25.1 MB'], [25_010_000, '25.01 MB'], [25_001_000, '25.001 MB'], [2_000_000_000, '2 GB'],
  ]) assert.equal(bytes(n), want);
  assert.notEqual(bytes(25_000_001), '25 MB');
  assert.equal(roughly(2_190_194), '2.2 MB');
  assert.equal(roughly(27_400), '27 kB');
  assert.equal(dimensions({ width: 4032, height: 3024 }), '4032 × 3024');
});

test('what is allowed, in words', () => {
  assert.equal(kinds(all), 'JPEG, PNG, GIF or WebP');
  assert.equal(kinds(['image/png']), 'PNG');
  assert.equal(hint({ types: all, max_bytes: 25e6 }, true), 'JPEG, PNG, GIF or WebP, up to 25 MB each');
  assert.equal(count(1, 'photo', 'photos'), '1 photo');
  assert.equal(count(1200, 'photo', 'photos'), '1,200 photos');
  assert.equal(ui.end(7, 1), '7 photos ready, 1 file not uploaded.');
  assert.equal(ui.end(0, 2), '2 files not uploaded.');
});

test('every problem has a sentence', () => {
  const file = { type: 'text/plain', size: 26e6 };
  for (const [problem, want] of [
    [{ code: 'corrupt', detail: 'Said by the server.', title: 'x' }, 'Said by the server.'],
    [{ code: 'internal', title: 'Something went wrong on the server' }, 'Something went wrong on the server. Try again in a moment.'],
    [{ code: 'type_not_allowed', allowed: all }, 'Files of type text/plain are not allowed here. Allowed: JPEG, PNG, GIF or WebP.'],
    [{ code: 'empty_file', limit: 1 }, 'The file is empty (0 bytes).'],
    [{ code: 'too_small', limit: 27e6 }, 'The file has 26 MB; at least 27 MB are needed.'],
    [{ code: 'too_large', limit: 25e6 }, 'The file has 26 MB; up to 25 MB are allowed.'],
    [{ code: 'bucket_refused', status: 403, bucket: 'AccessDenied' }, 'The bucket refused the file: the permission to upload it does not fit, or ran out. Try again.'],
    [{ code: 'bucket_refused', status: 400, bucket: 'MalformedPOSTRequest' }, 'The bucket refused the file: MalformedPOSTRequest.'],
    [{ code: 'bucket_refused', status: 502, bucket: '' }, 'The bucket refused the file: it has a fault of its own. Try again in a moment.'],
  ]) assert.equal(sentence(problem, file), want);
  assert.match(sentence({ code: 'type_not_allowed', allowed: all }, { type: '', size: 1 }), /^The file’s type is not known\. Allowed: JPEG/);
  assert.equal(sentence({ code: 'type_not_allowed', allowed: ['image/png'] }, { name: 'IMG_0001.HEIC', type: '', size: 1 }), 'Files called .heic are not allowed here. Allowed: PNG.');
  assert.match(sentence({ code: 'bucket_unreachable', status: 0 }), /CORS/);
  for (const code of ['server_unreachable', 'server_fault', 'bucket_unreachable', 'bucket_refused', 'unreadable', 'expired', 'unexpected']) {
    assert.match(sentence({ code, status: 418 }), /\.$/);
  }
});
