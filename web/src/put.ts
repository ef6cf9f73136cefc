// One file (or part), one grant, one request to the bucket. XMLHttpRequest,
// because fetch cannot tell how much of a request has been sent.

import type { FormGrant, PutGrant } from './wire.ts';

export type { FormGrant, PutGrant } from './wire.ts';

/** The bucket did not take the file. (A server's refusal, Fault, is made of the same.) */
export class PutError extends Error {
  /** HTTP status; 0 when there was no answer that this page may read. */
  readonly status: number;
  /** The Code of the bucket's XML error, "" when there is none. */
  readonly code: string;
  /** The Retry-After header as it came, if the bucket's CORS rule shows it. */
  readonly retryAfter: string | undefined;

  constructor(status: number, code: string, message?: string, retryAfter?: string) {
    super(message || code);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

export interface PutOptions {
  signal?: AbortSignal;
  /** Called with the share of the request that has been sent, 0 to 1. */
  onprogress?: (share: number) => void;
  /** Milliseconds without progress after which the try is given up; 30 000 if left out. */
  patience?: number;
}

// A listener for progress costs a preflight, which is a round trip of its own;
// what is smaller is sent before anybody could read a number.
const worthWatching = 256 * 1024;

const tag = (name: string, xml: string): string => new RegExp(`<${name}>([^<]*)`).exec(xml)?.[1] ?? '';

/**
 * Sends a file as its grant says: as a form, every field in order and the file
 * last, or as the body of a PUT with the headers that were signed. Resolves once
 * the bucket has answered 2xx, or 412 to a PUT: then an earlier try of the same
 * grant got through. Rejects with a PutError, or with the signal's reason.
 */
export function put(grant: FormGrant | PutGrant, file: Blob, options: PutOptions = {}): Promise<void> {
  const { signal, onprogress, patience = 30_000 } = options;
  return new Promise((done, fail) => {
    signal?.throwIfAborted();
    const x = new XMLHttpRequest();
    let timer: ReturnType<typeof setTimeout>;
    const alive = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => x.abort(), patience);
    };
    const stop = (): void => x.abort();
    if (onprogress && file.size >= worthWatching) {
      x.upload.onprogress = (e) => {
        alive();
        onprogress(e.loaded / e.total);
      };
    }
    x.onloadend = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      const { status, responseText: xml } = x;
      if (signal?.aborted) fail(signal.reason);
      else if ((status >= 200 && status < 300) || (grant.method === 'PUT' && status === 412)) done();
      // Asking for a header that CORS hides would log an error; the list of
      // all headers just lacks it.
      else fail(new PutError(status, tag('Code', xml), tag('Message', xml), /^retry-after: (.*)$/im.exec(x.getAllResponseHeaders())?.[1]));
    };
    signal?.addEventListener('abort', stop);
    x.open(grant.method, grant.url);
    alive();
    if (grant.method === 'PUT') {
      for (const [name, value] of Object.entries(grant.headers ?? {})) x.setRequestHeader(name, value);
      x.send(file);
      return;
    }
    const form = new FormData();
    for (const [name, value] of Object.entries(grant.fields)) form.append(name, value);
    form.append(grant.file_field, file);
    x.send(form);
  });
}
