// What outlives a page. Each file that is on its way is noted in IndexedDB: its
// name, size and date, how it was granted, and its bytes as long as there is room
// for them. The next page of the same origin goes on where this one ended.
//
// Rules, each with a test:
//   - one page has a file: each page holds a Web Lock of its own, a note says
//     which page it is of, and it changes hands only when that page is gone;
//   - bytes up to 64 MiB in all; above that a person is asked for the file again,
//     and what the bucket has of it is not sent twice;
//   - bytes are copied once, one file after the other, for a fifth of the time at
//     most: on a fast line sending them is cheaper than keeping them;
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
  /** The file, or what was made of it to be sent, if there is room. */
  bytes?: File | undefined;
  /** Those of its bytes that are in the database, which has them in a store of their own. */
  copied?: File | undefined;
  /** The note is in the database, or on its way there. */
  written?: boolean;
  trace?: Pick<Trace, 'id' | 'grant' | 'until' | 'skew'> | undefined;
}

const room = 64 * 2 ** 20;
const life = 24 * 3600 * 1000;
const soon = 1000; // ms: what is done by then is never noted
const patience = 1000; // ms for a database that does not answer
const rest = 4; // times as long as it took to copy a file, before the next one is
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
    const r = indexedDB.open('postern', 2);
    r.onupgradeneeded = ({ oldVersion }) => {
      if (!oldVersion) r.result.createObjectStore('files', { keyPath: 'place' });
      r.result.createObjectStore('bytes');
    };
    r.onsuccess = () => done(r.result);
    r.onerror = () => fail(r.error);
  }));

/** One transaction; resolves with what work returned once it is durable. */
async function notes<T>(work: (s: IDBObjectStore, bytes: IDBObjectStore, give: (v: T) => void) => void): Promise<T> {
  await hold();
  const t = (await open()).transaction(['files', 'bytes'], 'readwrite');
  return new Promise((done, fail) => {
    let value: T;
    work(t.objectStore('files'), t.objectStore('bytes'), (v) => (value = v));
    t.oncomplete = () => done(value);
    t.onabort = t.onerror = () => fail(t.error);
  });
}

const alive = async (): Promise<Set<string | undefined>> => new Set((await locks.query()).held?.map((l) => l.name));

/** What this page has noted, or is about to. */
const mine = new Map<string, Note>();
const kept = (): number => [...mine.values()].reduce((sum, n) => sum + (n.bytes?.size ?? 0), 0);

const isMine = (n: Note): boolean => mine.get(n.place) === n;

/** Writes what is known of a file; its bytes follow. */
const write = (n: Note): void => {
  if (!isMine(n)) return;
  n.written = true;
  void notes((s, all) => {
    if (!isMine(n)) return;
    const { bytes, copied, ...note } = n;
    s.put(note);
    // Never beside the bytes of something else.
    if (bytes !== copied) all.delete(n.place);
    localStorage[flag] = '1';
  }).catch(() => undefined);
  copying = copying.then(() => copy(n));
};

let copying = Promise.resolve();
const copy = async (n: Note): Promise<void> => {
  const { bytes } = n;
  if (!isMine(n) || !bytes || bytes === n.copied) return;
  const began = Date.now();
  await notes((_, all) => {
    if (!isMine(n)) return;
    all.put(bytes, n.place);
    n.copied = bytes;
  }).catch(() => (n.bytes = n.copied = undefined)); // no room, after all
  await new Promise((go) => setTimeout(go, rest * (Date.now() - began)));
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
    return notes((s, bytes, give) => {
      const all = s.getAll() as IDBRequest<Note[]>;
      all.onsuccess = () => {
        const ours: Note[] = [];
        for (const n of all.result) {
          if (living.has(n.owner)) continue;
          if (n.at < Date.now() - life) {
            s.delete(n.place);
            bytes.delete(n.place);
          } else if (n.scope === this.#scope) {
            n.owner = page;
            s.put(n);
            ours.push(n);
            const b = bytes.get(n.place);
            b.onsuccess = () => (n.bytes = n.copied = b.result as File | undefined);
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
    const late = new Promise<Partial<Trace> | undefined>((done) => setTimeout(done, patience));
    const trace = await Promise.race([this.#look(note, file).catch(() => undefined), late]);
    if (!trace && mine.get(place) === note) {
      mine.delete(place);
      release();
    }
    return trace ?? {};
  }

  /** What is known of a file; undefined, when it is another page's. */
  async #look(note: Note, file: File | FileFacts): Promise<Partial<Trace> | undefined> {
    // Mostly there are no notes at all.
    const before = localStorage[flag] && await notes<Note | undefined>((s, bytes, give) => {
      const r = s.get(note.place) as IDBRequest<Note | undefined>;
      const b = bytes.get(note.place) as IDBRequest<File | undefined>;
      b.onsuccess = () => give(r.result && { ...r.result, bytes: b.result });
    });
    if (before && before.owner !== page && (await alive()).has(before.owner)) return undefined;
    if (before) Object.assign(note, { bytes: before.bytes, copied: before.bytes, trace: before.trace, written: true });
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
    const n = mine.get(place ?? '');
    if (!n) return;
    mine.delete(n.place);
    if (!n.written) return release(); // it was quick
    void notes((s, bytes) => {
      s.delete(n.place);
      bytes.delete(n.place);
    }).catch(() => undefined).then(release);
  }
}
