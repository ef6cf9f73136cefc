// Time and chance, which tests bring their own of.

export interface Clock {
  now(): number;
  /** Resolves after ms, or rejects when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  random(): number;
}

export const wall: Clock = {
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

/** Milliseconds to wait before trying again after the nth try: full jitter, up to half a minute. */
export const jitter = (c: Clock, n: number): number => c.random() * Math.min(30_000, 500 * 2 ** n);
