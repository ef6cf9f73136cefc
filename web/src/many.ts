// What several files need: a line for all of them, a way to hold them all, totals
// that are spoken at most every five seconds, and rows that are drawn together,
// ten times a second at most, since each frame takes time from sending. Fetched
// with the second file.

import { settled } from './item.ts';
import { button, h } from './dom.ts';
import type { PosternUpload } from './element.ts';
import type { Row } from './row.ts';
import type { Voice } from './words.ts';

const totalEvery = 5000; // ms
const drawEvery = 100; // ms

export class Many {
  readonly #element: PosternUpload;
  readonly #sum: HTMLElement = h('span');
  readonly #bar: HTMLProgressElement = h('progress', { className: 'bar' });
  readonly #hold: HTMLButtonElement = button('plain', () => (this.#paused ? this.#element.resume() : this.#element.pause()));
  readonly #all: HTMLElement = h('div', { className: 'all' }, this.#sum, this.#bar, this.#hold);
  #voice: Voice | undefined;
  readonly #stale = new Set<Row>();
  #due: ReturnType<typeof setTimeout> | undefined;
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

  /** Shows the sum of all, and a row, soon: there are many events in a moment. A new row is shown at once. */
  draw(v: Voice, row?: Row): void {
    this.#voice = v;
    if (row?.li.dataset['state']) this.#stale.add(row);
    else row?.draw(v, this.#element.endpoint);
    this.#due ??= setTimeout(() => this.#show(), drawEvery);
  }

  #show(): void {
    const v = this.#voice as Voice;
    const { items, endpoint } = this.#element;
    this.#due = undefined;
    for (const row of this.#stale) row.draw(v, endpoint);
    this.#stale.clear();
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
