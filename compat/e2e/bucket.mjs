// The embedded bucket as its owner sees it: asked by the S3 API with the keys
// that the gate made on its first run, at its own address, not by the line.

import { createHash, createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const region = 'us-east-1';

export async function openBucket(url, folder) {
  const keys = JSON.parse(await readFile(join(folder, 'keys.json'), 'utf8'));
  const ask = async (query) => {
    const answer = await fetch(`${url}/postern?${query}`, { headers: sign(new URL(url).host, '/postern', query, keys) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`GET ?${query}: ${answer.status} ${text}`);
    return text;
  };
  const every = (text, name) => [...text.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map((m) => m[1]);
  return {
    url,
    /** The keys of uploads in parts that are neither complete nor aborted (ListMultipartUploads). */
    unfinished: async () => every(await ask('uploads='), 'Key'),
    /** The keys of objects that nobody has checked yet, or ever will (ListObjectsV2). */
    incoming: async () => every(await ask('list-type=2&prefix=incoming%2F'), 'Key'),
  };
}

/** SigV4 in the Authorization header, for a GET. The query's fields must be in order. */
function sign(host, path, query, keys) {
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const empty = createHash('sha256').update('').digest('hex');
  const canonical = ['GET', path, query, `host:${host}`, `x-amz-content-sha256:${empty}`, `x-amz-date:${date}`, '', 'host;x-amz-content-sha256;x-amz-date', empty].join('\n');
  const scope = [date.slice(0, 8), region, 's3', 'aws4_request'];
  const key = scope.reduce((k, word) => createHmac('sha256', k).update(word).digest(), `AWS4${keys.bucket_secret_key}`);
  const signature = createHmac('sha256', key)
    .update(['AWS4-HMAC-SHA256', date, scope.join('/'), createHash('sha256').update(canonical).digest('hex')].join('\n')).digest('hex');
  return {
    'x-amz-date': date,
    'x-amz-content-sha256': empty,
    authorization: `AWS4-HMAC-SHA256 Credential=${keys.bucket_access_key}/${scope.join('/')}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=${signature}`,
  };
}
