// <postern-upload>: pick, drop, paste; one row for each file, from its first
// byte to the finished picture. It draws what the core says, and holds the rules
// of accessibility:
//   - a native button opens the picker; the input itself is out of reach;
//   - each row has a named progress and buttons that name their file;
//   - one live region, there from the start, says: added, a total at most every
//     five seconds, failures, the end. Never a percentage;
//   - a row that goes hands its focus on: next, previous, picker.

import { Queue, settled, type Item, type ItemEvent, type Problem, type State, type Upload } from './core.ts';
import { cross, h, icon, resolve } from './dom.ts';
import css from './element.css';
import { preview } from './preview.ts';
import { dimensions, hint, roughly, sentence, ui } from './words.ts';

/** Before a file is taken: preventDefault leaves it out. */
export type AcceptEvent = CustomEvent<{ file: File }>;
export type ProgressEvent = CustomEvent<{ item: Item; state: State; sent: number }>;
export type DoneEvent = CustomEvent<{ item: Item; upload: Upload }>;
/** The problem document, and whose it is. */
export type FaultEvent = CustomEvent<Problem & { item: Item }>;

declare global {
  interface HTMLElementEventMap {
    'postern-accept': AcceptEvent;
    'postern-progress': ProgressEvent;
    'postern-done': DoneEvent;
    'postern-error': FaultEvent;
  }
  interface HTMLElementTagNameMap {
    'postern-upload': PosternUpload;
  }
}

interface Row {
  li: HTMLElement;
  shot: HTMLElement;
  say: HTMLElement;
  bar: HTMLProgressElement;
  retry: HTMLButtonElement;
  away: HTMLButtonElement;
}

const totalEvery = 5000; // ms between two spoken totals
const upward = 'M12 16V5m0 0L7.5 9.5M12 5l4.5 4.5M5 16v2.5A1.5 1.5 0 006.5 20h11a1.5 1.5 0 001.5-1.5V16';
const landscape = 'M4 5h16v14H4zM4 16l4.5-4.5L13 16m-1.5-1.5L14 12l6 5M15.5 9h.01';
const again = 'M19 12a7 7 0 11-2.05-4.95L19 9m0-4v4h-4';

/**
 * The upload element. Attributes: endpoint (where the API is; where the script
 * came from, if left out), preset, whole-page (takes drops and pastes anywhere),
 * all read when it is connected; multiple, name, disabled. As part of a form its value is the ids of the
 * uploads that are ready. Its class is registered by index.ts.
 */
export class PosternUpload extends HTMLElement {
  static readonly formAssociated = true;
  static readonly observedAttributes: string[] = ['disabled', 'multiple'];

  /** Given back with each upload. May be set before the element is defined. */
  declare metadata: Record<string, string> | undefined;

  readonly #inner: ElementInternals = this.attachInternals();
  readonly #rows = new Map<Item, Row>();
  #queue: Queue | undefined;
  #ears: AbortController | undefined;
  #spoken = 0;
  #speaking: ReturnType<typeof setTimeout> | undefined;
  #counted = { all: 0, ready: 0, not: 0 };

  readonly #input: HTMLInputElement = h('input', { type: 'file', hidden: true, tabindex: '-1', onchange: () => this.#picked() });
  readonly #pick: HTMLButtonElement = h('button', { type: 'button', class: 'pick', part: 'pick', 'aria-describedby': 'hint', onclick: (e) => { e.stopPropagation(); this.pick(); } });
  readonly #or: HTMLElement = h('p', { class: 'or', part: 'or' });
  readonly #hint: HTMLElement = h('p', { id: 'hint', class: 'hint', part: 'hint' });
  readonly #list: HTMLElement = h('ul', { role: 'list', part: 'list', 'aria-label': ui.files });
  readonly #files: HTMLElement = h('div', { class: 'files', part: 'files', hidden: true }, this.#list);
  readonly #status: HTMLElement = h('p', { role: 'status', class: 'vh' });

  constructor() {
    super();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    const root = this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [sheet];
    root.append(
      h('div', { class: 'zone', part: 'zone', onclick: () => this.pick() }, this.#pick, this.#or, this.#hint,
        h('p', { class: 'over', 'aria-hidden': 'true' }, ui.drop)),
      this.#input,
      this.#files,
      this.#status,
    );
    this.#inner.role = 'group';
  }

  /** Where the API is, without a trailing slash. */
  get endpoint(): string {
    const said = this.getAttribute('endpoint');
    return new URL(said ? said.replace(/\/*$/, '/') : new URL('.', import.meta.url), document.baseURI).href.slice(0, -1);
  }

  get multiple(): boolean {
    return this.hasAttribute('multiple');
  }

  /** All files there are, oldest first. */
  get items(): readonly Item[] {
    return this.#queue?.items ?? [];
  }

  connectedCallback(): void {
    if (!this.#queue) {
      const element = this;
      const queue = new Queue({
        endpoint: this.endpoint,
        preset: this.getAttribute('preset') ?? undefined,
        get metadata() {
          return element.metadata;
        },
      });
      queue.addEventListener('state', (e) => this.#changed((e as ItemEvent).item));
      queue.addEventListener('progress', (e) => this.#draw((e as ItemEvent).item));
      this.#queue = queue;
      void this.#describe();
    }
    this.#inner.ariaLabel = this.getAttribute('aria-label') ?? this.#inner.labels[0]?.textContent ?? ui.label(this.multiple);
    this.#or.textContent = this.hasAttribute('whole-page') ? ui.anywhere : ui.or;
    this.attributeChangedCallback();
    this.#listen();
  }

  disconnectedCallback(): void {
    this.#ears?.abort();
    // Being moved is not being removed.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#queue?.close();
      this.#queue = undefined;
      for (const item of [...this.#rows.keys()]) this.#drop(item);
    });
  }

  attributeChangedCallback(): void {
    this.#pick.replaceChildren(icon(upward), ui.pick(this.multiple));
    this.#pick.disabled = this.#disabled;
    this.#input.multiple = this.multiple;
  }

  formDisabledCallback(): void {
    this.attributeChangedCallback();
  }

  get #disabled(): boolean {
    return this.matches(':disabled');
  }

  /** Opens the browser's picker. */
  pick(): void {
    if (!this.#disabled) this.#input.click();
  }

  override focus(options?: FocusOptions): void {
    this.#pick.focus(options);
  }

  /** Takes files, as if they had been picked. */
  add(files: Iterable<File>): void {
    const queue = this.#queue;
    if (!queue || this.#disabled) return;
    let added = 0;
    for (const file of files) {
      if (added && !this.multiple) break;
      if (!this.#emit('postern-accept', { file })) continue;
      // A single file takes the place of the one before.
      if (!this.multiple) for (const item of this.items) this.#remove(item);
      if ([...this.#rows.keys()].every((i) => settled(i.state))) this.#counted = { all: 0, ready: 0, not: 0 };
      this.#counted.all++;
      queue.add(file);
      added++;
    }
    if (added) this.#say(ui.added(added));
  }

  /** Takes a file off the list; what has arrived stays on the server. */
  dismiss(item: Item): void {
    this.#queue?.forget(item);
    this.#drop(item);
    this.#value();
  }

  // ---- ways in -------------------------------------------------------------

  #picked(): void {
    this.add(this.#input.files ?? []);
    this.#input.value = ''; // so that the same file may be chosen again
  }

  #listen(): void {
    const { signal } = (this.#ears = new AbortController());
    const place: HTMLElement = this.hasAttribute('whole-page') ? document.documentElement : this;
    const on = <K extends keyof HTMLElementEventMap>(type: K, hear: (e: HTMLElementEventMap[K]) => void): void =>
      place.addEventListener(type, hear, { signal });
    const over = (yes: boolean): void => {
      this.#inner.states[yes && !this.#disabled ? 'add' : 'delete']('over');
    };
    const dragged = (e: DragEvent, yes: boolean): boolean => {
      const files = !!e.dataTransfer?.types.includes('Files');
      if (files) {
        e.preventDefault();
        over(yes);
      }
      return files;
    };
    on('dragenter', (e) => dragged(e, true));
    on('dragover', (e) => dragged(e, true));
    on('dragleave', (e) => {
      if (!place.contains(e.relatedTarget as Node | null)) over(false);
    });
    on('drop', (e) => {
      if (dragged(e, false)) this.add(e.dataTransfer?.files ?? []);
    });
    on('paste', (e) => {
      const files = e.clipboardData?.files;
      // Where text goes, a picture beside it is not for us.
      if (!files?.length || (e.target as Element).closest('input, textarea, [contenteditable]')) return;
      e.preventDefault();
      this.add(files);
    });
  }

  async #describe(): Promise<void> {
    const limits = await this.#queue?.limits();
    if (!limits) return;
    this.#hint.textContent = hint(limits, this.multiple);
    this.#input.accept = limits.types.join();
  }

  /** Tells the page; reports whether it has nothing against it. */
  #emit(type: keyof HTMLElementEventMap, detail: unknown): boolean {
    return this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true, cancelable: type === 'postern-accept' }));
  }

  // ---- rows ----------------------------------------------------------------

  #changed(item: Item): void {
    const { state, upload, problem } = item;
    if (state === 'canceled') return;
    this.#draw(item);
    const name = item.file.name;
    if (upload && state === 'ready') {
      this.#counted.ready++;
      this.#value();
      this.#emit('postern-done', { item, upload });
    } else if (problem && settled(state)) {
      this.#counted.not++;
      const detail = sentence(problem, item.file);
      this.#say(ui.went(name, detail));
      this.#emit('postern-error', { ...problem, detail, item });
    }
    this.#total();
  }

  #draw(item: Item): void {
    const row = this.#rows.get(item) ?? this.#row(item);
    const { state, sent, upload, file, problem } = item;
    const { li, say, bar, retry, away } = row;
    const name = file.name;
    const moving = !settled(state);
    if (li.dataset['state'] !== state) {
      li.dataset['state'] = state;
      const label = moving ? ui.cancel(name) : ui.remove(name);
      away.setAttribute('aria-label', label);
      away.title = label;
      retry.hidden = state !== 'failed';
      if (upload) this.#show(row, upload);
    }
    const size = roughly(file.size);
    const about = state === 'uploading' ? ui.uploading(sent) : ui[state as 'queued' | 'preparing' | 'waiting' | 'checking' | 'ready'];
    say.textContent = problem ? sentence(problem, file) : `${about} · ${upload ? `${dimensions(upload)} · ` : ''}${size}`;
    bar.hidden = !moving;
    if (state === 'preparing' || state === 'checking') bar.removeAttribute('value');
    else bar.value = sent;
    if (moving) this.#emit('postern-progress', { item, state, sent });
  }

  #row(item: Item): Row {
    const name = item.file.name;
    const canvas = h('canvas');
    const row: Row = {
      shot: h('div', { class: 'shot', part: 'preview', 'aria-hidden': 'true' }, icon(landscape), canvas),
      say: h('p', { class: 'say', part: 'state' }),
      bar: h('progress', { max: '1', value: '0', 'aria-label': ui.progress(name) }),
      retry: h('button', { type: 'button', class: 'retry', 'aria-label': ui.retry(name), hidden: true, onclick: () => { row.away.focus(); this.#counted.not--; this.#queue?.retry(item); } }, icon(again), ui.again),
      away: h('button', { type: 'button', class: 'away', onclick: () => this.#away(item) }, icon(cross)),
      li: h('li', { part: 'file' }),
    };
    row.li.append(row.shot, h('div', {}, h('bdi', { class: 'name', title: name }, name), row.say, row.bar), row.retry, row.away);
    this.#rows.set(item, row);
    this.#list.append(row.li);
    this.#files.hidden = false;
    preview(item.file, canvas);
    return row;
  }

  #show(row: Row, upload: Upload): void {
    const least = upload.variants?.[0];
    if (!least) return;
    const img = h('img', { alt: '', src: resolve(least.url, this.endpoint), onerror: () => img.remove() });
    row.shot.append(img);
  }

  /** What the cross of a row does. */
  #away(item: Item): void {
    const { name } = item.file;
    const moving = !settled(item.state);
    this.#remove(item);
    this.#say(moving ? ui.canceled(name) : ui.removed(name));
  }

  #remove(item: Item): void {
    if (!settled(item.state)) this.#counted.all--;
    this.#queue?.remove(item);
    this.#drop(item);
    this.#value();
  }

  #drop(item: Item): void {
    const li = this.#rows.get(item)?.li;
    if (!li) return;
    this.#rows.delete(item);
    const held = li.contains(this.shadowRoot?.activeElement ?? null);
    const heir = li.nextElementSibling ?? li.previousElementSibling;
    li.remove();
    if (held) (heir?.querySelector<HTMLElement>('.away') ?? this.#pick).focus();
    this.#files.hidden = !this.#rows.size;
  }

  #value(): void {
    const name = this.getAttribute('name');
    const form = new FormData();
    for (const { state, id } of this.items) if (name && id && state === 'ready') form.append(name, id);
    this.#inner.setFormValue(form);
  }

  // ---- what is said ----------------------------------------------------------

  #total(): void {
    const { all, ready, not } = this.#counted;
    const busy = this.items.some((i) => !settled(i.state));
    this.#inner.states[busy ? 'add' : 'delete']('busy');
    clearTimeout(this.#speaking);
    if (!busy) {
      // Failures were said one by one; the end is worth words after several.
      if (ready || not > 1) this.#say(ui.end(ready, not));
    } else if (ready + not) {
      const wait = Math.max(0, this.#spoken + totalEvery - Date.now());
      this.#speaking = setTimeout(() => {
        this.#spoken = Date.now();
        this.#say(ui.total(ready + not, all));
      }, wait);
    }
  }

  #say(text: string): void {
    // Lines that come together are read together; the next moment's replace them.
    const line = h('span', {}, text + ' ');
    this.#status.append(line);
    setTimeout(() => line.remove(), 4000);
  }
}
