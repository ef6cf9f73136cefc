// A file in parts. The core fetches this when a grant is of that kind: most
// files are small. Nothing is imported here but types, so that it has no second
// copy of anything; what it needs is handed in.
//
// Rules, each with a test:
//   - three parts of a file are sent at once;
//   - a part is tried again by itself, as often and as late as the core would;
//   - URLs are signed shortly before they are needed, sixteen at a time, and anew
//     when they are about to run out;
//   - a bucket that answers 401 or 403 to a part is tried once more with a new URL,
//     at once;
//   - a part that fails for good stops the others.

import type { PutOptions } from './put.ts';
import type { Transport } from './transport.ts';
import type { PartsGrant, PutGrant, SignedPart } from './wire.ts';

/** What the core lends. */
export interface Means {
  /** Some parts may be in the bucket: it is asked first. */
  resumed: boolean | undefined;
  net: Pick<Transport, 'call'>;
  /** Where the API signs and lists the upload's parts. */
  url: string;
  /** Ends everything. */
  canceled: AbortSignal;
  /** Sends bytes to the bucket, when there is a connection for them. */
  put(grant: PutGrant, part: Blob, options: PutOptions): Promise<void>;
  /** Does a step until it works or there is no hope. */
  insist<T>(step: () => Promise<T>, signal: AbortSignal): Promise<T>;
  /** Whether a time of the server is still to come. */
  ahead(time: string): boolean;
  /** Called with the share of the file that has been sent, 0 to 1. */
  onprogress(share: number): void;
}

interface Signatures {
  expires_at: string;
  parts: SignedPart[];
}

// A bucket's answer, when the fault may be the URL's or its credential's.
const refused = (e: unknown): boolean => [401, 403].includes((e as { status: number }).status);

const atOnce = 3;
const batch = 16; // URLs signed by one request

/**
 * Sends a file in the parts of its grant, when it is resumed only those that
 * the bucket does not have. Resolves once it has them all.
 */
export async function sendParts(grant: PartsGrant, file: Blob, m: Means): Promise<void> {
  const { ticket, part_size, part_count } = grant;
  const over = new AbortController();
  const signal = AbortSignal.any([m.canceled, over.signal]);
  const sizeOf = (n: number): number => Math.min(part_size, file.size - (n - 1) * part_size);

  const arrived: number[] = []; // bytes of each part
  let sum = 0;
  const note = (n: number, bytes: number): void => {
    sum += bytes - (arrived[n] ?? 0);
    arrived[n] = bytes;
    m.onprogress(sum / file.size);
  };

  if (m.resumed) {
    const list = (): Promise<unknown> => m.net.call('GET', m.url, undefined, signal, { 'postern-ticket': ticket });
    for (const { number, size } of ((await m.insist(list, signal)) as { parts: Omit<SignedPart, 'url'>[] }).parts) {
      if (size !== sizeOf(number)) continue;
      arrived[number] = size;
      sum += size;
    }
  }
  const left: number[] = [];
  for (let n = 1; n <= part_count; n++) if (!arrived[n]) left.push(n);

  const urls = new Map<number, { url: string; until: string }>();
  const keep = ({ expires_at: until, parts }: Signatures): void => {
    for (const { number, url } of parts) urls.set(number, { url, until });
  };
  keep(grant);
  const stale = (n: number): boolean => {
    const u = urls.get(n);
    return !u || !m.ahead(u.until);
  };
  let signing: Promise<void> | undefined;
  const sign = async (n: number): Promise<void> => {
    while (stale(n)) {
      if (signing) {
        await signing; // for another part, and perhaps for this one
        continue;
      }
      const numbers = [n, ...left.filter(stale)].slice(0, batch);
      signing = m.net.call('POST', m.url, { ticket, numbers }, signal).then((s) => keep(s as Signatures)).finally(() => (signing = undefined));
      return signing;
    }
  };

  const send = async (n: number): Promise<void> => {
    const part = file.slice((n - 1) * part_size, n * part_size);
    let renewed = false;
    const once = async (): Promise<void> => {
      await sign(n);
      const { url, until } = urls.get(n) as { url: string; until: string };
      try {
        await m.put({ method: 'PUT', url }, part, { signal, onprogress: (share) => note(n, share * part.size) });
      } catch (e) {
        note(n, 0);
        // Those that were signed together fail together.
        for (const [x, u] of urls) if (refused(e) && u.until === until) urls.delete(x);
        if (renewed || !refused(e)) throw e;
        renewed = true;
        return once();
      }
      note(n, part.size);
    };
    await m.insist(once, signal);
  };
  const lane = async (): Promise<void> => {
    for (let n = left.shift(); n; n = left.shift()) await send(n);
  };
  const lanes = Array.from({ length: atOnce }, lane);
  try {
    await Promise.all(lanes);
  } catch (e) {
    over.abort();
    await Promise.allSettled(lanes);
    throw e;
  }
}
