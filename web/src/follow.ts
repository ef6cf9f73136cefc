// What the server makes of files that have arrived: by streams of events, a few
// at once, and by asking where a stream breaks.

import { jitter, type Clock } from './clock.ts';
import type { Job } from './item.ts';
import { passes, type Transport } from './transport.ts';
import type { Upload } from './wire.ts';

const streams = 2; // of a browser's six connections, which HTTP/1.1 servers get
const turn = 10_000; // ms that one file holds a stream while others wait for it

/** What the queue does with what is heard. */
export interface Ear {
  url(job: Job): string;
  /** Takes over what the server says; reports whether that was the last of it. */
  settle(job: Job, u: Upload): boolean;
  fail(job: Job, signal: AbortSignal, e: unknown): void;
}

/** Returns what takes a file that has arrived and follows it to its end. */
export function followers(net: Transport, clock: Clock, { url, settle, fail }: Ear): (job: Job) => void {
  const waiting: Job[] = [];
  let followed = 0;

  /** Gives the oldest a stream each; the others wait for their turn. */
  const next = (): void => {
    while (followed < streams) {
      const job = waiting.shift();
      if (!job) return;
      if (job.state !== 'checking') continue; // removed meanwhile
      followed++;
      void watch(job).finally(() => {
        followed--;
        add(job);
      });
    }
  };
  const add = (job: Job): void => {
    waiting.push(job);
    next();
  };

  const watch = async (job: Job): Promise<void> => {
    const { signal } = job.stop;
    try {
      let lost = await stream(job, signal);
      for (let n = 0; lost && job.state === 'checking'; n++) {
        await clock.sleep(jitter(clock, n), signal);
        try {
          settle(job, (await net.call('GET', url(job), undefined, signal)) as Upload);
          lost = !waiting.length || n < 3;
        } catch (e) {
          // The file is safe where it is: a server that is away may come back.
          if (!passes(e)) throw e;
        }
      }
    } catch (e) {
      fail(job, signal, e);
    }
  };

  /** Resolves when the upload is settled or has had its turn: false; when the stream broke: true. */
  const stream = (job: Job, signal: AbortSignal): Promise<boolean> =>
    new Promise((done) => {
      const over = new AbortController();
      const end = (lost: boolean): void => {
        over.abort();
        stop();
        done(lost);
      };
      const stop = net.follow(
        url(job) + '/events',
        (u) => {
          if (!signal.aborted && settle(job, u)) end(false);
        },
        () => end(true),
      );
      signal.addEventListener('abort', () => end(false), { signal: over.signal });
      const watch = async (): Promise<void> => {
        do await clock.sleep(turn, over.signal);
        while (!waiting.length);
        end(false);
      };
      watch().catch(() => undefined);
    });

  return add;
}
