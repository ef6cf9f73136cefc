// What the AWS SDK for JavaScript signs, for the cases on standard input: a
// JSON list on standard output.
import { text } from 'node:stream/consumers';

import { GetObjectCommand, PutObjectCommand, S3Client, UploadPartCommand } from '@aws-sdk/client-s3';
import { createPresignedPost } from '@aws-sdk/s3-presigned-post';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';

const out = [];
for (const x of JSON.parse(await text(process.stdin))) {
  const client = new S3Client({
    endpoint: x.endpoint, region: x.region, forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    credentials: { accessKeyId: x.access_key, secretAccessKey: x.secret_key, sessionToken: x.token || undefined },
  });
  const at = { Bucket: x.bucket, Key: x.key };
  const fields = { 'Content-Type': x.type, 'x-amz-meta-a': x.metadata };
  const conditions = [...Object.entries(fields).map(([k, v]) => ({ [k]: v })), ['content-length-range', 1, 1000]];
  const post = await createPresignedPost(client, { ...at, Fields: fields, Conditions: conditions, Expires: 300 });
  const put = new PutObjectCommand({ ...at, ContentType: x.type, ContentLength: x.size, Metadata: { a: x.metadata.trim() } });
  const url = (command, more) => getSignedUrl(client, command, { expiresIn: 300, ...more });
  out.push({
    post: post.fields,
    urls: [
      { method: 'PUT', url: await url(put, { signableHeaders: new Set(['content-type', 'content-length']), unhoistableHeaders: new Set(['x-amz-meta-a']) }) },
      { method: 'GET', url: await url(new GetObjectCommand(at)) },
      { method: 'PUT', url: await url(new UploadPartCommand({ ...at, UploadId: x.upload_id, PartNumber: 7 })) },
    ],
  });
  client.destroy();
}
process.stdout.write(JSON.stringify(out));
