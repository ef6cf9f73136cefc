// What several files need: a line for all of them, a way to hold them all, and
// totals that are spoken at most every five seconds. Fetched with the second
// file.

import { settled } from './item.ts';
import { button, h } from './dom.ts';
import type { PosternUpload } from './element.ts';
import type { Voice } from './words.ts';

const totalEvery = 5000; // ms

export class Many {
  readonly #element: PosternUpload;
  readonly #sum: HTMLElement = h('span');
  readonly #bar: HTMLProgressElement = h('progress', { className: 'bar' });
  readonly #hold: HTMLButtonElement = button('plain', () => (this.#paused ? this.#element.resume() : this.#element.pause()));
  readonly #all: HTMLElement = h('div', { className: 'all' }, this.#sum, this.#bar, this.#hold);
  #voice: Voice | undefined;
  #due = 0;
  #spoken = 0;
  #speaking: ReturnType<typeof setTimeout> | undefined;

  /** Rows may be put in order where the element is sortable; moved gets to know the place of each. */
  constructor(element: PosternUpload, list: HTMLElement, moved: (place: (row: HTMLElement) => number) => void) {
    this.#element = element;
    list.before(this.#all);
    if (element.hasAttribute('sortable')) {
      void import('./order.ts').then(({ sortable }) => sortable(list, (name) => this.#voice?.say('act', this.#voice.say('up'), name) ?? name, () => {
        const rows = [...list.children];
        moved((row) => rows.indexOf(row));
      }));
    }
  }

  /** Whether everything that could be under way stands still. */
  get #paused(): boolean {
    const all = this.#element.items.filter(({ state }) => !settled(state) && state !== 'checking');
    return !!all.length && all.every(({ state }) => state === 'paused');
  }

  /** Shows the sum of all, in the next frame: there are many events in one. */
  draw(v: Voice): void {
    this.#voice = v;
    if (!this.#due) this.#due = requestAnimationFrame(() => this.#show(v));
  }

  #show(v: Voice): void {
    this.#due = 0;
    const { items } = this.#element;
    const done = items.filter(({ state }) => settled(state)).length;
    let bytes = 0;
    let sent = 0;
    for (const i of items) {
      bytes += i.file.size;
      sent += i.file.size * (settled(i.state) ? 1 : i.sent);
    }
    this.#all.hidden = items.length < 2 || done === items.length;
    this.#sum.textContent = v.say('total', v.number(done), v.number(items.length));
    this.#bar.ariaLabel = v.say('photos');
    this.#bar.value = sent / (bytes || 1);
    this.#hold.textContent = v.say(this.#paused ? 'resume' : 'pause');
  }

  /** Has a total said when its time has come, in place of one that waits; without one only that goes. */
  tell(total?: () => void): void {
    clearTimeout(this.#speaking);
    if (!total) return;
    this.#speaking = setTimeout(() => {
      this.#spoken = Date.now();
      total();
    }, Math.max(0, this.#spoken + totalEvery - Date.now()));
  }
}
