import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { grammar } from '../.cache/item.mjs';
import { Fault, limits, photo, problem, PutError, settle, start, unreachable } from './world.mjs';

test('one photo, from queued to ready', async () => {
  const { world, queue, states } = start({ preset: 'photos', metadata: { album: '42' } });
  const file = photo();
  const item = queue.add(file);
  await settle();
  assert.equal(item.state, 'checking');
  world.finish('1', { state: 'stored' });
  assert.equal(item.state, 'checking');
  world.finish('1');
  await settle();
  assert.equal(states(item), 'queued preparing uploading checking ready');
  assert.deepEqual(world.calls, ['GET /limits?preset=photos', 'POST /uploads', 'PUT 1', 'POST /uploads/1/complete', 'FOLLOW 1']);
  assert.equal(item.sent, 1);
  assert.equal(item.upload.id, '1');
  assert.deepEqual(world.open, [], 'the stream is closed after a final state');
  assert.deepEqual(world.bodies[0], {
    preset: 'photos', filename: 'cat.jpg', type: 'image/jpeg', size: 100, metadata: { album: '42' },
    sha256: createHash('sha256').update(new Uint8Array(100)).digest('base64'),
  });
});

test('above 16 MiB no hash is sent', async () => {
  const { world, queue } = start();
  limits.max_bytes = 2 ** 25;
  try {
    queue.add(photo('large.jpg', 2 ** 24 + 1));
    await settle();
    assert.equal(world.bodies[0].sha256, undefined);
    assert.equal(world.bodies[0].size, 2 ** 24 + 1);
  } finally {
    limits.max_bytes = 1000;
  }
});

test('four files are sent at once, in the order in which they were added', async () => {
  const { world, queue } = start();
  const begun = [];
  queue.addEventListener('state', ({ item }) => item.state === 'preparing' && begun.push(item.file.name));
  let go;
  world.hold = new Promise((done) => { go = done; });
  for (let i = 0; i < 9; i++) queue.add(photo(`${i}.jpg`));
  await settle();
  assert.equal(world.most, 4);
  assert.equal(queue.items.filter((i) => i.state === 'queued').length, 5);
  go();
  await settle();
  assert.equal(world.most, 4);
  assert.equal(world.bodies.length, 9);
  assert.deepEqual(begun, [0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => `${i}.jpg`));
});

test('two streams of events at most; what waits gets one when it is free', async () => {
  const { world, clock, queue } = start();
  for (let i = 0; i < 5; i++) queue.add(photo());
  await settle();
  assert.deepEqual(world.open, ['1', '2']);
  world.finish('1');
  await settle();
  assert.deepEqual(world.open, ['2', '3']);
  // A slow one does not hold the others up.
  await clock.pass(10_000);
  assert.deepEqual(world.open.sort(), ['4', '5']);
  world.finish('4');
  await settle();
  assert.deepEqual(world.open.sort(), ['2', '5']);
});

for (const [name, file, code] of [
  ['a wrong type', photo('a.pdf', 100, 'application/pdf'), 'type_not_allowed'],
  ['an unknown type', photo('a', 100, ''), 'type_not_allowed'],
  ['an empty file', photo('a.jpg', 0), 'empty_file'],
  ['a file that is too small', photo('a.jpg', 9), 'too_small'],
  ['a file that is too large', photo('a.jpg', 1001), 'too_large'],
]) {
  test(`${name} is refused without a request`, async () => {
    const { world, queue, states } = start();
    const item = queue.add(file);
    await settle();
    assert.equal(item.problem?.code, code);
    assert.equal(states(item), 'queued preparing rejected');
    assert.deepEqual(world.calls, ['GET /limits?preset=']);
  });
}

test('image/jpg is image/jpeg', async () => {
  const { queue } = start();
  const item = queue.add(photo('a.jpg', 100, 'image/jpg'));
  await settle();
  assert.equal(item.state, 'checking');
});

test('without limits the server decides, and limits are asked for again', async () => {
  const { world, queue } = start();
  world.scripts.limits.push(unreachable());
  world.scripts.grant.push(problem(413, 'too_large', { limit: 1000 }));
  const item = queue.add(photo('a.jpg', 1001));
  await settle();
  assert.equal(item.state, 'rejected');
  assert.equal(item.problem.limit, 1000);
  assert.equal(item.problem.detail, 'too_large.');
  await queue.limits();
  assert.equal(world.calls.filter((c) => c === 'GET /limits?preset=').length, 2);
});

test('a fault that passes is tried five times with growing, jittered pauses', async () => {
  const { world, clock, queue, states } = start();
  clock.chance = 0.5;
  for (let i = 0; i < 5; i++) world.scripts.put.push(new PutError(503, 'SlowDown', ''));
  const item = queue.add(photo());
  const seen = [];
  for (let i = 0; i < 4; i++) {
    await settle();
    assert.equal(item.state, 'waiting');
    const [ms] = clock.waits;
    seen.push(ms);
    await clock.pass(ms - 1);
    assert.equal(item.state, 'waiting');
    await clock.pass(1);
  }
  assert.deepEqual(seen, [500, 1000, 2000, 4000]);
  assert.equal(item.state, 'failed');
  assert.deepEqual(item.problem, { code: 'bucket_refused', status: 503, bucket: 'SlowDown' });
  assert.equal(world.calls.filter((c) => c.startsWith('PUT')).length, 5);
  assert.equal(states(item).split(' ').at(-1), 'failed');
});

test('a grant that cannot be had is tried again; so is complete', async () => {
  const { world, clock, queue, states } = start();
  world.scripts.grant.push(unreachable());
  world.scripts.complete.push(problem(500, 'internal'));
  const item = queue.add(photo());
  await settle();
  await clock.pass(1000);
  await clock.pass(1000);
  assert.equal(states(item), 'queued preparing waiting preparing uploading checking waiting checking');
  assert.equal(world.calls.filter((c) => c.startsWith('PUT')).length, 1);
});

test('Retry-After wins over back-off: seconds, a date, or the problem’s own', async () => {
  for (const fault of [
    () => new PutError(503, 'SlowDown', '', '7'),
    (now) => new PutError(503, '', '', new Date(now + 7000).toUTCString()),
    () => problem(429, 'internal', { retry_after: 7 }),
  ]) {
    const { world, clock, queue } = start();
    clock.time = 1_000_000_000;
    const f = fault(clock.time);
    world.scripts[f instanceof PutError ? 'put' : 'grant'].push(f);
    queue.add(photo());
    await settle();
    assert.deepEqual(clock.waits, [7000]);
  }
});

test('an hour is not waited for: the person is told', async () => {
  const { world, clock, queue } = start();
  world.scripts.put.push(new PutError(503, 'SlowDown', '', '3600'));
  const item = queue.add(photo());
  await settle();
  assert.equal(item.state, 'failed');
  assert.deepEqual(clock.waits, []);
});

for (const status of [401, 403]) {
  test(`a bucket that answers ${status} gets a new grant once, at once, and no try is spent`, async () => {
    const { world, clock, queue } = start();
    world.scripts.put.push(new PutError(status, 'AccessDenied', 'Invalid according to Policy: Policy expired.'));
    for (let i = 0; i < 4; i++) world.scripts.put.push(new PutError(503, '', ''));
    const item = queue.add(photo());
    await settle();
    assert.deepEqual(world.calls.slice(1, 6), ['POST /uploads', 'PUT 1', 'POST /uploads', 'DELETE /uploads/1', 'PUT 2']);
    for (let i = 0; i < 4; i++) await clock.pass(30_000);
    assert.equal(item.state, 'checking', 'the fifth try succeeds');
    assert.equal(item.id, '2');
  });
}

test('a second 403 ends it', async () => {
  const { world, queue } = start();
  for (let i = 0; i < 2; i++) world.scripts.put.push(new PutError(403, 'AccessDenied', ''));
  const item = queue.add(photo());
  await settle();
  assert.equal(item.state, 'failed');
  assert.equal(item.problem.bucket, 'AccessDenied');
  assert.equal(world.calls.filter((c) => c.startsWith('PUT')).length, 2);
});

test('a 400 of the bucket is not tried again, a RequestTimeout is', async () => {
  const { world, queue } = start();
  world.scripts.put.push(new PutError(400, 'EntityTooLarge', ''), new PutError(400, 'RequestTimeout', ''));
  const a = queue.add(photo());
  await settle();
  assert.equal(a.state, 'failed');
  const b = queue.add(photo());
  await settle();
  assert.equal(b.state, 'waiting');
});

test('a grant that ran out while we waited is asked for anew, whatever our clock says', async () => {
  const { world, clock, queue } = start();
  world.life = 60_000;
  world.scripts.put.push(new PutError(503, '', '', '70'));
  queue.add(photo());
  await settle();
  await clock.pass(70_000);
  assert.deepEqual(world.calls.slice(1, 6), ['POST /uploads', 'PUT 1', 'POST /uploads', 'DELETE /uploads/1', 'PUT 2']);
});

test('a grant that still works is used again', async () => {
  const { world, clock, queue } = start();
  world.scripts.put.push(new PutError(503, '', ''));
  queue.add(photo());
  await settle();
  await clock.pass(1000);
  assert.equal(world.granted, 1);
  assert.deepEqual(world.calls.filter((c) => c.startsWith('PUT')), ['PUT 1', 'PUT 1']);
});

test('cut after the last byte: the server is asked before anything is sent again', async () => {
  const cut = (onprogress) => {
    onprogress(1);
    throw new PutError(0, '', '');
  };
  {
    const { world, clock, queue } = start();
    world.scripts.put.push(cut);
    const item = queue.add(photo());
    await settle();
    await clock.pass(1000);
    assert.equal(item.state, 'checking');
    assert.equal(world.calls.filter((c) => c.startsWith('PUT')).length, 1, 'it had arrived');
  }
  {
    const { world, clock, queue } = start();
    world.scripts.put.push(cut);
    world.scripts.complete.push(problem(409, 'not_arrived'));
    const item = queue.add(photo());
    await settle();
    await clock.pass(1000);
    assert.equal(item.state, 'checking');
    assert.equal(world.calls.filter((c) => c.startsWith('PUT')).length, 2, 'it had not');
  }
});

test('cut in the middle: sent again without asking', async () => {
  const { world, clock, queue } = start();
  world.scripts.put.push((onprogress) => {
    onprogress(0.5);
    throw new PutError(0, '', '');
  });
  queue.add(photo());
  await settle();
  await clock.pass(1000);
  assert.deepEqual(world.calls.slice(2, 5), ['PUT 1', 'PUT 1', 'POST /uploads/1/complete']);
});

test('an opaque answer of the bucket is told as such in the end', async () => {
  const { world, clock, queue } = start();
  for (let i = 0; i < 5; i++) world.scripts.put.push(new PutError(0, '', ''));
  const item = queue.add(photo());
  await settle();
  for (let i = 0; i < 4; i++) await clock.pass(30_000);
  assert.equal(item.problem.code, 'bucket_unreachable');
});

test('retry: a failed file begins anew; one that arrived is not sent again', async () => {
  const { world, clock, queue } = start();
  for (let i = 0; i < 5; i++) world.scripts.complete.push(unreachable());
  const item = queue.add(photo());
  await settle();
  for (let i = 0; i < 4; i++) await clock.pass(30_000);
  assert.equal(item.state, 'failed');
  queue.retry(item);
  await settle();
  assert.equal(item.state, 'checking');
  assert.equal(item.problem, undefined);
  assert.equal(world.calls.filter((c) => c.startsWith('PUT')).length, 1);

  world.finish('1', { state: 'failed', problem: { code: 'processing_failed', detail: 'x' } });
  assert.equal(item.state, 'failed');
  await settle();
  queue.retry(item);
  await settle();
  assert.deepEqual(world.calls.filter((c) => c.startsWith('PUT')), ['PUT 1', 'PUT 2']);
});

test('cancel while sending: the request is aborted, the upload deleted, its place given on', async () => {
  const { world, queue } = start();
  world.hold = new Promise(() => {});
  const items = Array.from({ length: 5 }, () => queue.add(photo()));
  await settle();
  assert.equal(items[4].state, 'queued');
  queue.remove(items[0]);
  await settle();
  assert.equal(items[0].state, 'canceled');
  assert.equal(items[0].problem, undefined);
  assert.equal(items[4].state, 'uploading');
  assert.ok(world.calls.includes(`DELETE /uploads/${items[0].id}`)); // hashes are not done in order
  assert.equal(queue.items.length, 4);
});

test('cancel in every other state', async () => {
  {
    const { world, queue } = start();
    const item = queue.add(photo());
    queue.remove(item);
    await settle();
    assert.equal(item.state, 'canceled');
    assert.deepEqual(world.calls, [], 'queued: nobody heard of it');
  }
  {
    const { world, clock, queue } = start();
    world.scripts.put.push(new PutError(503, '', ''));
    const item = queue.add(photo());
    await settle();
    assert.equal(item.state, 'waiting');
    queue.remove(item);
    await settle();
    assert.equal(item.state, 'canceled');
    assert.deepEqual(clock.waits, [], 'nobody waits any more');
  }
  {
    const { world, queue } = start();
    const item = queue.add(photo());
    await settle();
    queue.remove(item);
    await settle();
    assert.equal(item.state, 'canceled');
    assert.deepEqual(world.open, []);
    world.finish('1');
    assert.equal(item.state, 'canceled', 'what comes late changes nothing');
  }
});

test('forget keeps what has arrived', async () => {
  const { world, queue } = start();
  const item = queue.add(photo());
  await settle();
  world.finish('1');
  queue.forget(item);
  await settle();
  assert.equal(queue.items.length, 0);
  assert.ok(!world.calls.some((c) => c.startsWith('DELETE')));
});

test('what the server says at the end', async () => {
  for (const [said, state, code] of [
    [{ state: 'rejected', problem: { code: 'truncated', detail: 'It is cut short.' } }, 'rejected', 'truncated'],
    [{ state: 'failed', problem: { code: 'processing_failed', detail: 'x' } }, 'failed', 'processing_failed'],
    [{ state: 'expired' }, 'failed', 'expired'],
  ]) {
    const { world, queue } = start();
    const item = queue.add(photo());
    await settle();
    world.finish('1', said);
    await settle();
    assert.equal(item.state, state);
    assert.equal(item.problem.code, code);
  }
});

test('a broken stream: the server is polled with back-off until it says more', async () => {
  const { world, clock, queue } = start();
  const item = queue.add(photo());
  await settle();
  world.streams.get('1').lost();
  await settle();
  const ready = () => ({ state: 'ready', id: '1' });
  world.scripts.get.push(() => ({ state: 'stored' }), unreachable(), ready);
  const seen = [];
  for (let i = 0; i < 3; i++) {
    assert.equal(item.state, 'checking');
    const ms = clock.waits.at(-1);
    seen.push(ms);
    await clock.pass(ms);
  }
  assert.deepEqual(seen, [500, 1000, 2000]);
  assert.equal(item.state, 'ready');
});

test('an upload that somebody removed meanwhile', async () => {
  const { world, clock, queue } = start();
  const item = queue.add(photo());
  await settle();
  world.streams.get('1').lost();
  world.scripts.get.push(problem(404, 'not_found'));
  await settle();
  await clock.pass(500);
  assert.equal(item.state, 'failed');
  assert.equal(item.problem.code, 'not_found');
});

test('a refusal of the API is told in its own words', async () => {
  const { world, queue } = start();
  world.scripts.grant.push(problem(403, 'cross_origin'));
  const item = queue.add(photo());
  await settle();
  assert.equal(item.state, 'failed');
  assert.equal(item.problem.detail, 'cross_origin.');
});

test('a file that can no longer be read', async () => {
  const { queue } = start();
  const file = photo();
  file.arrayBuffer = () => Promise.reject(new DOMException('gone', 'NotReadableError'));
  const item = queue.add(file);
  await settle();
  assert.equal(item.problem.code, 'unreadable');
  assert.equal(item.state, 'failed');
});

test('every step that is not in the grammar throws, and every one that is does not', async () => {
  const states = ['queued', 'preparing', 'uploading', 'waiting', 'paused', 'checking', 'ready', 'rejected', 'failed', 'canceled'];
  const may = {
    queued: ['preparing', 'paused'],
    preparing: ['uploading', 'checking', 'waiting', 'rejected', 'failed', 'paused'],
    uploading: ['checking', 'waiting', 'rejected', 'failed', 'paused'],
    waiting: ['preparing', 'uploading', 'checking', 'paused'],
    paused: ['queued'],
    checking: ['ready', 'waiting', 'rejected', 'failed'],
    ready: [], rejected: [], failed: ['queued'], canceled: [],
  };
  for (const from of states) {
    for (const to of states) {
      if (from === to) continue; // refused before the grammar is asked
      const want = to === 'canceled' || may[from].includes(to);
      assert.equal(grammar.test(`${from} ${to}`), want, `${from} ${to}`);
    }
  }
});

test('a wrong step throws', async () => {
  const { world, queue } = start();
  const item = queue.add(photo());
  assert.throws(() => queue.retry(item), /queued cannot become queued/);
  await settle();
  world.finish('1');
  assert.throws(() => queue.retry(item), /ready cannot become queued/);
  queue.remove(item);
  assert.throws(() => queue.remove(item), /canceled cannot become canceled/);
  assert.ok(new Fault({ code: 'internal' }) instanceof Error);
});

test('progress is told', async () => {
  const { world, queue } = start();
  const seen = [];
  queue.addEventListener('progress', (e) => seen.push(e.item.sent));
  world.scripts.put.push((onprogress) => {
    for (const share of [0.25, 0.5, 1]) onprogress(share);
    return true;
  });
  queue.add(photo());
  await settle();
  assert.deepEqual(seen, [0.25, 0.5, 1]);
});

test('a paused file stands still, and goes on with what the bucket has', async () => {
  const { world, queue, states } = start();
  world.method = 'MULTIPART';
  limits.max_bytes = 1000;
  const item = queue.add(photo('a.jpg', 55));
  let stop;
  world.scripts.put.push(undefined, undefined, () => new Promise((_, fail) => { stop = fail; queue.pause(item); fail(new Error('aborted')); }));
  await settle();
  assert.equal(item.state, 'paused');
  assert.ok(stop);
  const before = world.calls.length;
  await settle();
  assert.equal(world.calls.length, before, 'nothing is asked while it is paused');
  queue.retry(item);
  await settle();
  assert.match(states(item), /uploading paused queued preparing uploading checking$/);
  assert.equal(world.calls.filter((c) => c === 'POST /uploads').length, 1, 'by the same grant');
  assert.ok(world.calls.includes('GET /uploads/1/parts'));
});

test('a file that waits for its turn can be paused, and lets the next one go', async () => {
  const { world, queue } = start();
  let go;
  world.hold = new Promise((done) => { go = done; });
  const items = [0, 1, 2, 3, 4, 5].map((i) => queue.add(photo(`${i}.jpg`)));
  await settle();
  queue.pause(items[4]);
  queue.pause(items[0]);
  await settle();
  assert.deepEqual(items.map((i) => i.state), ['paused', 'uploading', 'uploading', 'uploading', 'paused', 'uploading']);
  go();
  await settle();
  for (const i of [items[0], items[4]]) queue.retry(i);
  await settle();
  assert.ok(items.every((i) => i.state === 'checking'));
  assert.throws(() => queue.pause(items[0]), /checking cannot become paused/);
});

test('offline nothing is tried, and no try is spent', async () => {
  const { world, clock, queue, states } = start();
  let cut = true;
  world.transport.offline = () => cut;
  for (let i = 0; i < 4; i++) world.scripts.grant.push(unreachable());
  const item = queue.add(photo());
  await settle();
  assert.equal(item.state, 'waiting');
  const before = world.calls.length;
  for (let i = 0; i < 40; i++) await clock.pass(1000);
  assert.equal(world.calls.length, before, 'nothing is asked while there is no network');
  assert.deepEqual(clock.waits, [1000]);
  cut = false;
  for (let i = 0; i < 4; i++) await clock.pass(30_000);
  assert.equal(item.state, 'checking', 'three more tries failed, and none was spent before');
  assert.match(states(item), /^queued preparing waiting/);
  cut = true;
  world.scripts.grant.push(unreachable());
  const gone = queue.add(photo());
  await settle();
  queue.remove(gone);
  await settle();
  assert.equal(gone.state, 'canceled');
  assert.deepEqual(clock.waits.filter((ms) => ms === 1000), []);
});

test('a bucket that is not there is waited for longer than one that is', async () => {
  const { world, clock, queue } = start();
  const asked = [];
  let there = false;
  world.transport.away = async (url) => { asked.push(url); return !there; };
  for (let i = 0; i < 20; i++) world.scripts.put.push(new PutError(0, ''));
  const item = queue.add(photo());
  await settle();
  for (let i = 0; i < 7; i++) await clock.pass(30_000);
  assert.equal(item.state, 'waiting', 'after eight tries');
  assert.deepEqual([...new Set(asked)], ['https://bucket.test/']);
  there = true; // but it does not let this page in: no reason to wait
  await clock.pass(30_000);
  assert.equal(item.state, 'failed');
  assert.equal(item.problem.code, 'bucket_unreachable');

  there = false;
  world.scripts.put.length = 0;
  for (let i = 0; i < 30; i++) world.scripts.grant.push(unreachable());
  queue.retry(item);
  await settle();
  for (let i = 0; i < 10; i++) await clock.pass(30_000);
  assert.equal(item.state, 'waiting');
  assert.equal(asked.at(-1), 'https://gate.test');
  await clock.pass(30_000);
  assert.equal(item.state, 'failed', 'twelve tries, and it is given up');
});

test('what is to be sent may be made of the file first', async () => {
  const small = photo('small.jpg', 50);
  const asked = [];
  const { world, queue } = start({ prepare: async (file, l) => { asked.push([file.name, l.max_bytes]); return file.name === 'big.jpg' ? small : file; } });
  const big = queue.add(photo('big.jpg', 5000));
  const other = queue.add(photo('other.jpg', 60));
  await settle();
  assert.deepEqual(asked, [['big.jpg', 1000], ['other.jpg', 1000]]);
  assert.deepEqual(world.bodies.map((b) => [b.filename, b.size]), [['small.jpg', 50], ['other.jpg', 60]]);
  assert.equal(big.file.size, 5000);
  assert.equal(big.bytes, small);
  assert.equal(other.bytes, other.file);
});

/** Traces that note what is asked of them. */
function notes(known = {}) {
  const said = [];
  const traces = {
    claim: async ({ file }) => { said.push(`claim ${file.name}`); return known[file.name] ?? { place: file.name }; },
    save: ({ place, id, bytes }) => { said.push(`save ${place} ${id} ${bytes?.size}`); },
    drop: ({ place }) => { said.push(`drop ${place}`); },
  };
  return { said, traces: async () => traces };
}

test('a file leaves a trace until it has come to its end', async () => {
  const { said, traces } = notes();
  const { world, queue } = start({ traces });
  const item = queue.add(photo());
  await settle();
  assert.deepEqual(said, ['claim cat.jpg', 'save cat.jpg 1 100', 'save cat.jpg 1 100']);
  world.finish('1');
  await settle();
  assert.equal(said.at(-1), 'drop cat.jpg');
  assert.equal(item.state, 'ready');

  const rejected = queue.add(photo('a.pdf', 1, 'application/pdf'));
  await settle();
  assert.equal(rejected.state, 'rejected');
  assert.equal(said.at(-1), 'drop a.pdf');
  const failed = queue.add(photo('b.jpg'));
  world.scripts.put.push(new PutError(400, 'Odd'));
  await settle();
  assert.equal(failed.state, 'failed');
  assert.equal(said.at(-1), 'save b.jpg 2 100', 'what has failed may be tried again, by another page as well');
  queue.forget(failed);
  await settle();
  assert.equal(said.at(-1), 'drop b.jpg');
});

test('a trace is gone on from: the server is asked before a byte is sent', async () => {
  const facts = { name: 'cat.jpg', size: 100, type: 'image/jpeg', lastModified: 1 };
  const { world, queue } = start({ traces: notes().traces });
  const bytes = photo();
  const grant = { method: 'POST', url: 'https://bucket.test/', fields: { key: '7' }, file_field: 'file' };
  const trace = { place: 'x', id: '7', grant, until: new Date(Date.parse('2025-01-01T00:00:00Z') + world.clock.time + 600_000).toISOString(), skew: Date.parse('2025-01-01T00:00:00Z'), doubt: true, bytes };
  const arrived = queue.add(facts, { ...trace });
  await settle();
  assert.deepEqual(world.calls, ['GET /limits?preset=', 'POST /uploads/7/complete', 'POST /uploads/7/complete', 'FOLLOW 7'], 'asked twice, sent never');
  assert.equal(arrived.state, 'checking');

  world.calls.length = 0;
  world.scripts.complete.push(problem(409, 'not_arrived'));
  queue.add(facts, { ...trace });
  await settle();
  assert.deepEqual(world.calls, ['POST /uploads/7/complete', 'PUT 7', 'POST /uploads/7/complete', 'FOLLOW 7'], 'by the grant it had');
});

test('a trace without bytes asks for the file, and goes on with it', async () => {
  const { world, queue } = start();
  world.method = 'MULTIPART';
  const first = queue.add(photo('big.jpg', 55));
  let kept;
  world.scripts.put.push(() => { kept = { ...first }; }, () => undefined, () => undefined, ...Array.from({ length: 9 }, () => new PutError(400, 'Odd')));
  await settle();
  const { id, grant, until, skew } = kept;
  const sent = world.bucket.get(id).size;
  assert.ok(sent > 0 && sent < 6);

  const later = start();
  Object.assign(later.world, { bucket: world.bucket, bodies: world.bodies, granted: 1, method: 'MULTIPART' });
  const item = later.queue.add({ name: 'big.jpg', size: 55, type: 'image/jpeg', lastModified: 0 }, { id, grant, until, skew, begun: true, doubt: true });
  await settle();
  assert.equal(item.state, 'failed');
  assert.equal(item.problem.code, 'unreadable');
  assert.deepEqual(later.world.calls.filter((c) => c.startsWith('PUT')), []);
  later.queue.retry(item, photo('big.jpg', 55));
  await settle();
  assert.equal(item.state, 'checking');
  assert.equal(later.world.calls.filter((c) => c.startsWith('PUT')).length, 6 - sent, 'only what the bucket lacks');
});

test('an upload of an earlier page that the server does not know is forgotten', async () => {
  for (const status of [404, 410]) {
    const { world, queue } = start();
    world.scripts.complete.push(problem(status, 'not_found'));
    const item = queue.add({ name: 'a.jpg', size: 1, type: 'image/jpeg', lastModified: 0 }, { id: '9', doubt: true });
    await settle();
    // Without its bytes nobody can send it anew.
    assert.ok(item.state === 'canceled' || item.problem?.code === 'unreadable', item.state);
  }
});

test('traces that fail harm nobody', async () => {
  for (const traces of [async () => { throw new Error('no'); }, async () => ({ claim: async () => { throw new Error('no'); }, save() { throw new Error('no'); }, drop() { throw new Error('no'); } })]) {
    const { world, queue } = start({ traces });
    const item = queue.add(photo());
    await settle();
    world.finish('1');
    await settle();
    assert.equal(item.state, 'ready');
  }
});
