// One file in the list: its picture, its name, how far it is, and what can be
// done about it.

import { settled, type Item } from './core.ts';
import { button, h, resolve } from './dom.ts';
import { images } from './later.ts';
import { dimensions, type Key, type Voice } from './words.ts';

const worthPausing = 1e6; // bytes; what is smaller is sent before a hand gets there

/** What can be done about an item in its state; nothing, if it takes care of itself. */
const doing = ({ state, file }: Item): Key | undefined =>
  state === 'failed' ? 'again'
  : state === 'paused' ? 'resume'
  : !settled(state) && state !== 'checking' && file.size > worthPausing ? 'pause'
  : undefined;

export class Row {
  readonly item: Item;
  readonly li: HTMLElement;
  readonly #canvas: HTMLCanvasElement = h('canvas');
  /** The cross; it is there in every state. */
  readonly away: HTMLButtonElement;
  readonly #shot: HTMLElement = h('div', { className: 'shot' }, this.#canvas);
  readonly #say: HTMLElement = h('p', { className: 'say' });
  readonly #bar: HTMLProgressElement = h('progress', { className: 'bar' });
  readonly #act: HTMLButtonElement;
  #seen = false;
  #asked = false;

  /** Act pauses, goes on or tries again, whichever the state allows. */
  constructor(item: Item, act: () => void, away: () => void) {
    const { name } = item.file;
    this.item = item;
    this.#act = button('act', act);
    this.away = button('away', away);
    this.#bar.ariaLabel = name;
    this.li = h('li', { className: 'file' }, this.#shot,
      h('div', {}, h('p', { className: 'name', title: name }, h('bdi', {}, name)), this.#say, this.#bar), this.#act, this.away);
    // Only what is in view is worth a picture.
    new IntersectionObserver((all) => {
      this.#seen = all.at(-1)?.isIntersecting as boolean;
      if (this.#seen) void this.#preview();
    }).observe(this.li);
  }

  async #preview(): Promise<void> {
    const { bytes, file, upload } = this.item;
    const source = bytes ?? file;
    const hash = upload?.placeholder;
    if (this.#asked) return;
    this.#asked = true;
    if (source instanceof File) this.#asked = !!(await (await images())?.preview(source, this.#canvas, () => this.#seen && this.li.isConnected));
    else if (hash) (await import('./thumbhash.ts')).paint(this.#canvas, hash);
    else this.#asked = false; // nothing to show yet
  }

  /** Shows what is new; everything, when it is to be said in another language. */
  draw(voice: Voice, endpoint: string, anew = false): void {
    const { item: { state, sent, upload, file, problem }, li } = this;
    const bar = this.#bar;
    if (anew) this.#offer(voice);
    if (li.dataset['state'] !== state) {
      li.dataset['state'] = state;
      li.part = `file ${state}`;
      bar.hidden = settled(state);
      this.#offer(voice);
      if (upload) this.#show(endpoint);
    }
    this.#say.textContent = problem
      ? voice.sentence(problem)
      : [voice.say(state as Key, voice.number(sent, { style: 'percent' })), upload && dimensions(upload), voice.size(file.size)].filter(Boolean).join(' · ');
    if (state === 'preparing' || state === 'checking') bar.removeAttribute('value');
    else bar.value = sent;
  }

  /** Names the buttons by what they do now. */
  #offer(voice: Voice): void {
    const { item, away } = this;
    const act = this.#act;
    const key = doing(item);
    const name = (b: HTMLElement, k: Key): void => {
      b.ariaLabel = b.title = voice.say('act', voice.say(k), item.file.name);
    };
    name(away, settled(item.state) ? 'remove' : 'cancel');
    // A button that goes hands the focus on.
    if (!key && (act.getRootNode() as ShadowRoot).activeElement === act) away.focus();
    act.hidden = !key;
    if (!key) return;
    name(act, key);
    act.textContent = voice.say(key);
  }

  #show(endpoint: string): void {
    const { variants, color } = this.item.upload ?? {};
    if (!variants?.[0]) return;
    const img = h('img', {
      alt: '', sizes: '52px', src: resolve(variants[0].url, endpoint),
      srcset: variants.map((v) => `${resolve(v.url, endpoint)} ${v.width}w`).join(),
      onerror: () => img.remove(),
    });
    if (color) this.#shot.style.background = color;
    this.#shot.append(img);
    void this.#preview();
  }
}
