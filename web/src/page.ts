// The page that serve shows: the element, and the gallery below it.

import type { PosternUpload } from './element.ts';
import { Gallery, nameOf, voice } from './gallery.ts';
import type { Upload } from './core.ts';
import { h } from './dom.ts';
import { Viewer } from './viewer.ts';

const count = (n: number): string => `${voice.number(n)} ${n === 1 ? 'photo' : 'photos'}`;
const $ = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E;
const farewell = 900; // ms that a finished row stays, so that its end is seen
const again = 2000; // ms between two looks at what is still being checked

await customElements.whenDefined('postern-upload');
const uploader = document.querySelector('postern-upload') as PosternUpload;

const gallery = new Gallery($('gallery'), uploader.endpoint, {
  open: (u) => viewer.open(u),
  remove: (u) => void remove(u),
  changed: () => {
    const { size, next } = gallery;
    $('photos').textContent = size ? count(size) + (next ? ' shown' : '') : 'Photos';
    $('empty').hidden = !loaded || size > 0;
    $('more').hidden = !next;
  },
});
const viewer = new Viewer($<HTMLDialogElement>('viewer'), gallery, (u) => void remove(u));

uploader.addEventListener('postern-done', ({ detail: { item, upload } }) => {
  gallery.add(upload);
  setTimeout(() => uploader.dismiss(item), farewell);
});

// Only a gate on one's own machine has a doctor.
uploader.addEventListener('postern-error', ({ detail: { code } }) => {
  const doctor = document.getElementById('doctor');
  if (doctor && code?.startsWith('bucket_')) doctor.hidden = false;
});

// ---- loading -------------------------------------------------------------

let loaded = false;
let loading = false;

/** The first page, or the next one. */
async function load(): Promise<void> {
  if (loading) return;
  loading = true;
  $('trouble').hidden = true;
  try {
    await gallery.more();
    if (!loaded) void pending().catch(() => undefined); // a reload shows them as well
    loaded = true;
    $('empty').hidden = gallery.size > 0;
  } catch (e) {
    const trouble = $('trouble');
    (trouble.firstElementChild as HTMLElement).textContent = `The photos could not be listed. ${(e as Error).message}`;
    trouble.hidden = false;
  } finally {
    loading = false;
  }
}

/** What had arrived before this page was opened, and is still being checked. */
async function pending(): Promise<void> {
  let { uploads: waiting } = await gallery.list('stored', 200);
  waiting = waiting.filter(({ id }) => !uploader.items.some((i) => i.id === id));
  const line = $('pending');
  while (waiting.length) {
    line.textContent = `${count(waiting.length)} still being checked`;
    await new Promise((done) => setTimeout(done, again));
    const still: Upload[] = [];
    for (const u of waiting.slice(0, 20)) {
      const now = (await gallery.fetch('/uploads/' + u.id).catch(() => u)) as Upload;
      if (now.state === 'stored') still.push(u);
      else if (now.state === 'ready') gallery.add(now);
      else if (now.problem) line.after(h('p', {}, h('bdi', {}, nameOf(u)), `: ${voice.sentence(now.problem)}`));
    }
    waiting = [...waiting.slice(20), ...still];
  }
  line.textContent = '';
}

$('trouble').querySelector('button')?.addEventListener('click', () => void load());
const more = $<HTMLButtonElement>('more');
more.onclick = () => void load();
// The next page comes before the end of this one is reached.
new IntersectionObserver((seen) => {
  if (loaded && seen.some((s) => s.isIntersecting) && gallery.next) void load();
}, { rootMargin: '600px' }).observe(more);

// ---- deleting --------------------------------------------------------------

/** Asks, deletes, and says so. */
async function remove(u: Upload): Promise<void> {
  const ask = $<HTMLDialogElement>('confirm');
  const yes = ask.querySelector('.danger') as HTMLButtonElement;
  const failure = ask.querySelector('.failure') as HTMLElement;
  (ask.querySelector('bdi') as HTMLElement).textContent = nameOf(u);
  failure.textContent = '';
  (ask.querySelector('.keep') as HTMLButtonElement).onclick = () => ask.close();
  yes.onclick = async () => {
    yes.disabled = true;
    try {
      await gallery.fetch('/uploads/' + u.id, 'DELETE');
    } catch (e) {
      failure.textContent = `It could not be deleted. ${(e as Error).message}`;
      return;
    } finally {
      yes.disabled = false;
    }
    ask.close();
    if (viewer.shows(u.id)) viewer.leave();
    const heir = gallery.drop(u.id);
    if (!$<HTMLDialogElement>('viewer').open) (heir ?? uploader).focus();
    $('status').textContent = `${nameOf(u)} deleted.`;
  };
  ask.showModal();
}

void load();
