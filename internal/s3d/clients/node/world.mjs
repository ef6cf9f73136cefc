// @aws-sdk/client-s3 on the site of the environment, with a bucket for each test.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { after, test as run } from 'node:test';

import { CreateBucketCommand, DeleteBucketCommand, DeleteObjectsCommand, GetObjectCommand, paginateListObjectsV2, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

export const { ENDPOINT: endpoint, AWS_REGION: region } = process.env;
export const keys = JSON.parse(readFileSync(new URL('../testdata/keys.json', import.meta.url), 'utf8'));
export const partSize = 5 << 20; // the smallest that S3 takes, but for the last

export const connect = (more) => {
  // maxAttempts: what fails at first is to be seen.
  const made = new S3Client({ endpoint, region, forcePathStyle: true, maxAttempts: 1, ...more });
  after(() => made.destroy());
  return made;
};
export const client = connect();

export const place = region === 'us-east-1' ? {} : { CreateBucketConfiguration: { LocationConstraint: region } };

/** A test with a bucket of its own, which is removed with all that is in it. */
export function test(name, body) {
  run(name, async () => {
    const b = new Bucket(`js-${randomUUID()}`);
    await client.send(new CreateBucketCommand({ Bucket: b.name, ...place }));
    try {
      await body(b);
    } finally {
      await b.remove();
    }
  });
}

class Bucket {
  constructor(name) {
    this.name = name;
  }

  send(Command, input = {}) {
    return client.send(new Command({ Bucket: this.name, ...input }));
  }

  put(Key, Body = 'x', more = {}) {
    return this.send(PutObjectCommand, { Key, Body, ...more });
  }

  async content(Key, more = {}) {
    const { Body } = await this.send(GetObjectCommand, { Key, ...more });
    return Buffer.from(await Body.transformToByteArray());
  }

  async remove() {
    for await (const page of paginateListObjectsV2({ client }, { Bucket: this.name })) {
      if (!page.Contents) continue;
      const { Errors } = await this.send(DeleteObjectsCommand, { Delete: { Objects: page.Contents.map(({ Key }) => ({ Key })) } });
      assert.equal(Errors, undefined);
    }
    await this.send(DeleteBucketCommand);
  }
}

/** Expects an error of the status and the name, which is S3's code. */
export function refused(status, name, promise) {
  return assert.rejects(promise, (e) => {
    assert.deepEqual([e.$metadata?.httpStatusCode, e.name], [status, name], String(e));
    return true;
  });
}

/** Bytes of which no two stretches look the same. */
export function pattern(n) {
  const b = Buffer.alloc(n);
  for (let i = 0, x = 2463534242; i + 4 <= n; i += 4) {
    x ^= x << 13; x ^= x >>> 17; x ^= x << 5;
    b.writeInt32LE(x, i);
  }
  return b;
}

/** One request without any SDK; unlike fetch it leaves ".." in a path alone. */
export function exchange(method, url, body, headers = {}) {
  const [, scheme, host, port, path] = /^(https?):\/\/([^:/]+):?(\d*)(.*)$/s.exec(url);
  return new Promise((resolve, reject) => {
    const request = (scheme === 'https' ? https : http).request({ method, host, port, path, headers }, (answer) => {
      const chunks = [];
      answer.on('data', (c) => chunks.push(c));
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) }));
      answer.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** A form as browsers send it: by fetch and FormData. */
export async function post(url, fields, filename, content) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append('file', new Blob([content]), filename);
  const answer = await fetch(url, { method: 'POST', body: form });
  return { status: answer.status, headers: answer.headers, body: await answer.text() };
}
