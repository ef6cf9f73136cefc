// How the core reaches the servers from a browser. Tests bring their own.

import { put, type PutOptions } from './put.ts';
import type { FormGrant, Problem, PutGrant, Upload } from './wire.ts';

/** What a server said instead of yes, or that it said nothing. */
export class Fault extends Error {
  readonly problem: Problem;
  /** HTTP status; 0 when there was no answer, NaN when nobody was asked. */
  readonly status: number;
  readonly code: string;
  /** The Retry-After header as it came, or the problem's own. */
  readonly retryAfter: string | undefined;

  constructor(problem: Problem, retryAfter: string | undefined = problem.retry_after?.toString()) {
    super(problem.detail || problem.code);
    this.problem = problem;
    this.status = problem.status ?? NaN;
    this.code = problem.code;
    this.retryAfter = retryAfter;
  }
}

export const unreachable = (): Fault => new Fault({ code: 'server_unreachable', status: 0 });

/** What the core needs of the world. */
export interface Transport {
  /** One request to the API; resolves with the JSON of a 2xx, rejects with a Fault or the signal's reason. */
  call(method: string, url: string, body?: unknown, signal?: AbortSignal, headers?: Record<string, string>): Promise<unknown>;
  /** Sends a file, or a part of one, to the bucket; rejects with a PutError or the signal's reason. */
  put(grant: FormGrant | PutGrant, file: Blob, options: PutOptions): Promise<void>;
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
    throw new Fault({ code: 'server_fault', ...said, status }, answer.headers.get('retry-after') ?? undefined);
  },

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
