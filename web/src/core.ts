// The whole life of uploads, without a DOM: queue, hash, grant, send, retry,
// and what the server makes of it. The element only draws what this says.
//
//	queued → preparing → uploading → checking → ready | rejected | failed
//	             ⇅           ⇅           ⇅
//	             └──────── waiting ──────┘         failed → queued (retry)
//
// and from everywhere to canceled; what turns out to have arrived already goes
// from preparing to checking. Rules, each with a test:
//   - at most four files are prepared or sent at once;
//   - a fault that may pass (no answer, 408, 429, 5xx) is tried five times, with
//     full-jitter back-off; Retry-After wins;
//   - a grant is asked for just before it is used, and anew when it ran out;
//     a bucket that answers 401 or 403 is tried once more with a new one, at
//     once, without spending a try;
//   - nothing is sent twice that may have arrived: the server is asked first;
//   - a file in parts is on its way until its grant is over: a retry sends only
//     what the bucket lacks (the rules of parts are in multipart.ts);
//   - the server is the authority on what became of a file.

import { PutError, type PutOptions } from './put.ts';
import { refuse } from './refuse.ts';
import { browser, Fault, unreachable, type Transport } from './transport.ts';
import type { FormGrant, Grant, Limits, PartsGrant, Problem, PutGrant, Upload } from './wire.ts';

export { PutError } from './put.ts';
export { refuse } from './refuse.ts';
export { Fault, type Transport } from './transport.ts';
export type * from './wire.ts';

export type State =
  | 'queued' | 'preparing' | 'uploading' | 'waiting' | 'checking'
  | 'ready' | 'rejected' | 'failed' | 'canceled';

// All but the last may become canceled as well.
const steps: Record<State, State[]> = {
  queued: ['preparing'],
  preparing: ['uploading', 'checking', 'waiting', 'rejected', 'failed'],
  uploading: ['checking', 'waiting', 'rejected', 'failed'],
  waiting: ['preparing', 'uploading', 'checking'],
  checking: ['ready', 'waiting', 'rejected', 'failed'],
  ready: [],
  rejected: [],
  failed: ['queued'],
  canceled: [],
};

/** Whether nothing more happens to a file by itself. */
export const settled = (s: State): boolean => s === 'ready' || s === 'rejected' || s === 'failed' || s === 'canceled';

/** One file on its way. To be read; the queue writes it. */
export interface Item {
  readonly file: File;
  readonly state: State;
  /** Share of the file that has been sent, 0 to 1. */
  readonly sent: number;
  /** The upload's id, once it is granted. */
  readonly id: string | undefined;
  /** What the server made of it, when ready. */
  readonly upload: Upload | undefined;
  /** Why not, when rejected or failed. */
  readonly problem: Problem | undefined;
}

interface Job {
  file: File;
  state: State;
  sent: number;
  id: string | undefined;
  upload: Upload | undefined;
  problem: Problem | undefined;
  stop: AbortController;
  grant: Grant | undefined;
  /** When the grant runs out, by the server's clock. */
  until: string | undefined;
  /** What the server's clock is ahead of ours, in ms. */
  skew: number;
  /** Some parts were sent by this grant. */
  begun: boolean;
  /** All was sent, so it may lie in the bucket: ask before sending it again. */
  doubt: boolean;
}

/** A queue's event: something about an item changed. */
export class ItemEvent extends Event {
  readonly item: Item;
  constructor(type: 'state' | 'progress', item: Item) {
    super(type);
    this.item = item;
  }
}

/** Time and chance. */
export interface Clock {
  now(): number;
  /** Resolves after ms, or rejects when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  random(): number;
}

const wall: Clock = {
  now: () => Date.now(),
  random: () => Math.random(),
  sleep: (ms, signal) =>
    new Promise((done, fail) => {
      signal.throwIfAborted();
      const timer = setTimeout(done, ms);
      // Left on the signal, which ends with the file: it does nothing then.
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        fail(signal.reason);
      });
    }),
};

export interface QueueOptions {
  /** Where the API is, without a trailing slash. */
  endpoint: string;
  preset?: string | undefined;
  /** Given back with each upload. */
  metadata?: Record<string, string> | undefined;
  transport?: Transport;
  clock?: Clock;
}

const atOnce = 4;
const tries = 5;
const longestWait = 120_000; // a Retry-After above this is told, not waited for
// A browser opens six connections to an HTTP/1.1 server. More to the bucket
// would wait for one of them while their patience runs out.
const connections = 6;
// Streams of events may not use them up.
const streams = 2;
const turn = 10_000; // ms that one file holds a stream while others wait for it
const hashUpTo = 16 * 2 ** 20; // crypto.subtle wants the whole file in memory

const inParts = (g: Grant | undefined): g is PartsGrant => g?.method === 'MULTIPART';
const isNotArrived = (e: unknown): boolean => e instanceof Fault && e.code === 'not_arrived';

// Faults that may pass by themselves.
const passes = (e: unknown): e is Fault | PutError =>
  (e instanceof Fault || e instanceof PutError) &&
  ([0, 408, 429].includes(e.status) || e.status >= 500 || (e.status === 409 && e.code !== 'size_mismatch') || e.code === 'RequestTimeout');

// Faults of the file, which trying again cannot mend.
const theirs = [400, 413, 415, 422];

/** Carries files, several at once, from here to what the server makes of them. */
export class Queue extends EventTarget {
  readonly #options: QueueOptions;
  readonly #net: Transport;
  readonly #clock: Clock;
  #jobs: Job[] = [];
  #arrived: Job[] = [];
  #busy = 0;
  #sending = 0;
  #turns: (() => void)[] = [];
  #followed = 0;
  #limits: Promise<Limits | undefined> | undefined;

  constructor(options: QueueOptions) {
    super();
    this.#options = options;
    this.#net = options.transport ?? browser;
    this.#clock = options.clock ?? wall;
  }

  /** All items, in the order in which they were added. */
  get items(): readonly Item[] {
    return this.#jobs;
  }

  /** What the preset allows; undefined when the server does not say. Asked once. */
  limits(): Promise<Limits | undefined> {
    const { preset } = this.#options;
    return (this.#limits ??= this.#net
      .call('GET', this.#url('/limits' + (preset ? '?preset=' + encodeURIComponent(preset) : '')))
      .catch(() => (this.#limits = undefined)) as Promise<Limits | undefined>);
  }

  add(file: File): Item {
    const job: Job = {
      file, state: 'queued', sent: 0, id: undefined, upload: undefined, problem: undefined,
      stop: new AbortController(), grant: undefined, until: undefined, skew: 0, begun: false, doubt: false,
    };
    this.#jobs.push(job);
    this.#tell('state', job);
    queueMicrotask(() => this.#start());
    return job;
  }

  /** Tries a failed item again. */
  retry(item: Item): void {
    const job = item as Job;
    job.stop = new AbortController();
    job.problem = undefined;
    job.sent = 0;
    this.#to(job, 'queued');
    this.#start();
  }

  /** Takes an item out of the queue, and off the server. */
  remove(item: Item): void {
    this.#to(item as Job, 'canceled');
    this.forget(item);
    this.#discard(item.id);
  }

  /** Takes an item out of the queue; what has arrived stays on the server. */
  forget(item: Item): void {
    (item as Job).stop.abort();
    this.#jobs = this.#jobs.filter((j) => j !== item);
  }

  /** Ends everything that is under way. */
  close(): void {
    for (const job of this.#jobs) if (!settled(job.state)) this.remove(job);
  }

  #url(path: string): string {
    return this.#options.endpoint + path;
  }

  #tell(type: 'state' | 'progress', job: Job): void {
    this.dispatchEvent(new ItemEvent(type, job));
  }

  #to(job: Job, state: State): void {
    const { state: from } = job;
    if (state === 'canceled' ? from === state : !steps[from].includes(state)) throw new Error(`${from} cannot become ${state}`);
    job.state = state;
    this.#tell('state', job);
  }

  #end(job: Job, state: 'rejected' | 'failed', problem: Problem): void {
    job.problem = problem;
    this.#to(job, state);
  }

  // ---- sending -----------------------------------------------------------

  #start(): void {
    for (const job of this.#jobs) {
      if (this.#busy >= atOnce) return;
      if (job.state === 'queued') void this.#run(job);
    }
  }

  async #run(job: Job): Promise<void> {
    this.#busy++;
    this.#to(job, 'preparing');
    const { signal } = job.stop;
    try {
      const limits = await this.limits();
      signal.throwIfAborted();
      const refusal = limits && refuse(job.file, limits);
      if (refusal) {
        this.#end(job, 'rejected', refusal);
      } else {
        await this.#send(job);
        this.#to(job, 'checking');
        await this.#insist(job, async () => {
          try {
            await this.#complete(job);
          } catch (e) {
            if (!inParts(job.grant) || !isNotArrived(e)) throw e;
            await this.#parts(job, job.grant);
            await this.#complete(job);
          }
        });
        this.#arrived.push(job);
      }
    } catch (e) {
      this.#fail(job, signal, e);
    }
    this.#busy--;
    this.#start();
    this.#follow();
  }

  async #send(job: Job): Promise<void> {
    const { file } = job;
    const { signal } = job.stop;
    const sha256 = await this.#hash(file);
    signal.throwIfAborted();
    let renewed = false;
    const once = async (): Promise<void> => {
      if (!job.grant || !this.#ahead(job, job.until)) await this.#ask(job, sha256);
      if (job.state === 'preparing') this.#to(job, 'uploading');
      const { grant } = job;
      if (inParts(grant)) return; // they are tried one by one, below
      await this.#put(grant as FormGrant | PutGrant, file, { signal, onprogress: (share) => this.#progress(job, share) });
      job.doubt = true;
    };
    await this.#insist(job, async () => {
      if (job.doubt) {
        try {
          return await this.#complete(job);
        } catch (e) {
          if (!isNotArrived(e)) {
            if (passes(e)) throw e;
            job.grant = undefined; // the upload is gone
          }
          job.doubt = false;
        }
      }
      try {
        job.sent = 0;
        await once();
      } catch (e) {
        if (!(e instanceof PutError)) throw e;
        job.doubt = !e.status && job.sent === 1;
        if (renewed || (e.status !== 401 && e.status !== 403)) throw e;
        renewed = true;
        job.grant = undefined;
        await once();
      }
    });
    if (!job.doubt && inParts(job.grant)) {
      await this.#parts(job, job.grant);
      job.doubt = true;
    }
    job.sent = 1;
  }

  /** Sends the parts of a file that the bucket does not have. */
  async #parts(job: Job, grant: PartsGrant): Promise<void> {
    const { state: phase, begun: resumed } = job;
    try {
      const { sendParts } = await this.#insist(job, () => import('./multipart.ts').catch(() => {
        throw unreachable();
      }));
      job.begun = true;
      await sendParts(grant, job.file, {
        resumed,
        net: this.#net,
        url: this.#url(`/uploads/${job.id}/parts`),
        canceled: job.stop.signal,
        put: (to, part, options) => this.#put(to, part, options),
        insist: (step, signal) => this.#insist(job, step, signal, phase),
        ahead: (time) => this.#ahead(job, time),
        onprogress: (share) => this.#progress(job, share),
      });
    } finally {
      if (job.state === 'waiting') this.#to(job, phase);
    }
  }

  /** Sends bytes to the bucket as soon as there is a connection for them. */
  async #put(grant: FormGrant | PutGrant, bytes: Blob, options: PutOptions): Promise<void> {
    while (this.#sending >= connections) await new Promise<void>((go) => this.#turns.push(go));
    this.#sending++;
    try {
      await this.#net.put(grant, bytes, options);
    } finally {
      this.#sending--;
      this.#turns.shift()?.();
    }
  }

  #progress(job: Job, share: number): void {
    if (job.stop.signal.aborted) return;
    job.sent = share;
    this.#tell('progress', job);
  }

  /** Whether a time of the server is far enough off to begin something. */
  #ahead(job: Job, time: string | undefined): boolean {
    // The last seconds are not worth a try. What is no time is not held against it.
    return !(Date.parse(time ?? '') - job.skew - 5000 < this.#clock.now());
  }

  async #hash(file: File): Promise<string | undefined> {
    // Only pages from https or from this machine have subtle.
    if (file.size > hashUpTo || !globalThis.crypto?.subtle) return undefined;
    let content: ArrayBuffer;
    try {
      content = await file.arrayBuffer();
    } catch {
      throw new Fault({ code: 'unreadable' });
    }
    return btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.digest('SHA-256', content))));
  }

  /** Asks for a grant, in place of the one before. */
  async #ask(job: Job, sha256: string | undefined): Promise<void> {
    const { preset, metadata } = this.#options;
    const { name: filename, type, size } = job.file;
    const now = this.#clock.now();
    const u = (await this.#net.call(
      'POST',
      this.#url('/uploads'),
      { preset, filename, type, size, sha256, metadata },
      job.stop.signal,
    )) as Upload;
    this.#discard(job.id);
    job.id = u.id;
    job.grant = u.grant;
    job.until = u.expires_at;
    job.begun = false;
    // Our clock may be wrong by hours: what the server says is read by its own.
    job.skew = Date.parse(u.created_at) - now;
  }

  async #complete(job: Job): Promise<void> {
    await this.#net.call('POST', this.#url(`/uploads/${job.id}/complete`), inParts(job.grant) ? { ticket: job.grant.ticket } : {}, job.stop.signal);
  }

  /** Best effort: what is left over anyway, the server sweeps. */
  #discard(id: string | undefined): void {
    if (id) this.#net.call('DELETE', this.#url('/uploads/' + id)).catch(() => undefined);
  }

  // ---- faults ------------------------------------------------------------

  /** Does a step until it works, the fault is one that stays, or the tries are used up. */
  async #insist<T>(job: Job, step: () => Promise<T>, signal = job.stop.signal, phase?: State): Promise<T> {
    for (let n = 1; ; n++) {
      try {
        return await step();
      } catch (e) {
        const pause = this.#pause(e, n);
        if (signal.aborted || pause === undefined) throw e;
        // Of several parts, some may wait while others are on their way.
        const before = phase ?? job.state;
        if (job.state !== 'waiting') this.#to(job, 'waiting');
        await this.#clock.sleep(pause, signal);
        if (job.state === 'waiting') this.#to(job, before);
      }
    }
  }

  /** Milliseconds to wait after the nth try; undefined: do not try again. */
  #pause(e: unknown, n: number): number | undefined {
    if (n >= tries || !passes(e)) return undefined;
    const said = e.retryAfter;
    const wait = said === undefined ? NaN : +said * 1000 || Date.parse(said) - this.#clock.now();
    if (wait > longestWait) return undefined;
    return wait >= 0 ? wait : this.#jitter(n);
  }

  #jitter(n: number): number {
    return this.#clock.random() * Math.min(30_000, 500 * 2 ** n);
  }

  #fail(job: Job, signal: AbortSignal, e: unknown): void {
    if (signal.aborted) return;
    // What was refused is not tried again; parts that have arrived are kept.
    if (inParts(job.grant) ? !passes(e) : e instanceof PutError) job.grant = undefined;
    if (e instanceof Fault) {
      this.#end(job, theirs.includes(e.status) ? 'rejected' : 'failed', e.problem);
    } else if (e instanceof PutError) {
      const { status, code } = e;
      this.#end(job, 'failed', { code: status ? 'bucket_refused' : 'bucket_unreachable', status, bucket: code });
    } else {
      this.#end(job, 'failed', { code: 'unexpected' });
    }
  }

  // ---- what the server makes of it -----------------------------------------

  /** Gives the oldest arrivals a stream each; the others wait for their turn. */
  #follow(): void {
    while (this.#followed < streams) {
      const job = this.#arrived.shift();
      if (!job) return;
      if (job.state !== 'checking') continue; // removed meanwhile
      this.#followed++;
      void this.#watch(job).finally(() => {
        this.#followed--;
        if (job.state === 'checking') this.#arrived.push(job);
        this.#follow();
      });
    }
  }

  async #watch(job: Job): Promise<void> {
    const { signal } = job.stop;
    const url = this.#url('/uploads/' + job.id);
    try {
      let lost = await this.#stream(job, url + '/events');
      for (let n = 0; lost && job.state === 'checking'; n++) {
        await this.#clock.sleep(this.#jitter(n), signal);
        try {
          this.#settle(job, (await this.#net.call('GET', url, undefined, signal)) as Upload);
          lost = !this.#arrived.length || n < 3;
        } catch (e) {
          // The file is safe where it is: a server that is away may come back.
          if (this.#pause(e, 1) === undefined) throw e;
        }
      }
    } catch (e) {
      this.#fail(job, signal, e);
    }
  }

  /** Resolves when the upload is settled or has had its turn: false; when the stream broke: true. */
  #stream(job: Job, url: string): Promise<boolean> {
    const { signal } = job.stop;
    return new Promise((done) => {
      const over = new AbortController();
      const end = (lost: boolean): void => {
        over.abort();
        stop();
        done(lost);
      };
      const stop = this.#net.follow(
        url,
        (u) => {
          if (!signal.aborted && this.#settle(job, u)) end(false);
        },
        () => end(true),
      );
      signal.addEventListener('abort', () => end(false), { signal: over.signal });
      const watch = async (): Promise<void> => {
        do await this.#clock.sleep(turn, over.signal);
        while (!this.#arrived.length);
        end(false);
      };
      watch().catch(() => undefined);
    });
  }

  /** Takes over what the server says; reports whether that was the last of it. */
  #settle(job: Job, u: Upload): boolean {
    if (u.state !== 'stored' && u.state !== 'granted') {
      job.doubt = false;
      job.grant = undefined; // it is used up
    }
    switch (u.state) {
      case 'ready':
        job.upload = u;
        this.#to(job, 'ready');
        break;
      case 'rejected':
      case 'failed':
        this.#end(job, u.state, u.problem ?? { code: 'unexpected' });
        break;
      case 'expired':
        this.#end(job, 'failed', { code: 'expired' });
        break;
      default:
        return false;
    }
    return true;
  }
}
