// One photo, large: arrows go on, Escape closes, the focus goes back to where
// the photo stands in the gallery.

import type { Upload, Variant } from './core.ts';
import { cross, h, icon } from './dom.ts';
import { bin, facts, nameOf, type Gallery } from './gallery.ts';
import { paint } from './thumbhash.ts';

const left = 'M14.5 5.5L8 12l6.5 6.5';
const right = 'M9.5 5.5L16 12l-6.5 6.5';

const part = <E extends HTMLElement>(within: ParentNode, selector: string): E => within.querySelector<E>(selector) as E;

export class Viewer {
  readonly #dialog: HTMLDialogElement;
  readonly #gallery: Gallery;
  #shown: Upload | undefined;

  constructor(dialog: HTMLDialogElement, gallery: Gallery, remove: (u: Upload) => void) {
    this.#dialog = dialog;
    this.#gallery = gallery;
    const button = (selector: string, drawing: string, does: () => void): void => {
      const b = part<HTMLButtonElement>(dialog, selector);
      b.append(icon(drawing));
      b.onclick = does;
    };
    button('.close', cross, () => dialog.close());
    button('.previous', left, () => this.#step(-1));
    button('.next', right, () => this.#step(1));
    button('.delete', bin, () => this.#shown && remove(this.#shown));
    dialog.onkeydown = (e) => {
      const way = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
      if (!way || e.ctrlKey || e.metaKey || e.altKey) return;
      e.preventDefault();
      this.#step(dialog.matches(':dir(rtl)') ? -way : way);
    };
    // A press beside the picture closes; so does Escape, by the dialog itself.
    part(dialog, '.stage').onclick = (e) => {
      if ((e.target as Element).matches('.stage, .frame')) dialog.close();
    };
    dialog.onclose = () => {
      if (this.#shown) this.#gallery.focus(this.#shown.id);
      this.#shown = undefined;
    };
  }

  /** Whether the photo is shown now. */
  shows(id: string): boolean {
    return this.#shown?.id === id;
  }

  open(u: Upload): void {
    this.#show(u);
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  /** The shown photo is about to go: on to the next one, or back. */
  leave(): void {
    if (!this.#step(1) && !this.#step(-1)) {
      this.#shown = undefined;
      this.#dialog.close();
    }
  }

  #step(by: number): boolean {
    const next = this.#neighbour(by);
    if (next) this.#show(next);
    return !!next;
  }

  #neighbour(by: number): Upload | undefined {
    const all = this.#gallery.uploads;
    const i = all.findIndex((u) => u.id === this.#shown?.id);
    return i < 0 ? undefined : all[i + by];
  }

  #show(u: Upload): void {
    this.#shown = u;
    const d = this.#dialog;
    const name = nameOf(u);
    part(d, 'h2 bdi').textContent = name;
    part(d, '.about p').textContent = facts(u);
    const bye = part<HTMLButtonElement>(d, '.delete');
    bye.setAttribute('aria-label', `Delete ${name}`);
    bye.title = `Delete ${name}`;
    for (const [selector, by] of [['.previous', -1], ['.next', 1]] as const) {
      const b = part<HTMLButtonElement>(d, selector);
      // A button that is gone cannot hold the focus.
      const held = b.disabled || document.activeElement === b;
      b.disabled = !this.#neighbour(by);
      if (held && b.disabled && document.activeElement !== d) part<HTMLButtonElement>(d, '.close').focus();
    }
    const large = u.variants?.at(-1) as Variant;
    const frame = part(d, '.frame');
    const canvas = h('canvas', { ariaHidden: 'true' });
    paint(canvas, u.placeholder ?? '');
    const img = h('img', { alt: name, draggable: false, src: this.#gallery.url(large) });
    img.dataset['wait'] = '';
    img.onload = () => {
      delete img.dataset['wait'];
      canvas.style.visibility = 'hidden'; // a picture may be transparent
    };
    frame.style.setProperty('--aspect', `${large.width / large.height}`);
    frame.style.setProperty('--wide', `${large.width}px`);
    frame.replaceChildren(canvas, img);
    for (const by of [1, -1]) {
      const v = this.#neighbour(by)?.variants?.at(-1);
      if (v) new Image().src = this.#gallery.url(v);
    }
  }
}
