// A world for the core without servers, network or time: each test says what
// the servers answer, and moves the clock by hand.

import assert from 'node:assert/strict';

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
  for (let quiet = 0; quiet < 60; quiet = out ? 0 : quiet + 1) await new Promise((done) => setImmediate(done));
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
  signed = []; // the numbers of each batch of parts
  streams = new Map(); // id → { changed, lost, open }
  scripts = { limits: [], grant: [], put: [], sign: [], list: [], complete: [], get: [], delete: [] };
  method = 'POST'; // of the grants
  partSize = 10; // bytes
  partLife = 600_000;
  clock = undefined;
  bucket = new Map(); // id → Map of part number → bytes
  granted = 0;
  life = 600_000;
  hold = undefined; // when set, puts wait for it
  sending = 0;
  most = 0;

  transport = {
    call: async (method, url, body, signal, headers) => {
      signal?.throwIfAborted();
      const path = url.replace('https://gate.test', '');
      this.calls.push(`${method} ${path}`);
      const [name, answer] =
        path.startsWith('/limits') ? ['limits', () => limits]
        : method === 'DELETE' ? ['delete', () => undefined]
        : path.endsWith('/complete') ? ['complete', () => this.#complete(path.split('/')[2], body)]
        : path.endsWith('/parts') && method === 'POST' ? ['sign', () => this.#sign(path.split('/')[2], body)]
        : path.endsWith('/parts') ? ['list', () => this.#list(path.split('/')[2], headers)]
        : method === 'POST' ? ['grant', () => this.#grant(body)]
        : ['get', () => ({ state: 'stored' })];
      return this.#next(name, answer);
    },
    put: async (grant, file, { signal, onprogress }) => {
      signal.throwIfAborted();
      const [id, part] = grant.method === 'POST' ? [grant.fields.key] : new URL(grant.url).pathname.slice(1).split('/');
      this.calls.push(`PUT ${part ? `${id}/${part}` : id}`);
      this.sending++;
      this.most = Math.max(this.most, this.sending);
      try {
        if (this.hold) {
          await Promise.race([this.hold, new Promise((_, fail) => signal.addEventListener('abort', () => fail(signal.reason)))]);
        }
        await this.#next('put', () => onprogress(1), onprogress, grant, signal);
        if (part) this.bucket.get(id).set(Number(part), file.size);
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

  #next(name, otherwise, ...given) {
    const step = this.scripts[name].shift();
    if (!step) return otherwise();
    if (typeof step === 'function') return step(...given) ?? otherwise();
    throw step;
  }

  // A server whose clock is a year or so off ours.
  #time(ms = 0) {
    return new Date(Date.parse('2025-01-01T00:00:00Z') + this.clock.time + ms).toISOString();
  }

  #urls(id, numbers) {
    const size = this.bodies[id - 1].size;
    return {
      expires_at: this.#time(this.partLife),
      parts: numbers.map((n) => ({ number: n, url: `https://bucket.test/${id}/${n}?at=${this.clock.time}`, size: Math.min(this.partSize, size - (n - 1) * this.partSize) })),
    };
  }

  #sign(id, { ticket, numbers }) {
    assert.equal(ticket, `ticket-${id}`);
    this.signed.push(numbers);
    return this.#urls(id, numbers);
  }

  #list(id, headers) {
    assert.deepEqual(headers, { 'postern-ticket': `ticket-${id}` });
    return { part_size: this.partSize, parts: [...this.bucket.get(id)].map(([number, size]) => ({ number, size })) };
  }

  #complete(id, body) {
    const parts = this.bucket.get(id);
    assert.deepEqual(body, parts ? { ticket: `ticket-${id}` } : {});
    if (parts && [...parts.values()].reduce((a, b) => a + b, 0) < this.bodies[id - 1].size) throw problem(409, 'not_arrived');
    return { state: 'stored' };
  }

  #grant(body) {
    this.bodies.push(body);
    const id = String(++this.granted);
    const count = Math.ceil(body.size / this.partSize);
    if (this.method === 'MULTIPART') this.bucket.set(id, new Map());
    return {
      id, state: 'granted', created_at: this.#time(), expires_at: this.#time(this.life),
      grant: {
        POST: () => ({ method: 'POST', url: 'https://bucket.test/', fields: { key: id }, file_field: 'file' }),
        PUT: () => ({ method: 'PUT', url: `https://bucket.test/${id}`, headers: { 'Content-Type': body.type } }),
        MULTIPART: () => ({
          method: 'MULTIPART', ticket: `ticket-${id}`, part_size: this.partSize, part_count: count,
          ...this.#urls(id, Array.from({ length: Math.min(8, count) }, (_, i) => i + 1)),
        }),
      }[this.method](),
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
  const clock = world.clock = new FakeClock();
  const queue = new Queue({ endpoint: 'https://gate.test', transport: world.transport, clock, ...options });
  const states = new Map();
  queue.addEventListener('state', ({ item }) => {
    states.set(item, [...(states.get(item) ?? []), item.state]);
  });
  return { world, clock, queue, states: (item) => states.get(item).join(' ') };
}

export const problem = (status, code, more = {}) => new Fault({ code, status, title: code, detail: `${code}.`, ...more });
export const unreachable = () => new Fault({ code: 'server_unreachable', status: 0 });
