// A site of its own origin: the pages that are measured, the element as it is
// built, and an API that lets people add files but never gets to the sending.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { extname } from 'node:path';

const folders = {
  '/pages/': new URL('pages/', import.meta.url),
  '/uppy/': new URL('.cache/', import.meta.url),
  '/element/': new URL('../../web/dist/', import.meta.url),
};

const kinds = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css' };

/** As GET /limits answers with the default preset. */
const limits = {
  preset: 'photos',
  types: ['image/jpeg', 'image/png', 'image/gif', 'image/webp'],
  min_bytes: 1, max_bytes: 25_000_000, max_pixels: 50_000_000, max_side: 16383, max_frames: 300,
  variants: [{ name: 'thumb', box: 256 }, { name: 'medium', box: 1024 }, { name: 'large', box: 2048 }],
};

async function serve({ pathname }, w) {
  if (pathname === '/held/limits') {
    w.writeHead(200, { 'content-type': 'application/json' });
    w.end(JSON.stringify(limits));
    return;
  }
  if (pathname.startsWith('/held/')) return; // never
  const folder = Object.keys(folders).find((f) => pathname.startsWith(f));
  // A URL has no ".." left in its path.
  const content = folder && await readFile(new URL(pathname.slice(folder.length), folders[folder])).catch(() => undefined);
  if (!content) {
    w.writeHead(pathname === '/favicon.ico' ? 204 : 404);
    w.end();
    return;
  }
  w.writeHead(200, { 'content-type': kinds[extname(pathname)] ?? 'application/octet-stream', 'cache-control': 'no-store' });
  w.end(content);
}

export async function openSite() {
  const server = http.createServer((r, w) => serve(new URL(r.url, 'http://x'), w));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    origin,
    /** Where files are never sent. */
    held: `${origin}/held`,
    page: (name, query) => `${origin}/pages/${name}.html?${new URLSearchParams(query)}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
