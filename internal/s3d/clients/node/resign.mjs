// The signatures that the AWS SDK for JavaScript makes, at a given time, for
// what is on standard input: a JSON list of them on standard output. It is the
// signer beneath s3-presigned-post and s3-request-presigner, which read the clock.
import { createHash, createHmac } from 'node:crypto';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';

// It is not ours to depend on, but theirs: taken as they take it.
const { SignatureV4 } = createRequire(createRequire(import.meta.url).resolve('@aws-sdk/s3-presigned-post'))('@smithy/signature-v4');

class Sha256 {
  #hash;
  constructor(key) { this.#hash = key ? createHmac('sha256', key) : createHash('sha256'); }
  update(bytes) { this.#hash.update(bytes); }
  async digest() { return new Uint8Array(this.#hash.digest()); }
}

const out = [];
for (const x of JSON.parse(await text(process.stdin))) {
  const signer = new SignatureV4({
    service: 's3', region: x.region, sha256: Sha256, uriEscapePath: false, applyChecksum: false,
    credentials: { accessKeyId: x.access_key, secretAccessKey: x.secret_key, sessionToken: x.token || undefined },
  });
  const signingDate = new Date(x.date.replace(/^(....)(..)(..T..)(..)/, '$1-$2-$3:$4:'));
  if (x.policy) {
    out.push(await signer.sign(x.policy, { signingDate }));
    continue;
  }
  const url = new URL(x.url);
  const signed = new Set(Object.keys(x.headers));
  const unsigned = 'x-amz-content-sha256';
  const request = {
    method: x.method, protocol: url.protocol, hostname: url.hostname, port: url.port, path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: { ...x.headers, host: url.host, [unsigned]: 'UNSIGNED-PAYLOAD' },
  };
  const done = await signer.presign(request, {
    signingDate, expiresIn: x.expires, signableHeaders: signed,
    unsignableHeaders: new Set([unsigned]), unhoistableHeaders: new Set([...signed, unsigned]),
  });
  out.push(done.query['X-Amz-Signature']);
}
process.stdout.write(JSON.stringify(out));
