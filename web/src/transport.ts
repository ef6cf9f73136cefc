// How the core reaches the servers from a browser. Tests bring their own.

import { put, PutError, type PutOptions } from './put.ts';
import type { FormGrant, Problem, PutGrant, Upload } from './wire.ts';

/** What a server said instead of yes, or that it said nothing: status 0, and NaN when nobody was asked. */
export class Fault extends PutError {
  readonly problem: Problem;

  constructor(problem: Problem, retryAfter?: string | null) {
    super(problem.status ?? NaN, problem.code, problem.detail, retryAfter ?? problem.retry_after?.toString());
    this.problem = problem;
  }
}

/** Whether a fault may pass by itself. */
export const passes = (e: unknown): e is PutError =>
  e instanceof PutError &&
  ([0, 408, 429].includes(e.status) || e.status >= 500 || (e.status === 409 && e.code !== 'size_mismatch') || e.code === 'RequestTimeout');

export const unreachable = (): Fault => new Fault({ code: 'server_unreachable', status: 0 });

/** What the core needs of the world. */
export interface Transport {
  /** One request to the API; resolves with the JSON of a 2xx, rejects with a Fault or the signal's reason. */
  call(method: string, url: string, body?: unknown, signal?: AbortSignal, headers?: Record<string, string>): Promise<unknown>;
  /** Sends a file, or a part of one, to the bucket; rejects with a PutError or the signal's reason. */
  put(grant: FormGrant | PutGrant, file: Blob, options: PutOptions): Promise<void>;
  /** Whether there is no network: then nothing is tried. */
  offline?(): boolean;
  /** Whether there is nobody at all at a URL: then it is waited for. */
  away?(url: string): Promise<boolean>;
  /** Follows an upload; calls lost once when no more will come. Returns what ends it. */
  follow(url: string, changed: (u: Upload) => void, lost: () => void): () => void;
}

/** Milliseconds after which an API request without an answer is given up. */
const patience = 30_000;

export const browser: Transport = {
  put,

  async call(method, url, body, signal, headers) {
    let answer: Response;
    try {
      answer = await fetch(url, {
        method,
        signal: AbortSignal.any([AbortSignal.timeout(patience), ...(signal ? [signal] : [])]),
        headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
        body: JSON.stringify(body) as string | null, // undefined is no body
      });
      if (answer.ok) return answer.status === 204 ? undefined : await answer.json();
    } catch {
      signal?.throwIfAborted();
      throw unreachable();
    }
    const { status } = answer;
    const said = (await answer.json().catch(() => ({}))) as Partial<Problem>;
    throw new Fault({ code: 'server_fault', ...said, status }, answer.headers.get('retry-after'));
  },

  offline: () => !navigator.onLine,

  // An answer that this page may not read is an answer, too.
  away: (url) =>
    fetch(url, { method: 'HEAD', mode: 'no-cors' }).then(
      () => false,
      () => true,
    ),

  follow(url, changed, lost) {
    const source = new EventSource(url);
    source.addEventListener('state', (e) => changed(JSON.parse((e as MessageEvent<string>).data) as Upload));
    // The browser would go on trying at its own pace; ours backs off.
    source.onerror = () => {
      source.close();
      lost();
    };
    return () => source.close();
  },
};
