// <postern-upload>: pick, drop, paste; one row for each file, from its first
// byte to the finished picture. It draws what the core says, and holds the rules
// of accessibility:
//   - a native button opens the picker; the input itself is out of reach;
//   - each row has a named progress and buttons that name their file;
//   - one live region, there from the start, says: added, a total at most every
//     five seconds, failures, the end. Never a percentage;
//   - a row that goes hands its focus on: next, previous, picker.

import { Queue, settled, type FileFacts, type Item, type ItemEvent, type Limits, type Problem, type State, type Upload } from './core.ts';
import { button, h } from './dom.ts';
import css from './element.css';
import { images } from './later.ts';
import type { Many } from './many.ts';
import type { Notes } from './resume.ts';
import { Row } from './row.ts';
import { languages, Voice, type Words } from './words.ts';

/** Before a file is taken: preventDefault leaves it out. */
export type AcceptEvent = CustomEvent<{ file: File }>;
export type ProgressEvent = CustomEvent<{ item: Item; state: State; sent: number }>;
export type DoneEvent = CustomEvent<{ item: Item; upload: Upload }>;
/** The problem document, and whose it is. */
export type FaultEvent = CustomEvent<Problem & { item: Item }>;

export type { Item, Problem, State, Upload } from './core.ts';
export type { Key, Words } from './words.ts';

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

/** Whether bytes of an item would be lost with the page. */
const underway = ({ state }: Item): boolean => !settled(state) && state !== 'checking';

/**
 * The upload element. Attributes: endpoint (where the API is; where the script
 * came from, if left out), preset, keep, whole-page (takes drops and pastes
 * anywhere), directory, camera, sortable, max-side, all read when it is
 * connected; multiple, name, required, disabled. docs/element.md says what each
 * does. As part of a form its value is the ids of the uploads that are ready, in
 * the order of the list. Its class is registered by index.ts.
 */
export class PosternUpload extends HTMLElement {
  static readonly formAssociated = true;
  static readonly observedAttributes: string[] = ['multiple', 'required'];
  /** The words of each language, by BCP 47 tag in lower case; a page may add its own. */
  static readonly languages: Record<string, Words> = languages;

  /** Given back with each upload. May be set before the element is defined. */
  declare metadata: Record<string, string> | undefined;

  readonly #inner: ElementInternals = this.attachInternals();
  #rows = new Map<Item, Row>();
  #voice = new Voice();
  #queue: Queue | undefined;
  #limits: Limits | undefined;
  #ears: AbortController | undefined;
  #notes: Promise<Notes> | undefined;
  #many: Many | undefined;
  /** The value as it was last told. */
  #was = '';
  /** Uploads of this batch that are ready and off the list. */
  #gone = 0;

  readonly #input: HTMLInputElement = h('input', { type: 'file', hidden: true, onchange: () => this.#picked(this.#input) });
  readonly #pick: HTMLButtonElement = button('pick', () => this.pick());
  readonly #or: HTMLElement = h('p', { className: 'or' });
  readonly #hint: HTMLElement = h('p', { className: 'hint', id: 'hint' });
  readonly #over: HTMLElement = h('p', { className: 'over' });
  readonly #list: HTMLElement = h('ul', { className: 'list', role: 'list', hidden: true });
  readonly #status: HTMLElement = h('p', { className: 'vh', role: 'status' });
  constructor() {
    super();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    const root = this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [sheet];
    const zone = h('div', { className: 'zone' }, this.#pick, this.#or, this.#hint, this.#over);
    root.append(zone, this.#input, this.#list, this.#status);
    this.#pick.setAttribute('aria-describedby', 'hint');
    this.#inner.role = 'group';
    // A label's click comes to the element itself.
    this.onclick = (e) => {
      if (([this, zone] as unknown[]).includes(e.composedPath()[0])) this.pick();
    };
  }

  // ---- as a page sees it ---------------------------------------------------

  /** Where the API is, without a trailing slash. */
  get endpoint(): string {
    const said = this.getAttribute('endpoint');
    return new URL(said || '.', said ? document.baseURI : import.meta.url).href.replace(/\/*$/, '');
  }

  get multiple(): boolean {
    return this.hasAttribute('multiple');
  }

  get name(): string | null {
    return this.getAttribute('name');
  }

  get form(): HTMLFormElement | null {
    return this.#inner.form;
  }

  get validity(): ValidityState {
    return this.#inner.validity;
  }

  get validationMessage(): string {
    return this.#inner.validationMessage;
  }

  checkValidity(): boolean {
    return this.#inner.checkValidity();
  }

  reportValidity(): boolean {
    return this.#inner.reportValidity();
  }

  /** All files there are, in the order of the list. */
  get items(): readonly Item[] {
    return [...this.#rows.keys()];
  }

  /** The ids of the uploads that are ready, in the order of the list. */
  get value(): string[] {
    return this.items.filter(({ state }) => state === 'ready').map(({ id }) => id as string);
  }

  /** Opens the browser's picker. */
  pick(): void {
    if (!this.#disabled) this.#input.click();
  }

  override focus(options?: FocusOptions): void {
    this.#pick.focus(options);
  }

  /** Takes files, as if they had been picked; some at a time, so that hundreds do not stop the page. */
  async add(files: Iterable<File>): Promise<void> {
    if (this.#disabled) return;
    let added = 0;
    for (const file of [...files]) {
      if (added && !this.multiple) break;
      if (!this.#emit('postern-accept', { file })) continue;
      if (!(++added % 16)) await new Promise((go) => setTimeout(go));
      const lost = this.items.find(({ problem, file: f }) => problem?.code === 'unreadable' && f.name + f.size === file.name + file.size);
      if (lost) {
        this.#queue?.retry(lost, file);
        continue;
      }
      // A single file takes the place of the one before.
      if (!this.multiple) for (const item of this.items) this.#remove(item);
      this.#take(file);
    }
    if (added) this.#say(this.#voice.say('added', added));
  }

  /** Stops sending; what has arrived is kept. */
  pause(): void {
    for (const item of this.items) if (underway(item) && item.state !== 'paused') this.#queue?.pause(item);
  }

  /** Goes on with all that is paused. */
  resume(): void {
    for (const item of this.items) if (item.state === 'paused') this.#queue?.retry(item);
  }

  /** Takes a file off the list; what has arrived stays on the server. */
  dismiss(item: Item): void {
    if (item.upload) this.#gone++;
    this.#queue?.forget(item);
    this.#drop(item);
  }

  // ---- as the browser sees it ----------------------------------------------

  connectedCallback(): void {
    if (!this.#queue) this.#begin();
    this.#adopt();
    this.#input.webkitdirectory = this.hasAttribute('directory');
    this.#listen();
    this.#words();
    const tag = this.closest<HTMLElement>('[lang]')?.lang || navigator.language;
    const [name = ''] = tag.toLowerCase().split('-');
    if (name !== 'en') {
      void import('./languages.ts').then((m) => m.learn(name, languages)).then(() => {
        if (languages[name]) this.#words(new Voice(tag, languages[name]));
      });
    }
  }

  disconnectedCallback(): void {
    this.#ears?.abort();
    // Being moved is not being removed.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.formResetCallback();
      this.#queue = undefined;
    });
  }

  attributeChangedCallback(): void {
    this.#words();
  }

  formDisabledCallback(): void {
    this.#words();
  }

  /** What is under way ends; what has arrived stays, since the page may just have used it. */
  formResetCallback(): void {
    for (const item of this.items) settled(item.state) ? this.dismiss(item) : this.#remove(item);
  }

  /** After going back, or a restart of the browser: the server is asked what became of each. */
  formStateRestoreCallback(state: string): void {
    for (const { id, ...facts } of JSON.parse(state) as (FileFacts & { id: string })[]) this.#take(facts, { id, doubt: true });
  }

  // ---- ways in -------------------------------------------------------------

  #begin(): void {
    const element = this;
    const { endpoint } = this;
    const preset = this.getAttribute('preset') ?? undefined;
    const scope = this.getAttribute('keep') ?? '';
    const off = scope === 'off';
    // Notes of what is under way, which the next page goes on from.
    const notes = (): Promise<Notes> => (this.#notes ??= import('./resume.ts').then((m) => new m.Notes([scope, endpoint, preset, location.pathname, this.name, this.id].join('\n'))));
    const queue = new Queue({
      endpoint,
      preset,
      get metadata() {
        return element.metadata;
      },
      traces: off ? undefined : notes,
      prepare: async (file, limits) => {
        const side = +(this.getAttribute('max-side') as string);
        return side || /hei/.test(file.type) ? ((await images())?.shrink(file, side, limits?.types) ?? file) : file;
      },
    });
    queue.addEventListener('state', (e) => this.#changed((e as ItemEvent).item));
    queue.addEventListener('progress', (e) => this.#draw((e as ItemEvent).item));
    this.#queue = queue;
    void queue.limits().then((l) => {
      this.#limits = l;
      this.#words();
    });
    try {
      if (!off && localStorage['postern']) void notes().then(async (n) => { for (const { file, trace } of await n.recall()) this.#take(file, trace); });
    } catch {
      // Storage is forbidden here: there is nothing to go on with.
    }
  }

  /** The page's own input, which works without script: its files and its wishes are ours now. */
  #adopt(): void {
    const input = this.querySelector<HTMLInputElement>('input[type=file]');
    if (!input || input.disabled) return;
    for (const wish of ['multiple', 'required']) if (input.hasAttribute(wish)) this.setAttribute(wish, '');
    if (input.files?.length) this.#picked(input);
    input.disabled = true;
  }

  #picked(input: HTMLInputElement): void {
    void this.add(input.files ?? []);
    input.value = ''; // so that the same file may be chosen again
  }

  #listen(): void {
    const { signal } = (this.#ears = new AbortController());
    const place: HTMLElement = this.hasAttribute('whole-page') ? document.documentElement : this;
    const on = <K extends keyof HTMLElementEventMap>(type: K, hear: (e: HTMLElementEventMap[K]) => void): void =>
      place.addEventListener(type, hear, { signal });
    const dragged = (e: DragEvent, yes: boolean): DataTransfer | undefined => {
      const { dataTransfer: what } = e;
      if (!what?.types.includes('Files')) return undefined;
      e.preventDefault();
      this.#mark('over', yes && !this.#disabled);
      return what;
    };
    on('dragover', (e) => dragged(e, true));
    on('dragleave', (e) => {
      if (!place.contains(e.relatedTarget as Node | null)) this.#mark('over', false);
    });
    on('drop', (e) => {
      const what = dragged(e, false);
      if (!what) return;
      // Entries are to be had now or never.
      const entries = [...what.items].map((i) => i.webkitGetAsEntry() ?? i.getAsFile());
      void import('./folder.ts').then(async (m) => this.add(await m.files(entries)));
    });
    on('paste', (e) => {
      const files = e.clipboardData?.files;
      // Where text goes, a picture beside it is not for us.
      if (!files?.length || (e.target as Element).closest('input, textarea, [contenteditable]')) return;
      e.preventDefault();
      void this.add(files);
    });
    addEventListener('beforeunload', (e) => {
      if (this.items.some(underway)) e.preventDefault();
    }, { signal });
  }

  // ---- rows ----------------------------------------------------------------

  #take(file: File | FileFacts, trace?: Parameters<Queue['add']>[1]): void {
    if (!this.#inner.states.has('busy')) this.#gone = 0;
    this.#queue?.add(file, trace);
  }

  #changed(item: Item): void {
    const { state, upload, problem, file } = item;
    if (state === 'canceled') return this.#drop(item); // the core gave it up
    this.#draw(item);
    if (upload && state === 'ready') {
      this.#emit('postern-done', { item, upload });
    } else if (problem && settled(state)) {
      const detail = this.#voice.sentence(problem);
      this.#say(`${file.name}: ${detail}`);
      this.#emit('postern-error', { ...problem, detail, item });
    }
    this.#total();
  }

  #draw(item: Item): void {
    const row = this.#rows.get(item) ?? this.#row(item);
    const { state, sent } = item;
    this.#many ? this.#many.draw(this.#voice, row) : row.draw(this.#voice, this.endpoint);
    if (settled(state)) return;
    this.#emit('postern-progress', { item, state, sent });
  }

  #row(item: Item): Row {
    const row = new Row(item, () => this.#act(item), () => {
      this.#remove(item);
      this.#say(this.#voice.say('removed', item.file.name));
    });
    this.#rows.set(item, row);
    this.#list.append(row.li);
    this.#list.hidden = false;
    // What one file does not need.
    if (this.#rows.size === 2) void import('./many.ts').then((m) => {
      this.#many ??= new m.Many(this, this.#list, (place) => {
        this.#rows = new Map([...this.#rows].sort(([, a], [, b]) => place(a.li) - place(b.li)));
        this.#sums();
      });
      this.#sums();
    });
    return row;
  }

  /** What the button of a row does, which says so. */
  #act(item: Item): void {
    if (item.problem?.code === 'unreadable') this.pick();
    else this.#queue?.[underway(item) && item.state !== 'paused' ? 'pause' : 'retry'](item);
  }

  #remove(item: Item): void {
    // What came back with a form may be in use by now: it stays on the server.
    this.#queue?.[item.bytes ? 'remove' : 'forget'](item);
    this.#drop(item);
  }

  #drop(item: Item): void {
    const li = this.#rows.get(item)?.li;
    if (!li) return;
    this.#rows.delete(item);
    const held = li.contains(this.shadowRoot?.activeElement ?? null);
    const heir = li.nextElementSibling ?? li.previousElementSibling;
    li.remove();
    if (held) (heir?.querySelector<HTMLElement>('.away') ?? this.#pick).focus();
    this.#list.hidden = !this.#rows.size;
    this.#sums();
  }

  // ---- what is said ----------------------------------------------------------

  get #disabled(): boolean {
    return this.matches(':disabled');
  }

  #mark(state: string, yes: boolean): void {
    this.#inner.states[yes ? 'add' : 'delete'](state);
  }

  /** Tells the page; reports whether it has nothing against it. */
  #emit(type: keyof HTMLElementEventMap, detail: unknown): boolean {
    return this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true, cancelable: true }));
  }

  /** Everything that stands there, said in the language of the page. */
  #words(v = this.#voice): void {
    this.#voice = v;
    const { multiple } = this;
    this.#pick.textContent = v.say(multiple ? 'picks' : 'pick');
    this.#pick.disabled = this.#disabled;
    this.#input.multiple = multiple;
    this.#or.textContent = v.say('drop');
    this.#over.textContent = v.say('over');
    if (this.#limits) {
      this.#hint.textContent = v.hint(this.#limits);
      this.#input.accept = this.#limits.types.join();
    }
    this.#inner.ariaLabel = this.#inner.labels[0]?.textContent ?? v.say('photos');
    this.#list.ariaLabel = v.say('photos');
    for (const row of this.#rows.values()) row.draw(v, this.endpoint, true);
    if (this.hasAttribute('camera')) void import('./camera.ts').then((m) => m.equip(this, this.#pick, this.#voice));
    this.#sums();
  }

  /** What follows from all of the files: the line above the list, and what the form gets to see. */
  #sums(): void {
    const { items, value, name } = this;
    const v = this.#voice;
    const ready = items.filter(({ state }) => state === 'ready');
    const done = items.filter(({ state }) => settled(state));
    const busy = done.length < items.length;
    this.#mark('busy', busy);
    this.#many?.draw(v);
    if (`${value}` !== this.#was) {
      this.#was = `${value}`;
      const form = new FormData();
      if (name) for (const id of value) form.append(name, id);
      this.#inner.setFormValue(form, JSON.stringify(ready.map(({ id, file: { name, size, type } }) => ({ id, name, size, type }))));
      if (this.isConnected) this.dispatchEvent(new Event('change', { bubbles: true }));
    }
    const fault = busy ? v.say('busy') : done.some(({ problem }) => problem) ? v.say('failed') : '';
    const missing = !fault && this.hasAttribute('required') && !ready.length;
    this.#inner.setValidity({ customError: !!fault, valueMissing: missing }, fault || v.say('pick'), this.#pick);
  }

  #total(): void {
    this.#sums();
    const v = this.#voice;
    const { items } = this;
    const ready = this.value.length + this.#gone;
    const not = items.filter(({ problem }) => problem).length;
    if (this.#inner.states.has('busy')) {
      if (ready + not) this.#many?.tell(() => this.#say(v.say('total', ready + not, items.length + this.#gone) + '.'));
    } else if (ready || not > 1) {
      // Failures were said one by one; the end is worth words after several.
      this.#many?.tell();
      this.#say([ready && v.say('done', ready), not && v.say('not', not)].filter(Boolean).join(', ') + '.');
    }
  }

  #say(text: string): void {
    // Lines that come together are read together; the next moment's replace them.
    const line = h('span', {}, text + ' ');
    this.#status.append(line);
    setTimeout(() => line.remove(), 4000);
  }
}
