// Files in parts, and files by PUT, through the core: each rule of multipart.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { photo, problem, PutError, settle, start, unreachable } from './world.mjs';

/** A world whose bucket takes parts of 10 bytes; 100 bytes are ten of them. */
function parts() {
  const all = start();
  all.world.method = 'MULTIPART';
  return all;
}

const sent = (world) => world.calls.filter((c) => c.startsWith('PUT'));
const numbers = (world) => sent(world).map((c) => Number(c.split('/')[1]));

/** Has the bucket answer a part with these faults first, one after the other. */
function faults(world, part, ...these) {
  const { put } = world.transport;
  world.transport.put = (grant, ...rest) => {
    if (grant.url.includes(`/${part}?`) && these.length) {
      world.scripts.put.unshift(these.shift());
    }
    return put(grant, ...rest);
  };
}
const upTo = (n, from = 1) => Array.from({ length: n - from + 1 }, (_, i) => from + i);

test('by PUT: as by a form', async () => {
  const { world, queue, states } = start();
  world.method = 'PUT';
  const item = queue.add(photo());
  await settle();
  world.finish('1');
  assert.deepEqual(world.calls, ['GET /limits?preset=', 'POST /uploads', 'PUT 1', 'POST /uploads/1/complete', 'FOLLOW 1']);
  assert.equal(states(item), 'queued preparing uploading checking ready');
});

test('in parts: every part once, the last with what is left, then complete with the ticket', async () => {
  const { world, queue, states } = parts();
  const item = queue.add(photo('cat.jpg', 95));
  await settle();
  assert.equal(states(item), 'queued preparing uploading checking');
  assert.deepEqual(numbers(world).sort((a, b) => a - b), upTo(10));
  assert.deepEqual([...world.bucket.get('1')].sort(([a], [b]) => a - b), upTo(10).map((n) => [n, n < 10 ? 10 : 5]));
  assert.deepEqual(world.calls.slice(-2), ['POST /uploads/1/complete', 'FOLLOW 1']);
  assert.equal(item.sent, 1);
  assert.deepEqual(world.signed, [[9, 10]], 'the grant had eight');
});

test('a part carries its own bytes and nothing else', async () => {
  const { world, queue } = parts();
  const bytes = new Uint8Array(35).map((_, i) => i);
  const seen = new Map();
  const { put } = world.transport;
  world.transport.put = async (grant, part, options) => {
    assert.deepEqual([grant.method, grant.headers, part.type], ['PUT', undefined, '']);
    seen.set(new URL(grant.url).pathname, [...new Uint8Array(await part.arrayBuffer())]);
    return put(grant, part, options);
  };
  queue.add(new File([bytes], 'a.jpg', { type: 'image/jpeg' }));
  await settle();
  assert.deepEqual([1, 2, 3, 4].flatMap((n) => seen.get(`/1/${n}`)), [...bytes]);
});

test('three parts of a file at once, six over all files', async () => {
  const { world, queue } = parts();
  let go;
  world.hold = new Promise((done) => { go = done; });
  queue.add(photo());
  await settle();
  assert.equal(world.sending, 3);
  for (let i = 0; i < 3; i++) queue.add(photo());
  await settle();
  assert.equal(world.sending, 6);
  go();
  await settle();
  assert.equal(world.most, 6);
  assert.equal(sent(world).length, 40);
  assert.equal(queue.items.filter((i) => i.state === 'checking').length, 4);
});

test('URLs are signed sixteen at a time, shortly before they are needed', async () => {
  const { world, queue } = parts();
  let go;
  world.hold = new Promise((done) => { go = done; });
  queue.add(photo('a.jpg', 500));
  await settle();
  assert.deepEqual(world.signed, [], 'those of the grant come first');
  go();
  await settle();
  assert.deepEqual(world.signed, [upTo(24, 9), upTo(40, 25), upTo(50, 41)]);
  assert.deepEqual(numbers(world).sort((a, b) => a - b), upTo(50));
});

test('URLs that are about to run out are signed anew, whatever our clock says', async () => {
  const { world, clock, queue } = parts();
  world.partLife = 60_000;
  world.scripts.put.push(new PutError(503, 'SlowDown', '', '56'));
  const at = [];
  const { put } = world.transport;
  world.transport.put = (grant, ...rest) => {
    at.push([new URL(grant.url).pathname, Number(new URL(grant.url).searchParams.get('at'))]);
    return put(grant, ...rest);
  };
  queue.add(photo('a.jpg', 30));
  const begun = clock.time;
  await settle();
  assert.deepEqual(at, ['/1/1', '/1/2', '/1/3'].map((p) => [p, begun]));
  await clock.pass(56_000);
  assert.deepEqual(world.signed, [[1]]);
  assert.deepEqual(at.at(-1), ['/1/1', begun + 56_000]);
});

test('a part that fails is tried again by itself, with the back-off of the core', async () => {
  const { world, clock, queue, states } = parts();
  clock.chance = 0.5;
  faults(world, 2, new PutError(503, 'SlowDown', ''));
  const item = queue.add(photo());
  await settle();
  assert.equal(sent(world).length, 10, 'the others went on');
  assert.deepEqual(clock.waits, [500]);
  await clock.pass(500);
  assert.equal(item.state, 'checking');
  assert.deepEqual(numbers(world).filter((n) => n === 2), [2, 2]);
  assert.equal(sent(world).length, 11);
  assert.equal(item.sent, 1);
  assert.match(states(item), /^queued preparing uploading waiting uploading checking$/);
});

test('Retry-After wins for a part as well', async () => {
  const { world, clock, queue } = parts();
  world.scripts.put.push(new PutError(503, 'SlowDown', '', '7'));
  queue.add(photo('a.jpg', 20));
  await settle();
  assert.deepEqual(clock.waits, [7000]);
});

test('a bucket that refuses a part gets new URLs once, at once', async () => {
  for (const status of [401, 403]) {
    const { world, queue, states } = parts();
    faults(world, 1, new PutError(status, 'AccessDenied', 'Request has expired'));
    const item = queue.add(photo('a.jpg', 50));
    await settle();
    assert.equal(states(item), 'queued preparing uploading checking');
    assert.equal(world.granted, 1, 'the upload is the same');
    assert.deepEqual(world.signed[0].sort(), [1, 4, 5], 'those that were signed with it are not tried');
    assert.equal(numbers(world).filter((n) => n === 1).length, 2);
  }
});

test('a second refusal of a part ends it, and stops the others', async () => {
  const { world, clock, queue } = parts();
  const refuse = (_, { url }) => {
    if (url.includes('/1/1?')) throw new PutError(403, 'AccessDenied', '');
    world.scripts.put.push(refuse);
    return new Promise(() => {}); // the others are on their way
  };
  const { put } = world.transport;
  world.transport.put = (grant, part, options) => Promise.race([
    put(grant, part, options),
    new Promise((_, fail) => options.signal.addEventListener('abort', () => fail(options.signal.reason))),
  ]);
  world.scripts.put.push(refuse, refuse, refuse, refuse);
  const item = queue.add(photo());
  await settle();
  assert.equal(item.state, 'failed');
  assert.deepEqual(item.problem, { code: 'bucket_refused', status: 403, bucket: 'AccessDenied' });
  assert.deepEqual(numbers(world), [1, 2, 3, 1]);
  assert.deepEqual(clock.waits, []);
});

test('one that waits while another fails for good', async () => {
  const { world, clock, queue } = parts();
  world.scripts.put.push(new PutError(503, '', ''));
  let fail;
  world.scripts.put.push(() => new Promise((_, no) => { fail = no; }));
  const item = queue.add(photo('a.jpg', 20));
  await settle();
  assert.equal(item.state, 'waiting');
  fail(new PutError(400, 'EntityTooSmall', ''));
  await settle();
  assert.equal(item.state, 'failed');
  assert.deepEqual(clock.waits, [], 'nobody waits any more');
});

test('progress is the sum of the parts, and falls by what was lost', async () => {
  const { world, clock, queue } = parts();
  const seen = [];
  queue.addEventListener('progress', (e) => seen.push(Math.round(e.item.sent * 100)));
  world.scripts.put.push(
    (onprogress) => { onprogress(0.5); throw new PutError(0, '', ''); },
    (onprogress) => { onprogress(1); return true; },
  );
  const item = queue.add(photo('a.jpg', 20));
  await settle();
  assert.deepEqual(seen, [25, 75, 50, 50]);
  await clock.pass(1000);
  assert.deepEqual(seen.slice(4), [100, 100]);
  assert.equal(item.sent, 1);
});

test('a signature that cannot be had is tried again', async () => {
  const { world, clock, queue } = parts();
  world.scripts.sign.push(unreachable());
  const item = queue.add(photo());
  await settle();
  assert.equal(item.state, 'waiting');
  await clock.pass(1000);
  assert.equal(item.state, 'checking');
  assert.equal(sent(world).length, 10);
});

test('complete says that parts are missing: they are sent, then it is asked again', async () => {
  const { world, queue, states } = parts();
  world.scripts.complete.push(() => {
    world.bucket.get('1').delete(4);
    world.bucket.get('1').set(7, 3); // cut short on its way
    throw problem(409, 'not_arrived');
  });
  const item = queue.add(photo());
  await settle();
  assert.equal(states(item), 'queued preparing uploading checking');
  assert.deepEqual(numbers(world).slice(10), [4, 7]);
  assert.deepEqual(world.calls.filter((c) => !c.startsWith('PUT')).slice(-4), [
    'POST /uploads/1/complete', 'GET /uploads/1/parts', 'POST /uploads/1/complete', 'FOLLOW 1',
  ]);
});

test('a bucket that never has what it took is given up', async () => {
  const { world, clock, queue } = parts();
  for (let i = 0; i < 20; i++) world.scripts.complete.push(problem(409, 'not_arrived'));
  const item = queue.add(photo());
  await settle();
  for (let i = 0; i < 4; i++) await clock.pass(30_000);
  assert.equal(item.state, 'failed');
  assert.equal(item.problem.code, 'not_arrived');
  assert.equal(sent(world).length, 10, 'what is listed is not sent again');
});

test('parts that are another file: told at once', async () => {
  const { world, clock, queue } = parts();
  world.scripts.complete.push(problem(409, 'size_mismatch'));
  const item = queue.add(photo());
  await settle();
  assert.equal(item.state, 'failed');
  assert.equal(item.problem.code, 'size_mismatch');
  assert.deepEqual(clock.waits, []);
  world.scripts.complete.push(problem(409, 'size_mismatch'));
  queue.retry(item);
  await settle();
  assert.equal(item.state, 'checking');
  assert.equal(world.granted, 2, 'a retry begins anew');
});

test('retry sends only what the bucket lacks', async () => {
  const { world, clock, queue } = parts();
  const down = (_, { url }) => {
    if (Number(/\/(\d+)\?/.exec(url)[1]) > 6) throw new PutError(0, '', '');
  };
  for (let i = 0; i < 100; i++) world.scripts.put.push(down);
  const item = queue.add(photo());
  await settle();
  for (let i = 0; i < 4; i++) await clock.pass(30_000);
  assert.equal(item.state, 'failed');
  assert.equal(item.problem.code, 'bucket_unreachable');
  world.scripts.put.length = 0;
  const before = sent(world).length;
  queue.retry(item);
  await settle();
  assert.equal(item.state, 'checking');
  assert.deepEqual(numbers(world).slice(before).sort((a, b) => a - b), [7, 8, 9, 10]);
  assert.equal(world.granted, 1);
});

test('a retry after complete failed does not send anything again', async () => {
  const { world, clock, queue } = parts();
  for (let i = 0; i < 5; i++) world.scripts.complete.push(unreachable());
  const item = queue.add(photo());
  await settle();
  for (let i = 0; i < 4; i++) await clock.pass(30_000);
  assert.equal(item.state, 'failed');
  queue.retry(item);
  await settle();
  assert.equal(item.state, 'checking');
  assert.equal(sent(world).length, 10);
});

test('cancel: everything stops, the upload is deleted, nothing is told any more', async () => {
  const { world, clock, queue } = parts();
  faults(world, 1, new PutError(503, '', ''));
  const { put } = world.transport;
  world.transport.put = (grant, part, options) => {
    if (grant.url.includes('/1/1?')) return put(grant, part, options);
    world.hold = new Promise(() => {}); // the others are on their way
    return put(grant, part, options);
  };
  const item = queue.add(photo());
  await settle();
  assert.equal(item.state, 'waiting');
  const told = [];
  for (const type of ['state', 'progress']) queue.addEventListener(type, (e) => told.push(`${type} ${e.item.state}`));
  queue.remove(item);
  await settle();
  assert.deepEqual(told, ['state canceled']);
  assert.equal(world.sending, 0);
  assert.deepEqual(clock.waits, []);
  assert.equal(world.calls.at(-1), 'DELETE /uploads/1');
  assert.equal(sent(world).length, 3);
  const next = queue.add(photo('next.jpg', 30));
  world.hold = undefined;
  world.transport.put = put;
  await settle();
  assert.equal(next.state, 'checking', 'its place is free');
});

test('cancel while others have all connections', async () => {
  const { world, queue } = parts();
  let go;
  world.hold = new Promise((done) => { go = done; });
  const items = Array.from({ length: 3 }, () => queue.add(photo()));
  await settle();
  assert.equal(world.sending, 6);
  // Which of them was granted first is a matter of hashing.
  const of = (item) => sent(world).filter((c) => c.startsWith(`PUT ${item.id}/`)).length;
  const before = of(items[2]);
  queue.remove(items[2]);
  go();
  await settle();
  assert.deepEqual(items.map((i) => i.state), ['checking', 'checking', 'canceled']);
  assert.equal(of(items[2]), before, 'no part of it is begun any more');
});

test('what the server gave up is begun anew by a retry', async () => {
  const { world, queue } = parts();
  world.scripts.put.push(new PutError(404, 'NoSuchUpload', ''));
  const item = queue.add(photo());
  await settle();
  assert.equal(item.problem.bucket, 'NoSuchUpload');
  queue.retry(item);
  await settle();
  assert.equal(item.state, 'checking');
  assert.equal(item.id, '2');
});
