import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

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
    assert.deepEqual(world.calls, ['GET /limits']);
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
  assert.equal(world.calls.filter((c) => c === 'GET /limits').length, 2);
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

test('close ends everything under way and keeps what is done', async () => {
  const { world, queue } = start();
  const done = queue.add(photo());
  await settle();
  world.finish('1');
  world.hold = new Promise(() => {});
  const busy = queue.add(photo());
  await settle();
  queue.close();
  await settle();
  assert.equal(done.state, 'ready');
  assert.equal(busy.state, 'canceled');
  assert.deepEqual(world.calls.filter((c) => c.startsWith('DELETE')), ['DELETE /uploads/2']);
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
