import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';

import * as s3 from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { createPresignedPost } from '@aws-sdk/s3-presigned-post';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';

import { client, exchange, keys, partSize, pattern, post, refused, test } from './world.mjs';

test('multipart by hand', async (b) => {
  const Key = 'large ü';
  const { UploadId } = await b.send(s3.CreateMultipartUploadCommand, { Key, ContentType: 'video/mp4', Metadata: { a: '1' } });
  const at = { Key, UploadId };
  const parts = [pattern(partSize), pattern(partSize).reverse(), Buffer.from('the end')];
  const done = [];
  for (const [i, Body] of parts.entries()) {
    const { ETag, ChecksumCRC32 } = await b.send(s3.UploadPartCommand, { ...at, PartNumber: i + 1, Body });
    done.push({ PartNumber: i + 1, ETag, ChecksumCRC32 });
  }
  // Not by paginateListParts: it looks for a marker, which S3 sends on the
  // last page, too, and never for IsTruncated.
  const listed = [];
  for (let page = { IsTruncated: true }; page.IsTruncated;) {
    page = await b.send(s3.ListPartsCommand, { ...at, MaxParts: 2, PartNumberMarker: page.NextPartNumberMarker });
    listed.push(...page.Parts);
  }
  assert.deepEqual(listed.map((p) => [p.PartNumber, p.ETag, p.Size]), done.map((p, i) => [p.PartNumber, p.ETag, parts[i].length]));
  const { Uploads } = await b.send(s3.ListMultipartUploadsCommand);
  assert.deepEqual(Uploads.map((u) => [u.Key, u.UploadId]), [[Key, UploadId]]);
  const complete = (Parts) => b.send(s3.CompleteMultipartUploadCommand, { ...at, MultipartUpload: { Parts } });
  await refused(400, 'InvalidPartOrder', complete(done.toReversed()));
  await refused(400, 'InvalidPart', complete([{ PartNumber: 1, ETag: `"${'0'.repeat(32)}"` }]));
  const whole = await complete(done);
  const md5 = (x) => createHash('md5').update(x).digest();
  assert.equal(whole.ETag, `"${md5(Buffer.concat(parts.map(md5))).toString('hex')}-3"`);
  assert.ok(Buffer.concat(parts).equals(await b.content(Key)));
  await assert.rejects(b.send(s3.AbortMultipartUploadCommand, at), s3.NoSuchUpload);
});

test('multipart refused', async (b) => {
  const { UploadId } = await b.send(s3.CreateMultipartUploadCommand, { Key: 'k' });
  const at = { Key: 'k', UploadId };
  const Parts = [];
  for (const PartNumber of [1, 2]) Parts.push({ PartNumber, ETag: (await b.send(s3.UploadPartCommand, { ...at, PartNumber, Body: 'small' })).ETag });
  await refused(400, 'EntityTooSmall', b.send(s3.CompleteMultipartUploadCommand, { ...at, MultipartUpload: { Parts } }));
  await b.send(s3.AbortMultipartUploadCommand, at);
  await refused(404, 'NoSuchUpload', b.send(s3.ListPartsCommand, at));
});

test('Upload of lib-storage', async (b) => {
  const body = pattern(2 * partSize + 12_345);
  for (const more of [{}, { ChecksumAlgorithm: 'SHA256' }, { ChecksumAlgorithm: 'CRC64NVME' }]) {
    for (const Body of [body, Readable.from([body.subarray(0, 999), body.subarray(999)])]) {
      let seen = 0;
      const upload = new Upload({ client, params: { Bucket: b.name, Key: 'k', Body, ContentType: 'video/mp4', ...more } });
      upload.on('httpUploadProgress', ({ loaded }) => { seen = Math.max(seen, loaded); });
      const done = await upload.done();
      assert.match(done.ETag, /-3"$/);
      assert.ok(done.Location.includes(b.name), done.Location);
      assert.equal(seen, body.length);
      assert.ok(body.equals(await b.content('k')));
    }
  }
});

test('presigned URLs', async (b) => {
  const sign = (Command, input, more = {}) => getSignedUrl(client, new Command({ Bucket: b.name, ...input }), { expiresIn: 60, ...more });
  for (const Key of keys) {
    const put = await exchange('PUT', await sign(s3.PutObjectCommand, { Key }), Key, { 'Content-Type': 'text/plain' });
    assert.equal(put.status, 200, `${Key}: ${put.body}`);
    const get = await exchange('GET', await sign(s3.GetObjectCommand, { Key, ResponseContentDisposition: 'attachment; filename="a b"' }));
    assert.deepEqual([get.status, String(get.body), get.headers['content-disposition'], get.headers['content-type']], [200, Key, 'attachment; filename="a b"', 'text/plain']);
  }
  // The SDK puts a checksum of no bytes into the URLs above, which S3 ignores;
  // what stands in a header counts.
  const sum = createHash('sha256').update('good').digest('base64');
  const summed = await sign(s3.PutObjectCommand, { Key: 'summed', ChecksumSHA256: sum }, { unhoistableHeaders: new Set(['x-amz-checksum-sha256']) });
  assert.match(summed, /x-amz-checksum-sha256/);
  assert.equal((await exchange('PUT', summed, 'evil', { 'x-amz-checksum-sha256': sum })).status, 400);
  assert.equal((await exchange('PUT', summed, 'good')).status, 403);
  assert.equal((await exchange('PUT', summed, 'good', { 'x-amz-checksum-sha256': sum })).status, 200);
  const bound = await sign(s3.PutObjectCommand, { Key: 'bound', ContentType: 'image/png', Metadata: { a: '1' } }, { signableHeaders: new Set(['content-type', 'host']) });
  assert.equal((await fetch(bound, { method: 'PUT', body: 'x', headers: { 'Content-Type': 'text/html' } })).status, 403);
  assert.equal((await fetch(bound, { method: 'PUT', body: 'x', headers: { 'Content-Type': 'image/png' } })).status, 200);
  // What the SDK moved into the query counts as the header it was.
  assert.deepEqual((await b.send(s3.HeadObjectCommand, { Key: 'bound' })).Metadata, { a: '1' });
  assert.equal((await exchange('DELETE', await sign(s3.DeleteObjectCommand, { Key: 'bound' }))).status, 204);
  await assert.rejects(b.send(s3.HeadObjectCommand, { Key: 'bound' }), s3.NotFound);

  const { UploadId } = await b.send(s3.CreateMultipartUploadCommand, { Key: 'parts' });
  const part = await exchange('PUT', await sign(s3.UploadPartCommand, { Key: 'parts', UploadId, PartNumber: 1 }), 'part');
  assert.equal(part.status, 200, String(part.body));
  await b.send(s3.CompleteMultipartUploadCommand, { Key: 'parts', UploadId, MultipartUpload: { Parts: [{ PartNumber: 1, ETag: part.headers.etag }] } });
  assert.equal(String(await b.content('parts')), 'part');
});

test('presigned POST', async (b) => {
  const fixed = { 'Content-Type': 'image/png', 'x-amz-meta-a': '1', success_action_status: '201' };
  const { url, fields } = await createPresignedPost(client, {
    Bucket: b.name, Key: 'q/${filename}', Fields: fixed, Expires: 60,
    Conditions: [['content-length-range', 1, 10], ['starts-with', '$key', 'q/'], ...Object.entries(fixed).map(([k, v]) => ({ [k]: v }))],
  });
  const good = await post(url, fields, 'ü cat.png', '0123456789');
  assert.equal(good.status, 201, good.body);
  assert.match(good.body, /<Key>q\/ü cat.png<\/Key>/);
  assert.ok(good.headers.get('ETag') && good.headers.get('Location'));
  const head = await b.send(s3.HeadObjectCommand, { Key: 'q/ü cat.png' });
  assert.deepEqual([head.ContentType, head.ContentLength, head.Metadata], ['image/png', 10, { a: '1' }]);
  for (const [change, content, status, code] of [
    [{}, '0123456789a', 400, 'EntityTooLarge'],
    [{}, '', 400, 'EntityTooSmall'],
    [{ 'Content-Type': 'text/html' }, 'x', 403, 'AccessDenied'],
    [{ key: 'elsewhere' }, 'x', 403, 'AccessDenied'],
    [{ 'x-amz-meta-b': '2' }, 'x', 403, 'AccessDenied'],
    [{ 'X-Amz-Signature': '0'.repeat(64) }, 'x', 403, 'SignatureDoesNotMatch'],
  ]) {
    const bad = await post(url, { ...fields, ...change }, 'cat.png', content);
    assert.equal(bad.status, status, bad.body);
    assert.ok(bad.body.includes(`<Code>${code}</Code>`), bad.body);
  }
});
