// A photo from the camera. Fetched when the button is pressed: on touch screens
// the system's own camera, elsewhere a dialog with what the camera sees.

import { button, h } from './dom.ts';
import type { PosternUpload } from './element.ts';
import type { Voice } from './words.ts';

const css = `dialog{padding:16px;border:0;border-radius:16px;background:var(--ground);color:var(--ink);inline-size:min(640px,calc(100vw - 32px))}
dialog::backdrop{background:rgb(8 10 9/.6)}
video{display:block;inline-size:100%;aspect-ratio:4/3;object-fit:cover;border-radius:10px;background:#000}
footer{display:flex;justify-content:center;gap:8px;margin-block-start:12px}`;

/** Asks the system for a photo; nothing, when it was called off. */
const bySystem = (): Promise<File | undefined> =>
  new Promise((done) => {
    const input = h('input', { type: 'file', accept: 'image/*', capture: 'environment' });
    input.onchange = () => done(input.files?.[0]);
    input.oncancel = () => done(undefined);
    input.click();
  });

/** A photo; nothing, when it was called off. Where there is no camera the system is asked. */
async function shoot(root: ShadowRoot, voice: Voice): Promise<File | undefined> {
  const media = navigator.mediaDevices as MediaDevices | undefined;
  if (!media || matchMedia('(pointer: coarse)').matches) return bySystem();
  const stream = await media.getUserMedia({ video: { facingMode: 'environment', width: { ideal: 4096 } } }).catch(() => undefined);
  if (!stream) return bySystem();
  const video = h('video', { autoplay: true, muted: true, playsInline: true });
  video.srcObject = stream;
  video.muted = true;
  const take = voice.say('camera');
  const dialog = h('dialog', { className: 'camera', ariaLabel: take });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  const sheets = root.adoptedStyleSheets;
  root.adoptedStyleSheets = [...sheets, sheet];
  try {
    return await new Promise((done) => {
      dialog.onclose = () => done(undefined);
      const shutter = (): void => {
        const { videoWidth: width, videoHeight: height } = video;
        if (!width) return; // it sees nothing yet
        const canvas = Object.assign(h('canvas'), { width, height });
        canvas.getContext('2d')?.drawImage(video, 0, 0);
        const name = `photo-${new Date().toISOString().slice(0, 19).replace(/\D/g, '-')}.jpg`;
        canvas.toBlob((blob) => done(blob ? new File([blob], name, { type: 'image/jpeg' }) : undefined), 'image/jpeg', 0.92);
      };
      dialog.append(video, h('footer', {}, button('pick', shutter, take), button('plain', () => dialog.close(), voice.say('cancel'))));
      root.append(dialog);
      dialog.showModal();
    });
  } finally {
    for (const track of stream.getTracks()) track.stop();
    dialog.remove();
    root.adoptedStyleSheets = sheets;
  }
}

/** Puts a button beside the one that picks, or says it anew. */
export function equip(element: PosternUpload, pick: HTMLButtonElement, voice: Voice): void {
  let shutter = pick.nextElementSibling as HTMLButtonElement;
  if (!shutter.matches('.shoot')) {
    shutter = button('plain shoot', () => void shoot(element.shadowRoot as ShadowRoot, said.get(shutter) as Voice).then((file) => {
      if (file) void element.add([file]);
      shutter.focus();
    }));
    pick.after(shutter);
  }
  said.set(shutter, voice);
  shutter.textContent = voice.say('camera');
  shutter.disabled = pick.disabled;
}

const said = new WeakMap<HTMLElement, Voice>();
