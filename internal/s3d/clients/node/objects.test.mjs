import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';

import * as s3 from '@aws-sdk/client-s3';

import { client, connect, keys, pattern, refused, test } from './world.mjs';

const source = (b, key) => `${b.name}/${encodeURIComponent(key)}`;

test('put and get', async (b) => {
  for (const n of [0, 1, 70_000, (1 << 20) + 7]) {
    const body = pattern(n);
    const made = await b.put('k', body);
    assert.equal(made.ETag, `"${createHash('md5').update(body).digest('hex')}"`);
    assert.ok(made.ChecksumCRC32, 'the checksum that the SDK adds on its own');
    assert.ok(body.equals(await b.content('k')), `${n} bytes`);
    await b.put('s', Readable.from(n ? [body.subarray(0, n >> 1), body.subarray(n >> 1)] : []), { ContentLength: n });
    assert.ok(body.equals(await b.content('s')), `${n} bytes of a stream`);
  }
  const made = await b.put('k', '0123456789', { ContentType: 'text/plain', CacheControl: 'max-age=60', Metadata: { album: '42' }, Tagging: 'a=b%20c' });
  const head = await b.send(s3.HeadObjectCommand, { Key: 'k' });
  assert.deepEqual([head.ContentLength, head.ContentType, head.CacheControl, head.Metadata, head.ETag], [10, 'text/plain', 'max-age=60', { album: '42' }, made.ETag]);
  assert.ok(Math.abs(head.LastModified - Date.now()) < 120_000);
  for (const [Range, want] of [['bytes=2-4', '234'], ['bytes=-3', '789'], ['bytes=7-', '789']]) assert.equal(String(await b.content('k', { Range })), want);
  await refused(416, 'InvalidRange', b.content('k', { Range: 'bytes=10-' }));
  const yesterday = new Date(Date.now() - 86_400_000);
  assert.equal(String(await b.content('k', { IfMatch: made.ETag, IfModifiedSince: yesterday })), '0123456789');
  await refused(412, 'PreconditionFailed', b.content('k', { IfMatch: '"other"' }));
  await refused(412, 'PreconditionFailed', b.content('k', { IfUnmodifiedSince: yesterday }));
  await assert.rejects(b.content('k', { IfNoneMatch: made.ETag }), (e) => e.$metadata.httpStatusCode === 304);
  const got = await b.send(s3.GetObjectCommand, { Key: 'k', ResponseContentType: 'image/png', ResponseContentDisposition: 'attachment' });
  assert.deepEqual([got.ContentType, got.ContentDisposition], ['image/png', 'attachment']);
  await got.Body.transformToString();
  await assert.rejects(b.content('none'), s3.NoSuchKey);
  await assert.rejects(b.send(s3.HeadObjectCommand, { Key: 'none' }), s3.NotFound);
});

test('checksums', async (b) => {
  for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256']) {
    const name = `Checksum${ChecksumAlgorithm}`;
    const made = await b.put('k', 'checked', { ChecksumAlgorithm });
    const got = await b.send(s3.GetObjectCommand, { Key: 'k', ChecksumMode: 'ENABLED' });
    assert.equal(await got.Body.transformToString(), 'checked');
    assert.ok(made[name] && made[name] === got[name], ChecksumAlgorithm);
    assert.equal(got.ChecksumType, 'FULL_OBJECT');
    // As on AWS, only the last chunk of a stream may be below 8 KiB.
    await b.put('s', Readable.from(['checked']), { ChecksumAlgorithm, ContentLength: 7 });
    assert.equal((await b.send(s3.HeadObjectCommand, { Key: 's', ChecksumMode: 'ENABLED' }))[name], made[name]);
    const { Contents } = await b.send(s3.ListObjectsV2Command, { Prefix: 'k' });
    assert.deepEqual(Contents[0].ChecksumAlgorithm, [ChecksumAlgorithm]);
  }
  const plain = connect({ requestChecksumCalculation: 'WHEN_REQUIRED' });
  await plain.send(new s3.PutObjectCommand({ Bucket: b.name, Key: 'k', Body: 'plain' }));
  assert.ok((await b.send(s3.HeadObjectCommand, { Key: 'k', ChecksumMode: 'ENABLED' })).ChecksumCRC64NVME);
  await refused(403, 'InvalidChunkSizeError', b.put('bad', Readable.from(['che', 'cked']), { ContentLength: 7 }));
  await refused(400, 'BadDigest', b.put('bad', 'x', { ContentMD5: `${'A'.repeat(22)}==` }));
  await refused(400, 'BadDigest', b.put('bad', 'x', { ChecksumSHA256: `${'A'.repeat(43)}=` }));
});

test('conditional put', async (b) => {
  const first = await b.put('k', 'first', { IfNoneMatch: '*' });
  await refused(412, 'PreconditionFailed', b.put('k', 'second', { IfNoneMatch: '*' }));
  await b.put('k', 'second', { IfMatch: first.ETag });
  await refused(412, 'PreconditionFailed', b.put('k', 'third', { IfMatch: first.ETag }));
  assert.equal(String(await b.content('k')), 'second');
  const race = await Promise.allSettled(Array.from({ length: 8 }, () => b.put('race', 'x', { IfNoneMatch: '*' })));
  assert.equal(race.filter(({ status }) => status === 'fulfilled').length, 1);
  for (const { reason } of race) assert.ok(!reason || [409, 412].includes(reason.$metadata.httpStatusCode), String(reason));
});

test('lists', async (b) => {
  const listing = ['a', 'a/1', 'a/2', 'a/b/1', 'b/1', 'b/2', 'c', 'ü/1'];
  for (const key of listing) await b.put(key);
  for (const [Prefix, Delimiter, wantKeys, wantPrefixes] of [
    ['', '', listing, []],
    ['', '/', ['a', 'c'], ['a/', 'b/', 'ü/']],
    ['a/', '/', ['a/1', 'a/2'], ['a/b/']],
    ['none', '', [], []],
  ]) {
    for (const pageSize of [1, 2, 1000]) {
      const found = [];
      const prefixes = [];
      for await (const page of s3.paginateListObjectsV2({ client, pageSize }, { Bucket: b.name, Prefix, Delimiter })) {
        found.push(...(page.Contents ?? []).map(({ Key }) => Key));
        prefixes.push(...(page.CommonPrefixes ?? []).map((p) => p.Prefix));
      }
      assert.deepEqual([found, prefixes], [wantKeys, wantPrefixes]);
    }
  }
  const v1 = await b.send(s3.ListObjectsCommand, { Delimiter: '/', MaxKeys: 2 });
  assert.deepEqual([v1.Contents.map(({ Key }) => Key), v1.CommonPrefixes, v1.IsTruncated, v1.NextMarker], [['a'], [{ Prefix: 'a/' }], true, 'a/']);
  const after = await b.send(s3.ListObjectsV2Command, { StartAfter: 'b/1', FetchOwner: true });
  assert.deepEqual(after.Contents.map(({ Key }) => Key), ['b/2', 'c', 'ü/1']);
  assert.ok(after.Contents.every(({ Owner }) => Owner.ID));
  await refused(400, 'InvalidArgument', b.send(s3.ListObjectsV2Command, { ContinuationToken: 'made up' }));
});

test('copies', async (b) => {
  const key = 'from ü+&?.txt';
  const made = await b.put(key, 'content', { ContentType: 'text/plain', Metadata: { a: '1' }, Tagging: 'k=v' });
  const copy = (more) => b.send(s3.CopyObjectCommand, { Key: 'to', CopySource: source(b, key), ...more });
  assert.equal((await copy()).CopyObjectResult.ETag, made.ETag);
  let head = await b.send(s3.HeadObjectCommand, { Key: 'to' });
  assert.deepEqual([head.ContentType, head.Metadata], ['text/plain', { a: '1' }]);
  await copy({ MetadataDirective: 'REPLACE', ContentType: 'image/png', Metadata: { b: '2' }, TaggingDirective: 'REPLACE', Tagging: 'x=y' });
  head = await b.send(s3.HeadObjectCommand, { Key: 'to' });
  assert.deepEqual([head.ContentType, head.Metadata], ['image/png', { b: '2' }]);
  assert.deepEqual((await b.send(s3.GetObjectTaggingCommand, { Key: 'to' })).TagSet, [{ Key: 'x', Value: 'y' }]);
  assert.equal(String(await b.content('to')), 'content');
  await refused(412, 'PreconditionFailed', copy({ CopySourceIfNoneMatch: made.ETag }));
  await refused(404, 'NoSuchKey', copy({ CopySource: source(b, 'none') }));
});

test('tags', async (b) => {
  await b.put('k', 'x', { Tagging: 'state=new' });
  const TagSet = [{ Key: 'empty', Value: '' }, { Key: 'größe', Value: '100 + 1' }];
  await b.send(s3.PutObjectTaggingCommand, { Key: 'k', Tagging: { TagSet } });
  const got = (await b.send(s3.GetObjectTaggingCommand, { Key: 'k' })).TagSet;
  assert.deepEqual(got.sort((x, y) => (x.Key < y.Key ? -1 : 1)), TagSet);
  await b.send(s3.DeleteObjectTaggingCommand, { Key: 'k' });
  assert.deepEqual((await b.send(s3.GetObjectTaggingCommand, { Key: 'k' })).TagSet, []);
  await refused(400, 'InvalidTag', b.send(s3.PutObjectTaggingCommand, { Key: 'k', Tagging: { TagSet: [TagSet[0], TagSet[0]] } }));
});

test('keys', async (b) => {
  for (const key of keys) await b.put(key, key);
  const { Contents } = await b.send(s3.ListObjectsV2Command);
  assert.deepEqual(Contents.map(({ Key }) => Key), keys.toSorted((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y))));
  for (const key of keys) {
    assert.equal(String(await b.content(key)), key);
    await b.send(s3.CopyObjectCommand, { Key: 'copy', CopySource: source(b, key) });
    assert.equal(String(await b.content('copy')), key);
  }
  await refused(400, 'KeyTooLongError', b.put('x'.repeat(1025)));
});

test('deletes', async (b) => {
  for (const key of ['a', 'b', 'c&<d>']) await b.put(key);
  await b.send(s3.DeleteObjectCommand, { Key: 'none' });
  const some = await b.send(s3.DeleteObjectsCommand, { Delete: { Objects: ['a', 'none', 'c&<d>'].map((Key) => ({ Key })) } });
  assert.deepEqual([some.Deleted.map(({ Key }) => Key).sort(), some.Errors], [['a', 'c&<d>', 'none'], undefined]);
  const quiet = await b.send(s3.DeleteObjectsCommand, { Delete: { Objects: [{ Key: 'b' }], Quiet: true } });
  assert.equal(quiet.Deleted, undefined);
  assert.equal((await b.send(s3.ListObjectsV2Command)).Contents, undefined);
});
