// A post with photos, which can be sent once there are some. The page says where
// the gate is: <div id="app" data-gate="https://gate.example"></div>.

import { StrictMode, useRef, useState } from 'react';
import { createRoot } from 'react-dom/client';
import type { PosternUpload as Element } from 'postern-upload';

import { PosternUpload } from './PosternUpload';

const app = document.getElementById('app')!;

function Post({ gate, lang }: { gate: string; lang: string }) {
  const [photos, setPhotos] = useState<string[]>([]);
  const [said, say] = useState('');
  const [open, setOpen] = useState(true);
  const [locked, lock] = useState(false);
  const upload = useRef<Element>(null);
  return (
    <form method="post" action="/posts">
      <label htmlFor="photos">Photos</label>
      {open && (
        <PosternUpload
          ref={upload} id="photos" name="photos" endpoint={gate} lang={lang} keep="off" multiple required sortable disabled={locked}
          metadata={{ album: '42' }}
          onAccept={(e) => e.detail.file.name.startsWith('secret') && e.preventDefault()}
          onProgress={(e) => say(`${e.detail.item.file.name}: ${e.detail.state}`)}
          onDone={(e) => say(`${e.detail.upload.filename}: ${e.detail.upload.width} pixels wide`)}
          onError={(e) => say(`${e.detail.item.file.name}: ${e.detail.code}`)}
          onChange={setPhotos}
        />
      )}
      <output id="photos-state">{photos.join(' ')}</output>
      <output id="said">{said}</output>
      <button disabled={!photos.length}>Post</button>
      <button type="button" onClick={() => upload.current?.pause()}>Hold</button>
      <label><input type="checkbox" checked={locked} onChange={(e) => lock(e.target.checked)} /> Locked</label>
      <label><input type="checkbox" checked={open} onChange={(e) => setOpen(e.target.checked)} /> With photos</label>
    </form>
  );
}

createRoot(app).render(<StrictMode><Post gate={app.dataset['gate']!} lang={app.dataset['lang'] ?? 'en'} /></StrictMode>);
