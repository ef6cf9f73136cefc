// How the core reaches the servers from a browser. Tests bring their own.

import { put, type PutOptions } from './put.ts';
import type { Grant, Problem, Upload } from './wire.ts';

/** What a server said instead of yes, or that it said nothing. */
export class Fault extends Error {
  readonly problem: Problem;
  /** The Retry-After header as it came. */
  readonly retryAfter: string | undefined;

  constructor(problem: Problem, retryAfter?: string) {
    super(problem.detail || problem.code);
    this.problem = problem;
    this.retryAfter = retryAfter;
  }
}

/** What the core needs of the world. */
export interface Transport {
  /** One request to the API; resolves with the JSON of a 2xx, rejects with a Fault or the signal's reason. */
  call(method: string, url: string, body?: unknown, signal?: AbortSignal): Promise<unknown>;
  /** Sends a file to the bucket; rejects with a PutError or the signal's reason. */
  put(grant: Grant, file: Blob, options: PutOptions): Promise<void>;
  /** Follows an upload; calls lost once when no more will come. Returns what ends it. */
  follow(url: string, changed: (u: Upload) => void, lost: () => void): () => void;
}

/** Milliseconds after which an API request without an answer is given up. */
const patience = 30_000;

export const browser: Transport = {
  put,

  async call(method, url, body, signal) {
    let answer: Response;
    try {
      const limits = [AbortSignal.timeout(patience)];
      if (signal) limits.push(signal);
      answer = await fetch(url, {
        method,
        signal: AbortSignal.any(limits),
        ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      });
      if (answer.ok) return answer.status === 204 ? undefined : await answer.json();
    } catch {
      signal?.throwIfAborted();
      throw new Fault({ code: 'server_unreachable', status: 0 });
    }
    const { status, headers } = answer;
    const said = (await answer.json().catch(() => ({}))) as Partial<Problem>;
    throw new Fault({ code: 'server_fault', ...said, status }, headers.get('retry-after') ?? undefined);
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
