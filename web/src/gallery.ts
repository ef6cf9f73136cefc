// The gallery: every ready upload, newest first, each over its ThumbHash.

import type { Upload, Variant } from './core.ts';
import { h, icon, resolve } from './dom.ts';
import { paint } from './thumbhash.ts';
import { dimensions, Voice } from './words.ts';

export const voice: Voice = new Voice(); // the page is in English

/** A bin with its lid. */
export const bin = 'M5 7h14M10 7V5h4v2M7 7l.8 11.1a1.5 1.5 0 001.5 1.4h5.4a1.5 1.5 0 001.5-1.4L17 7M10.2 10.5v5.5M13.8 10.5v5.5';

/** One page of the list. */
interface Page {
  uploads: Upload[];
  next?: string;
}

/** "4032 × 3,024 · 2.2 MB". */
export const facts = (u: Upload): string =>
  `${dimensions(u)} · ${voice.size(u.size ?? 0)}`;

export const nameOf = (u: Upload): string => u.filename || 'Untitled photo';

/** Shows a picture once it is there, and takes the placeholder from under it. */
export function appear(img: HTMLImageElement, under: HTMLElement): void {
  img.dataset['wait'] = '';
  img.decode().then(
    () => {
      delete img.dataset['wait'];
      // A picture may be transparent; under it nothing should be seen for long.
      setTimeout(() => under.remove(), 400);
    },
    () => undefined,
  );
}

export interface GalleryEvents {
  open(u: Upload): void;
  remove(u: Upload): void;
  /** The number of tiles changed, or is known for the first time. */
  changed(): void;
}

export class Gallery {
  readonly #list: HTMLElement;
  readonly #endpoint: string;
  readonly #events: GalleryEvents;
  readonly #tiles = new Map<string, { upload: Upload; li: HTMLElement }>();
  /** Cursor of the next page; undefined when there is none. */
  next: string | undefined;

  constructor(list: HTMLElement, endpoint: string, events: GalleryEvents) {
    this.#list = list;
    this.#endpoint = endpoint;
    this.#events = events;
  }

  get size(): number {
    return this.#tiles.size;
  }

  /** All uploads shown, newest first. */
  get uploads(): Upload[] {
    return [...this.#tiles.values()].map((t) => t.upload).sort((a, b) => (a.id < b.id ? 1 : -1));
  }

  /** Fetches the next page; the first one, if none was fetched. */
  async more(): Promise<void> {
    const { uploads, next } = await this.list('ready', 48, this.next);
    this.next = next;
    for (const u of uploads) this.add(u);
    this.#events.changed();
  }

  async list(state: string, limit: number, cursor?: string): Promise<Page> {
    return (await this.fetch(`/uploads?state=${state}&limit=${limit}${cursor ? `&cursor=${cursor}` : ''}`)) as Page;
  }

  /** A request to the API; rejects with a sentence for people. */
  async fetch(path: string, method = 'GET'): Promise<unknown> {
    const answer = await fetch(this.#endpoint + path, { method }).catch(() => {
      throw new Error('The server could not be reached.');
    });
    const said = answer.status === 204 ? undefined : await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(said.detail || said.title || `The server answered ${answer.status}.`);
    return said;
  }

  /** The address of a variant: the named one, or the largest. */
  url(v: Variant): string {
    return resolve(v.url, this.#endpoint);
  }

  /** Puts an upload where it belongs: ids sort by time. */
  add(upload: Upload): void {
    if (this.#tiles.has(upload.id) || !upload.variants?.length) return;
    const older = [...this.#list.children].find((li) => ((li as HTMLElement).dataset['id'] ?? '') < upload.id);
    const li = this.#tile(upload, upload.variants);
    this.#tiles.set(upload.id, { upload, li });
    this.#list.insertBefore(li, older ?? null);
    this.#events.changed();
  }

  /** Takes a tile away and returns what should have the focus instead. */
  drop(id: string): HTMLElement | undefined {
    const li = this.#tiles.get(id)?.li;
    if (!li) return undefined;
    const heir = li.nextElementSibling ?? li.previousElementSibling;
    this.#tiles.delete(id);
    li.remove();
    this.#events.changed();
    return heir?.querySelector<HTMLElement>('.open') ?? undefined;
  }

  /** Brings the focus back to a tile. */
  focus(id: string): void {
    this.#tiles.get(id)?.li.querySelector<HTMLElement>('.open')?.focus();
  }

  #tile(u: Upload, variants: Variant[]): HTMLElement {
    const name = nameOf(u);
    const { width = 1, height = 1 } = u;
    // A panorama does not take three rows, nor a strip vanish.
    const aspect = Math.min(2.6, Math.max(0.6, width / height));
    const canvas = h('canvas', { ariaHidden: 'true' });
    paint(canvas, u.placeholder ?? '');
    const img: HTMLImageElement = h('img', {
      alt: '', draggable: false, loading: 'lazy', decoding: 'async', sizes: `${Math.round(aspect * 250)}px`,
      srcset: variants.map((v) => `${this.url(v)} ${v.width}w`).join(', '),
      src: this.url(variants[0] as Variant),
      onload: () => appear(img, canvas),
    });
    img.dataset['wait'] = '';
    const open = h('button', {
      type: 'button', className: width < 200 && height < 200 ? 'open small' : 'open', ariaHasPopup: 'dialog',
      ariaLabel: `Open ${name}, ${facts(u)}`, onclick: () => this.#events.open(u),
    }, canvas, img);
    const li = h('li', { className: 'tile' },
      h('figure', {}, open, h('figcaption', {}, h('bdi', { title: name }, name), h('span', {}, facts(u)))),
      h('button', { type: 'button', className: 'icon-button', ariaLabel: `Delete ${name}`, title: `Delete ${name}`, onclick: () => this.#events.remove(u) }, icon(bin)),
    );
    li.dataset['id'] = u.id;
    // Through the object model: the page's policy forbids style attributes.
    li.style.setProperty('--aspect', `${aspect}`);
    if (u.color) li.style.setProperty('--tone', u.color);
    return li;
  }
}
