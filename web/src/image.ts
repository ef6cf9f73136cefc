// Pictures of files, for the eye and for the wire, made in a worker. Fetched
// when the first row comes into view, or a file is to be made smaller.
//
// Decoded pixels are what costs (12 MP are 48 MB), so one file at a time is
// opened, the engine scales while it decodes, and only rows that are on screen
// are drawn. createImageBitmap turns by EXIF in all engines.

type Ask = { id: number; file: Blob; side: number; type?: string };
type Answer = { id: number; picture?: ImageBitmap; blob?: Blob };

const thumb = 128; // pixels, twice the size of a row's picture

/** The picture in its own size, or scaled into a square of that side; never larger. */
async function open(file: Blob, side: number, cover: boolean): Promise<ImageBitmap> {
  if (cover) return createImageBitmap(file, { resizeWidth: side, resizeQuality: 'medium' });
  const whole = await createImageBitmap(file);
  const by = side / Math.max(whole.width, whole.height);
  if (by >= 1) return whole;
  const resizeWidth = Math.max(1, Math.round(whole.width * by));
  const resizeHeight = Math.max(1, Math.round(whole.height * by));
  const small = await createImageBitmap(whole, { resizeWidth, resizeHeight, resizeQuality: 'high' });
  whole.close();
  return small;
}

/** Does what is asked for; on whichever thread this runs. */
async function make({ id, file, side, type }: Ask): Promise<Answer> {
  const picture = await open(file, side, !type).catch(() => undefined);
  if (!picture || !type) return { id, ...(picture && { picture }) };
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  canvas.getContext('2d')?.drawImage(picture, 0, 0);
  picture.close();
  return { id, blob: await canvas.convertToBlob({ type, quality: 0.9 }) };
}

// In the worker this is all there is.
if (!globalThis.document) {
  onmessage = async ({ data }: MessageEvent<Ask>) => {
    const answer = await make(data);
    postMessage(answer, { transfer: answer.picture ? [answer.picture] : [] });
  };
}

let worker: Worker | undefined | null;
let asked = 0;
const waiting = new Map<number, { ask: Ask; done: (a: Answer) => void }>();

/** A worker may be of another origin only by way of a script that imports it. */
function hire(): Worker | null {
  try {
    const url = import.meta.url;
    const here = new URL(url).origin === location.origin;
    const w = new Worker(here ? url : URL.createObjectURL(new Blob([`import ${JSON.stringify(url)}`], { type: 'text/javascript' })), { type: 'module' });
    w.onmessage = ({ data }: MessageEvent<Answer>) => {
      waiting.get(data.id)?.done(data);
      waiting.delete(data.id);
    };
    // The page's policy forbids workers: on this thread then.
    w.onerror = () => {
      worker = null;
      for (const { ask, done } of waiting.values()) void make(ask).then(done);
      waiting.clear();
    };
    return w;
  } catch {
    return null;
  }
}

function request(file: Blob, side: number, type?: string): Promise<Answer> {
  const ask: Ask = { id: asked++, file, side, ...(type && { type }) };
  if (worker === undefined) worker = hire();
  const w = worker;
  if (!w) return make(ask);
  return new Promise((done) => {
    waiting.set(ask.id, { ask, done });
    w.postMessage(ask);
  });
}

let line: Promise<unknown> = Promise.resolve();

/** Draws a file into a canvas, when its turn comes and it is still wanted; reports whether it had its turn. */
export function preview(file: Blob, canvas: HTMLCanvasElement, wanted: () => boolean): Promise<boolean> {
  const turn = line.then(async () => {
    if (!wanted()) return false;
    const { picture } = await request(file, thumb);
    if (picture) {
      canvas.width = picture.width;
      canvas.height = picture.height;
      canvas.getContext('2d')?.drawImage(picture, 0, 0);
      picture.close();
      canvas.dataset['drawn'] = '';
    }
    return true;
  });
  line = turn;
  return turn;
}

const heic = /^image\/hei[cf]/;

/** Whether a picture moves, which a canvas would lose: an APNG or a WebP with frames. */
async function moves(file: Blob): Promise<boolean> {
  const head = await file.slice(0, 4096).text();
  return /acTL|ANIM/.test(head);
}

/**
 * The picture with no side longer than that many pixels, upright; the file as
 * it is where that would not make it smaller, where it moves, or where the
 * browser cannot open it. HEIC becomes JPEG in browsers that can open it, unless
 * the server takes it.
 */
export async function shrink(file: File, side: number, allowed: readonly string[] | undefined): Promise<File> {
  const foreign = heic.test(file.type) && !allowed?.includes(file.type);
  const from = /^image\/(p?jpe?g|png|webp|avif|hei[cf])$/.test(file.type);
  if ((!side && !foreign) || !from || (await moves(file).catch(() => true))) return file;
  const type = /png|webp/.test(file.type) ? file.type : 'image/jpeg';
  const { blob } = await request(file, side || Infinity, type);
  // WebKit cannot write WebP and gives PNG.
  if (!blob || (!foreign && (blob.size >= file.size || blob.type !== type))) return file;
  return new File([blob], foreign ? file.name.replace(/\.hei[cf]$/i, '') + '.jpg' : file.name, { type: blob.type, lastModified: file.lastModified });
}
