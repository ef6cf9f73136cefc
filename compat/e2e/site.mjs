// A site of its own origin, as an application would have one: its pages hold
// the clients, and it takes the form that Rails' pages send in the end.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';

const page = (name) => new URL(`pages/${name}.html`, import.meta.url);
const bundle = (name) => new URL(`.cache/${name}/page.js`, import.meta.url);

/** What is served, by path. */
const files = {
  '/uppy5/': page('uppy'),
  '/uppy5/page.js': bundle('uppy5'),
  '/uppy6/': page('uppy'),
  '/uppy6/page.js': bundle('uppy6'),
  '/rails/': page('rails'),
  '/rails/page.js': bundle('rails'),
  '/shrine/': page('shrine'),
  '/tutorial/': page('tutorial'),
};

export async function openSite() {
  const posted = [];
  const server = http.createServer(async (r, w) => {
    const { pathname } = new URL(r.url, 'http://x');
    if (r.method === 'POST' && pathname === '/rails/posts') {
      const form = await new Response(r, { headers: { 'content-type': r.headers['content-type'] } }).formData();
      posted.push(Object.fromEntries(form));
      w.writeHead(200, { 'content-type': 'text/html' });
      w.end('<!doctype html><title>Saved</title><h1>Saved</h1>');
      return;
    }
    const file = files[pathname];
    if (!file) {
      w.writeHead(pathname === '/favicon.ico' ? 204 : 404);
      w.end();
      return;
    }
    w.writeHead(200, { 'content-type': pathname.endsWith('.js') ? 'text/javascript' : 'text/html; charset=utf-8' });
    w.end(await readFile(file));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    /** The fields of the forms that were sent to it. */
    posted,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
