// A world for the core without servers, network or time: each test says what
// the servers answer, and moves the clock by hand.

import { Fault, Queue } from '../.cache/core.mjs';
import { PutError } from '../.cache/core.mjs';

export { Fault, PutError, Queue };

export const limits = {
  preset: 'photos', types: ['image/jpeg', 'image/png'], min_bytes: 10, max_bytes: 1000,
  max_pixels: 5e7, max_side: 16383, max_frames: 300, variants: [{ name: 'thumb', box: 256 }],
};

export const photo = (name = 'cat.jpg', size = 100, type = 'image/jpeg') => new File([new Uint8Array(size)], name, { type });

// Reading a file and hashing it happen on other threads: count what is out.
let out = 0;
for (const [owner, name] of [[crypto.subtle, 'digest'], [Blob.prototype, 'arrayBuffer']]) {
  const real = owner[name];
  owner[name] = async function (...args) {
    out++;
    try {
      return await real.apply(this, args);
    } finally {
      out--;
    }
  };
}

/** Lets everything that can go on without the clock go on. */
export const settle = async () => {
  for (let quiet = 0; quiet < 20; quiet = out ? 0 : quiet + 1) await new Promise((done) => setImmediate(done));
};

export class FakeClock {
  time = 1_000_000;
  chance = 1;
  sleepers = [];
  now = () => this.time;
  random = () => this.chance;
  sleep = (ms, signal) => new Promise((done, fail) => {
    signal.throwIfAborted();
    const stop = () => {
      this.sleepers = this.sleepers.filter((s) => s !== sleeper);
      fail(signal.reason);
    };
    const sleeper = { at: this.time + ms, ms, done: () => (signal.removeEventListener('abort', stop), done()) };
    this.sleepers.push(sleeper);
    signal.addEventListener('abort', stop);
  });
  /** How long those who wait want to wait, in milliseconds. */
  get waits() {
    return this.sleepers.map((s) => s.ms);
  }
  async pass(ms) {
    this.time += ms;
    const due = this.sleepers.filter((s) => s.at <= this.time);
    this.sleepers = this.sleepers.filter((s) => s.at > this.time);
    for (const s of due) s.done();
    await settle();
  }
}

/** The API and the bucket. Scripts hold answers to come; without one, all goes well. */
export class World {
  calls = []; // "POST /uploads", "PUT 1", …
  bodies = [];
  streams = new Map(); // id → { changed, lost, open }
  scripts = { limits: [], grant: [], put: [], complete: [], get: [], delete: [] };
  granted = 0;
  life = 600_000;
  hold = undefined; // when set, puts wait for it
  sending = 0;
  most = 0;

  transport = {
    call: async (method, url, body, signal) => {
      signal?.throwIfAborted();
      const path = url.replace('https://gate.test', '');
      this.calls.push(`${method} ${path}`);
      const [name, answer] =
        path.startsWith('/limits') ? ['limits', () => limits]
        : method === 'DELETE' ? ['delete', () => undefined]
        : path.endsWith('/complete') ? ['complete', () => ({ state: 'stored' })]
        : method === 'POST' ? ['grant', () => this.#grant(body)]
        : ['get', () => ({ state: 'stored' })];
      return this.#next(name, answer);
    },
    put: async (grant, file, { signal, onprogress }) => {
      this.calls.push(`PUT ${grant.fields.key}`);
      this.sending++;
      this.most = Math.max(this.most, this.sending);
      try {
        if (this.hold) {
          await Promise.race([this.hold, new Promise((_, fail) => signal.addEventListener('abort', () => fail(signal.reason)))]);
        }
        this.#next('put', () => onprogress(1), onprogress);
      } finally {
        this.sending--;
      }
    },
    follow: (url, changed, lost) => {
      const id = url.split('/').at(-2);
      this.calls.push(`FOLLOW ${id}`);
      const stream = { changed, lost, open: true };
      this.streams.set(id, stream);
      return () => { stream.open = false; };
    },
  };

  #next(name, otherwise, given) {
    const step = this.scripts[name].shift();
    if (!step) return otherwise();
    if (typeof step === 'function') return step(given) ?? otherwise();
    throw step;
  }

  #grant(body) {
    this.bodies.push(body);
    const id = String(++this.granted);
    // A server whose clock is a year behind ours.
    const t = Date.parse('2025-01-01T00:00:00Z');
    return {
      id, state: 'granted', created_at: new Date(t).toISOString(), expires_at: new Date(t + this.life).toISOString(),
      grant: { method: 'POST', url: 'https://bucket.test/', fields: { key: id }, file_field: 'file' },
    };
  }

  get open() {
    return [...this.streams].filter(([, s]) => s.open).map(([id]) => id);
  }

  finish(id, upload = { state: 'ready', id, variants: [] }) {
    this.streams.get(id).changed(upload);
  }
}

export function start(options = {}) {
  const world = new World();
  const clock = new FakeClock();
  const queue = new Queue({ endpoint: 'https://gate.test', transport: world.transport, clock, ...options });
  const states = new Map();
  queue.addEventListener('state', ({ item }) => {
    states.set(item, [...(states.get(item) ?? []), item.state]);
  });
  return { world, clock, queue, states: (item) => states.get(item).join(' ') };
}

export const problem = (status, code, more = {}) => new Fault({ code, status, title: code, detail: `${code}.`, ...more });
export const unreachable = () => new Fault({ code: 'server_unreachable', status: 0 });
