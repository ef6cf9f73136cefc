// What outlives a page. Each file that is on its way is noted in IndexedDB: its
// name, size and date, how it was granted, and its bytes as long as there is room
// for them. The next page of the same origin goes on where this one ended.
//
// Rules, each with a test:
//   - one page has a file: each page holds a Web Lock of its own, a note says
//     which page it is of, and it changes hands only when that page is gone;
//   - bytes up to 64 MiB in all; above that a person is asked for the file again,
//     and what the bucket has of it is not sent twice;
//   - a note lasts a day, and ends with its file;
//   - notes are of one scope, so that who signs in later does not find what
//     somebody else left.
//
// Without Web Locks (pages that are not from https or this machine) nothing is
// noted.

import type { Traced, Traces } from './core.ts';
import type { FileFacts, Trace } from './item.ts';

interface Note {
  place: string;
  scope: string;
  /** The page's lock. */
  owner: string;
  at: number;
  facts: FileFacts;
  /** The file, or what was made of it to be sent, if there was room. */
  bytes?: File | undefined;
  trace?: Pick<Trace, 'id' | 'grant' | 'until' | 'skew'> | undefined;
}

const room = 64 * 2 ** 20;
const life = 24 * 3600 * 1000;
const soon = 1000; // ms: what is done by then is never noted
const flag = 'postern'; // in localStorage: there are notes, so look

const page = `postern ${crypto.randomUUID?.()}`;
const locks = globalThis.navigator?.locks;

let held: Promise<void> | undefined;
let free: (() => void) | undefined;

/** Resolves once this page has its lock, which tells others that it lives. */
const hold = (): Promise<void> =>
  (held ??= new Promise((done) => {
    void locks.request(page, () => {
      done();
      return new Promise<void>((go) => (free = go));
    });
  }));

/** A page that holds a lock cannot be kept for going back to it. */
const release = (): void => {
  if (mine.size || !free) return;
  free();
  held = free = undefined;
};

let opened: Promise<IDBDatabase> | undefined;
const open = (): Promise<IDBDatabase> =>
  (opened ??= new Promise((done, fail) => {
    const r = indexedDB.open('postern', 1);
    r.onupgradeneeded = () => r.result.createObjectStore('files', { keyPath: 'place' });
    r.onsuccess = () => done(r.result);
    r.onerror = () => fail(r.error);
  }));

/** One transaction; resolves with what work returned once it is durable. */
async function notes<T>(work: (s: IDBObjectStore, give: (v: T) => void) => void): Promise<T> {
  await hold();
  const t = (await open()).transaction('files', 'readwrite');
  return new Promise((done, fail) => {
    let value: T;
    work(t.objectStore('files'), (v) => (value = v));
    t.oncomplete = () => done(value);
    t.onabort = t.onerror = () => fail(t.error);
  });
}

const alive = async (): Promise<Set<string | undefined>> => new Set((await locks.query()).held?.map((l) => l.name));

/** What this page has noted, or is about to. */
const mine = new Map<string, Note>();
const kept = (): number => [...mine.values()].reduce((sum, n) => sum + (n.bytes?.size ?? 0), 0);

const write = (n: Note): void => {
  void notes((s) => {
    if (mine.get(n.place) !== n) return;
    s.put(n);
    localStorage[flag] = '1';
  }).catch(() => {
    // No room, after all: without the bytes then.
    if (n.bytes) {
      n.bytes = undefined;
      write(n);
    }
  });
};

const factsOf = ({ name, size, type, lastModified }: FileFacts): FileFacts => ({ name, size, type, lastModified });

/** What is known from another page: the server is asked for it before anything is sent again. */
const known = ({ place, trace, bytes }: Note): Partial<Trace> =>
  trace ? { place, bytes, ...trace, begun: true, doubt: true } : { place };

/** The notes of one scope: what a person may see, on one endpoint. */
export class Notes implements Traces {
  readonly #scope: string;

  constructor(scope: string) {
    this.#scope = scope;
  }

  /** What pages that are gone have left, which is this page's from now on. */
  async recall(): Promise<{ file: File | FileFacts; trace: Partial<Trace> }[]> {
    if (!locks) return [];
    await hold();
    // One page at a time: several may be opened at once, as after a crash.
    const left = await locks.request('postern', () => this.#inherit()).catch((): Note[] => []);
    for (const n of left) mine.set(n.place, n);
    release();
    return left.sort((a, b) => a.at - b.at).map((n) => ({ file: n.trace ? n.facts : (n.bytes ?? n.facts), trace: known(n) }));
  }

  async #inherit(): Promise<Note[]> {
    const living = await alive();
    return notes((s, give) => {
      const all = s.getAll() as IDBRequest<Note[]>;
      all.onsuccess = () => {
        const ours: Note[] = [];
        for (const n of all.result) {
          if (living.has(n.owner)) continue;
          if (n.at < Date.now() - life) s.delete(n.place);
          else if (n.scope === this.#scope) {
            n.owner = page;
            s.put(n);
            ours.push(n);
          }
        }
        if (!all.result.length) delete localStorage[flag];
        give(ours);
      };
    });
  }

  /** A database that does not answer keeps no upload waiting. */
  async claim({ file }: Traced): Promise<Partial<Trace>> {
    const place = [this.#scope, file.name, file.size, file.lastModified].join('\n');
    if (!locks || mine.has(place)) return {};
    const note: Note = { place, scope: this.#scope, owner: page, at: Date.now(), facts: factsOf(file) };
    mine.set(place, note);
    const late = new Promise<Partial<Trace> | undefined>((done) => setTimeout(done, soon));
    const trace = await Promise.race([this.#look(note, file).catch(() => undefined), late]);
    if (!trace && mine.get(place) === note) {
      mine.delete(place);
      release();
    }
    return trace ?? {};
  }

  /** What is known of a file; undefined, when it is another page's. */
  async #look(note: Note, file: File | FileFacts): Promise<Partial<Trace> | undefined> {
    await hold();
    const living = await alive();
    const before = await notes<Note | undefined>((s, give) => {
      const r = s.get(note.place) as IDBRequest<Note | undefined>;
      r.onsuccess = () => give(r.result);
    });
    if (before && before.owner !== page && living.has(before.owner)) return undefined;
    if (before) Object.assign(note, { bytes: before.bytes, trace: before.trace });
    else if (file instanceof File && kept() + file.size <= room) note.bytes = file;
    setTimeout(write, before ? 0 : soon, note);
    return known(note);
  }

  save({ place, file, bytes, id, grant, until, skew }: Traced): void {
    const n = mine.get(place ?? '');
    if (!n) return;
    const made = bytes && bytes !== file;
    const had = n.bytes?.size ?? 0;
    if (made) n.bytes = kept() - had + bytes.size <= room ? bytes : undefined;
    // What was made is not made the same way again: without its bytes nobody can go on.
    n.trace = made && !n.bytes ? undefined : { id, grant, until, skew };
    if (n.at < Date.now() - soon) write(n);
  }

  drop({ place }: Traced): void {
    if (!place || !mine.delete(place)) return;
    void notes((s) => s.delete(place)).catch(() => undefined).then(release);
  }
}
