// The whole life of uploads, without a DOM: queue, hash, grant, send, retry,
// and what the server makes of it. The element only draws what this says; the
// states are in item.ts. Rules, each with a test:
//   - at most four files are prepared or sent at once;
//   - a fault that may pass (no answer, 408, 429, 5xx) is tried five times, with
//     full-jitter back-off; Retry-After wins. A server that is not there at all is
//     waited for longer, and offline nothing is tried;
//   - a grant is asked for just before it is used, and anew when it ran out;
//     a bucket that answers 401 or 403 is tried once more with a new one, at
//     once, without spending a try;
//   - nothing is sent twice that may have arrived: the server is asked first;
//   - a file in parts is on its way until its grant is over: a retry, also by
//     another page, sends only what the bucket lacks (parts are in multipart.ts,
//     what outlives a page in resume.ts);
//   - the server is the authority on what became of a file.

import { jitter, wall, type Clock } from './clock.ts';
import { followers } from './follow.ts';
import { grammar, ItemEvent, type FileFacts, type Item, type Job, type State, type Trace } from './item.ts';
import { PutError, type PutOptions } from './put.ts';
import { refuse } from './refuse.ts';
import { browser, Fault, passes, unreachable, type Transport } from './transport.ts';
import type { FormGrant, Grant, Limits, PartsGrant, Problem, PutGrant, Upload } from './wire.ts';

export type { Clock } from './clock.ts';
export { ItemEvent, settled, type FileFacts, type Item, type State, type Trace } from './item.ts';
export { PutError } from './put.ts';
export { refuse } from './refuse.ts';
export { Fault, type Transport } from './transport.ts';
export type * from './wire.ts';

/** Where files leave traces that another page can go on from: resume.ts. */
export interface Traces {
  /** Takes hold of a file in this browser, and says what is known of it; {} when another page has it. */
  claim(item: Traced): Promise<Partial<Trace>>;
  /** Notes how far a file is, if this page holds it. */
  save(item: Traced): void;
  /** Forgets a file and lets go of it, if this page holds it. */
  drop(item: Traced): void;
}

export type Traced = Trace & { file: File | FileFacts };

export interface QueueOptions {
  /** Where the API is, without a trailing slash. */
  endpoint: string;
  preset?: string | undefined;
  /** Given back with each upload. */
  metadata?: Record<string, string> | undefined;
  /** Makes of a file what is to be sent; the file itself, if there is nothing to make. Never rejects. */
  prepare?(file: File, limits: Limits | undefined): Promise<File>;
  traces?: (() => Promise<Traces>) | undefined;
  transport?: Transport;
  clock?: Clock;
}

const atOnce = 4;
const tries = 5;
const triesAway = 12; // while there is nobody to answer
const longestWait = 120_000; // a Retry-After above this is told, not waited for
// A browser opens six connections to an HTTP/1.1 server. More to the bucket
// would wait for one of them while their patience runs out.
const connections = 6;
const hashUpTo = 16 * 2 ** 20; // crypto.subtle wants the whole file in memory

const inParts = (g: Grant | undefined): g is PartsGrant => g?.method === 'MULTIPART';
const byBucket = (e: unknown): e is PutError => e instanceof PutError && !(e instanceof Fault);
const target = (g: Grant | undefined): string => (inParts(g) ? g.parts[0]?.url : g?.url) ?? '';
const isNotArrived = (e: unknown): boolean => (e as Fault).code === 'not_arrived';

// Faults of the file, which trying again cannot mend.
const theirs = [400, 413, 415, 422];

/** Carries files, several at once, from here to what the server makes of them. */
export class Queue extends EventTarget {
  readonly #options: QueueOptions;
  readonly #net: Transport;
  readonly #clock: Clock;
  readonly #follow: (job: Job) => void;
  #jobs: Job[] = [];
  #busy = 0;
  #sending = 0;
  #turns: (() => void)[] = [];
  #limits: Promise<Limits | undefined> | undefined;

  constructor(options: QueueOptions) {
    super();
    this.#options = options;
    this.#net = options.transport ?? browser;
    this.#clock = options.clock ?? wall;
    this.#follow = followers(this.#net, this.#clock, {
      url: (job) => this.#url(job),
      settle: (job, u) => this.#settle(job, u),
      fail: (job, signal, e) => this.#fail(job, signal, e),
    });
  }

  /** All items, in the order in which they were added. */
  get items(): readonly Item[] {
    return this.#jobs;
  }

  /** What the preset allows; undefined when the server does not say. Asked once. */
  limits(): Promise<Limits | undefined> {
    const { endpoint, preset } = this.#options;
    return (this.#limits ??= this.#net
      .call('GET', `${endpoint}/limits?preset=${encodeURIComponent(preset ?? '')}`)
      .catch(() => (this.#limits = undefined)) as Promise<Limits | undefined>);
  }

  /** Takes a file, to be sent. What an earlier page left of it may be given; then its bytes may be missing. */
  add(file: File | FileFacts, trace?: Partial<Trace>): Item {
    const job = { file, state: 'queued', sent: 0, stop: new AbortController(), ...trace } as Job;
    if (!trace) job.claim = this.#note('claim', job)?.then((t) => Object.assign(job, t));
    this.#jobs.push(job);
    this.#tell('state', job);
    queueMicrotask(() => this.#start());
    return job;
  }

  /** Stops sending an item; what the bucket has of its parts is kept. */
  pause(item: Item): void {
    const job = item as Job;
    this.#to(job, 'paused');
    job.doubt ||= job.sent === 1;
    job.stop.abort();
  }

  /** Goes on with an item that has failed or is paused; with the same file, when it was chosen again. */
  retry(item: Item, file?: File): void {
    const job = item as Job;
    job.bytes = file ?? job.bytes;
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
    this.#discard(item as Job);
  }

  /** Takes an item out of the queue; what has arrived stays on the server. */
  forget(item: Item): void {
    (item as Job).stop.abort();
    this.#jobs = this.#jobs.filter((j) => j !== item);
    void this.#note('drop', item as Job);
  }

  #url(job?: Job): string {
    return `${this.#options.endpoint}/uploads${job ? '/' + job.id : ''}`;
  }

  #tell(type: 'state' | 'progress', job: Job): void {
    this.dispatchEvent(new ItemEvent(type, job));
  }

  #to(job: Job, state: State): void {
    const { state: from } = job;
    if (from === state || !grammar.test(`${from} ${state}`)) throw new Error(`${from} cannot become ${state}`);
    job.state = state;
    if (/ready|rejected|canceled/.test(state)) void this.#note('drop', job);
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
      await job.claim;
      const { file } = job;
      if (file instanceof File) job.bytes ??= (await this.#options.prepare?.(file, limits)) ?? file;
      signal.throwIfAborted();
      // What was granted once was allowed.
      const refusal = !job.id && limits && refuse(job.bytes ?? file, limits);
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
        void this.#note('save', job);
        this.#follow(job);
      }
    } catch (e) {
      this.#fail(job, signal, e);
    }
    this.#busy--;
    this.#start();
  }

  /** The bytes that are sent; those of a file from an earlier page may be missing. */
  #bytes(job: Job): File {
    if (!job.bytes) throw new Fault({ code: 'unreadable' });
    return job.bytes;
  }

  /** What goes wrong with traces is no reason to fail. */
  #note(does: keyof Traces, job: Job): Promise<unknown> | undefined {
    return this.#options.traces?.().then((t): unknown => t[does](job)).catch(() => undefined);
  }

  async #send(job: Job): Promise<void> {
    const { signal } = job.stop;
    let renewed = false;
    const once = async (): Promise<void> => {
      const file = this.#bytes(job);
      if (!job.grant || !this.#ahead(job, job.until)) await this.#ask(job, file);
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
        if (!byBucket(e)) throw e;
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
      await sendParts(grant, this.#bytes(job), {
        resumed,
        net: this.#net,
        url: this.#url(job) + '/parts',
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
  async #ask(job: Job, file: File): Promise<void> {
    const { preset, metadata } = this.#options;
    const { name: filename, type, size } = file;
    const sha256 = await this.#hash(file);
    const now = this.#clock.now();
    const u = (await this.#net.call(
      'POST',
      this.#url(),
      { preset, filename, type, size, sha256, metadata },
      job.stop.signal,
    )) as Upload;
    this.#discard(job);
    job.id = u.id;
    job.grant = u.grant;
    job.until = u.expires_at;
    job.begun = false;
    // Our clock may be wrong by hours: what the server says is read by its own.
    job.skew = Date.parse(u.created_at) - now;
    void this.#note('save', job);
  }

  async #complete(job: Job): Promise<void> {
    await this.#net.call('POST', this.#url(job) + '/complete', inParts(job.grant) ? { ticket: job.grant.ticket } : {}, job.stop.signal);
  }

  /** Best effort: what is left over anyway, the server sweeps. */
  #discard(job: Job): void {
    if (job.id) this.#net.call('DELETE', this.#url(job)).catch(() => undefined);
  }

  // ---- faults ------------------------------------------------------------

  /** Does a step until it works, the fault is one that stays, or the tries are used up. */
  async #insist<T>(job: Job, step: () => Promise<T>, signal = job.stop.signal, phase?: State): Promise<T> {
    for (let n = 1; ; n++) {
      try {
        return await step();
      } catch (e) {
        const pause = this.#pause(e, n);
        const away = pause === undefined && n < triesAway && (e as Fault).status === 0 && (await this.#net.away?.(byBucket(e) ? target(job.grant) : this.#options.endpoint));
        if (signal.aborted || (pause === undefined && !away)) throw e;
        // Of several parts, some may wait while others are on their way.
        const before = phase ?? job.state;
        if (job.state !== 'waiting') this.#to(job, 'waiting');
        await this.#clock.sleep(pause ?? jitter(this.#clock, n), signal);
        for (; this.#net.offline?.(); n = 0) await this.#clock.sleep(1000, signal);
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
    return wait >= 0 ? wait : jitter(this.#clock, n);
  }

  #fail(job: Job, signal: AbortSignal, e: unknown): void {
    if (signal.aborted) return;
    // What was refused is not tried again; parts that have arrived are kept.
    const { status, code } = e as PutError;
    if (inParts(job.grant) ? status && !passes(e) : byBucket(e)) job.grant = undefined;
    if (e instanceof Fault) {
      // Of an earlier page, and nobody's now.
      if (!job.bytes && status > 403 && status < 411) return this.remove(job);
      this.#end(job, theirs.includes(status) ? 'rejected' : 'failed', e.problem);
    } else {
      this.#end(job, 'failed', { code: e instanceof PutError ? (status ? 'bucket_refused' : 'bucket_unreachable') : 'unexpected', status, bucket: code });
    }
  }

  /** Takes over what the server says; reports whether that was the last of it. */
  #settle(job: Job, u: Upload): boolean {
    const { state, problem } = u;
    if (state === 'stored' || state === 'granted') return false;
    job.doubt = false;
    job.grant = undefined; // it is used up
    void this.#note('drop', job);
    if (state === 'ready') {
      job.upload = u;
      this.#to(job, state);
    } else {
      this.#end(job, state === 'rejected' ? state : 'failed', problem ?? { code: state === 'expired' ? state : 'unexpected' });
    }
    return true;
  }
}
