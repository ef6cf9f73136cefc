// What the tests in a real browser share: the built binary with its embedded
// bucket, Debian's Chromium, photos. Nothing stands between the two: requests
// are watched by CDP events and never intercepted, since a browser whose
// requests are intercepted answers its own preflights.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

/** Why the tests cannot run, or false. */
export const skip = !process.env.POSTERN_BIN && 'SKIPPED: POSTERN_BIN is not set; make test builds the binary and sets it';

const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
export const chrome = process.env.CHROMIUM || ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

/** Starts the gate on free ports, and unless it is to be alone a browser beside it. Presets are as in its settings file. */
export async function open({ presets = undefined, args = [], alone = false } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'postern-e2e-'));
  const config = join(folder, 'postern.yaml');
  await writeFile(config, JSON.stringify(presets ? { presets } : {})); // JSON is YAML
  const gate = spawn(process.env.POSTERN_BIN, [
    'serve', '--config', config, '--listen', '127.0.0.1:0', '--bucket-listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0',
    '--data', join(folder, 'data'), ...args,
  ], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const url = await new Promise((done, fail) => {
    gate.stderr.on('data', (d) => { said += d; });
    gate.stdout.on('data', (d) => {
      said += d;
      const address = /ready: (http:\/\/\S+)[^]*Ctrl-C/.exec(said)?.[1];
      if (address) done(address);
    });
    gate.on('exit', (code) => fail(new Error(`postern ended with ${code}:\n${said}`)));
  });
  const browser = alone ? undefined : await chromium.launch({
    executablePath: chrome,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  return {
    url,
    metrics: /metrics +(http:\S+)/.exec(said)[1],
    /** Where the embedded bucket listens, and its folder; with another bucket there is none. */
    bucket: /served on (http:\S+)/.exec(said)?.[1],
    folder: join(folder, 'data', 'bucket'),
    browser,
    async close() {
      await browser?.close();
      gate.removeAllListeners('exit');
      if (gate.exitCode === null) {
        gate.kill('SIGTERM');
        await once(gate, 'exit');
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * A server in front of a bucket that hands everything on as it is, but answers
 * 503 in its place or cuts the line as often as it is told to.
 */
export async function troubled() {
  let target;
  let pace = 0;
  let gone = false;
  let well = 0;
  let after = 0;
  let wrong = 0;
  let cuts = 0;
  const puts = [];
  const posts = [];
  let busy = 0;
  let most = 0;
  const server = http.createServer((r, w) => {
    if (gone) {
      r.socket.destroy();
      return;
    }
    if (r.method === 'POST') posts.push(Number(r.headers['content-length']));
    if (r.method === 'PUT') {
      most = Math.max(most, ++busy);
      w.on('close', () => busy--);
      puts.push(new URL(r.url, 'http://x').searchParams.get('partNumber'));
      if (well > 0) {
        well--;
      } else if (wrong > 0) {
        wrong--;
        w.writeHead(503, { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'retry-after', connection: 'close', ...(after && { 'retry-after': `${after}` }) });
        w.end('<Error><Code>SlowDown</Code></Error>');
        return;
      } else if (cuts > 0) {
        cuts--;
        r.once('data', () => r.socket.destroy());
        return;
      }
    }
    const { hostname, port } = new URL(target);
    // The host stays as the browser named it: it is signed.
    const on = http.request({ hostname, port, method: r.method, path: r.url, headers: r.headers }, (answer) => {
      w.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(w);
    });
    on.on('error', () => w.destroy());
    r.on('close', () => r.complete || on.destroy());
    if (!pace || r.method === 'OPTIONS' || r.method === 'HEAD') {
      r.pipe(on);
      return;
    }
    // So many bytes a second, of each request.
    r.on('data', (some) => {
      on.write(some);
      if (!pace) return;
      r.pause();
      setTimeout(() => r.resume(), (1000 * some.length) / pace);
    });
    r.on('end', () => on.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    /** The part numbers of the PUTs so far; null for whole files. */
    puts,
    /** The lengths of the POSTs so far. */
    posts,
    /** Takes that many bytes a second from each request from now on; 0 as they come. */
    slow(bytes) { pace = bytes; },
    /** Is not there for anybody, until told otherwise. */
    down(yes) {
      gone = yes;
      if (yes) server.closeAllConnections();
    },
    /** How many there were at once, at most. */
    get most() { return most; },
    before(url) { target = url; },
    /** Answers 503 that many PUTs, when some have gone well; with a Retry-After of so many seconds. */
    fail(times, first = 0, seconds = 0) {
      well = first;
      after = seconds;
      wrong = times;
    },
    /** Cuts the line in the middle of that many PUTs. */
    cut(times) { cuts = times; },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/**
 * Somebody else's web site: pages by their paths, each with the element of a gate
 * that is told of it afterwards. A POST is answered with what was posted.
 */
export async function site(pages) {
  const server = http.createServer(async (r, w) => {
    w.setHeader('content-type', 'text/html; charset=utf-8');
    if (r.method === 'POST') {
      let body = '';
      for await (const some of r) body += some;
      w.end(`<!doctype html><html lang="en"><title>Posted</title><pre id="posted">${body.replace(/&/g, '&amp;')}</pre><a href="/">on</a></html>`);
      return;
    }
    const page = pages[new URL(r.url, 'http://x').pathname];
    if (!page) {
      w.statusCode = 404;
      w.end();
      return;
    }
    const { lang = 'en', dir = 'ltr', style = '', body } = typeof page === 'string' ? { body: page } : page;
    w.end(`<!doctype html><html lang="${lang}" dir="${dir}"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<title>Somebody's page</title><style>:root { color-scheme: light dark } ${style}</style>
<script type="module" src="${pages.gate}/postern.js"></script><main><h1>Somebody's page</h1>${body}</main></html>`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    /** Says where the element comes from. */
    with(gate) { pages.gate = gate.url.replace(/\/$/, ''); },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Gives files to the element of a page, as a script does. */
export const give = (page, ...files) => page.evaluate((packed) => {
  document.querySelector('postern-upload').add(packed.map(({ name, mimeType, content }) =>
    new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name, { type: mimeType, lastModified: 1_700_000_000_000 })));
}, files.map(({ name, mimeType, buffer }) => ({ name, mimeType, content: buffer.toString('base64') })));

/** A page of its own, and what went wrong in it. What prepare does comes before the page is loaded. */
export async function visit(t, gate, options = {}, prepare = undefined) {
  const context = await gate.browser.newContext({ viewport: { width: 1100, height: 900 }, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', (e) => faults.push(String(e)));
  page.on('console', (m) => {
    if (m.type() === 'error' || m.type() === 'warning') faults.push(m.text());
  });
  await prepare?.(page);
  await page.goto(gate.url);
  await page.getByText(/up to \d+ MB/).waitFor();
  return { page, faults };
}

export const rows = (page) => page.locator('postern-upload li');
export const row = (page, name) => rows(page).filter({ hasText: name });
export const tile = (page, name) => page.locator('.tile').filter({ hasText: name });
export const spoken = (page) => page.locator('postern-upload [role=status]');

/** Files through the browser's own picker. */
export async function choose(page, files) {
  const [picker] = await Promise.all([
    page.waitForEvent('filechooser'),
    page.getByRole('button', { name: 'Choose photos' }).click(),
  ]);
  await picker.setFiles(files);
}

/** Drops or pastes files, as a browser's events do. */
export function hand(page, type, files, target = 'body') {
  const packed = files.map(({ name, mimeType, buffer }) => ({ name, mimeType, content: buffer.toString('base64') }));
  return page.evaluate(({ type, packed, target }) => {
    const transfer = new DataTransfer();
    for (const { name, mimeType, content } of packed) {
      transfer.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name, { type: mimeType }));
    }
    const options = { bubbles: true, cancelable: true, composed: true };
    const place = document.querySelector(target);
    if (type === 'paste') {
      place.dispatchEvent(new ClipboardEvent('paste', { ...options, clipboardData: transfer }));
      return;
    }
    for (const step of ['dragenter', 'dragover', 'drop']) {
      place.dispatchEvent(new DragEvent(step, { ...options, dataTransfer: transfer }));
    }
  }, { type, packed, target });
}

let studio;

/** A JPEG (or PNG) of its own colours, painted by the browser; noise makes it heavy. */
export async function photo(gate, name, { width = 640, height = 480, noise = 0 } = {}) {
  studio ??= await (await gate.browser.newContext()).newPage();
  const mimeType = name.endsWith('.png') ? 'image/png' : 'image/jpeg';
  const content = await studio.evaluate(async ({ name, width, height, noise, mimeType }) => {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const c = canvas.getContext('2d');
    const hue = [...name].reduce((h, x) => (h * 31 + x.codePointAt(0)) % 360, 7);
    const sky = c.createLinearGradient(0, 0, width, height);
    sky.addColorStop(0, `hsl(${hue} 70% 75%)`);
    sky.addColorStop(1, `hsl(${(hue + 60) % 360} 60% 35%)`);
    c.fillStyle = sky;
    c.fillRect(0, 0, width, height);
    if (noise) {
      const d = c.getImageData(0, 0, width, height);
      for (let i = 0; i < d.data.length; i++) if (i % 4 < 3) d.data[i] += (Math.random() - 0.5) * noise;
      c.putImageData(d, 0, 0);
    }
    const blob = await new Promise((done) => canvas.toBlob(done, mimeType, 0.92));
    let text = '';
    for (const x of new Uint8Array(await blob.arrayBuffer())) text += String.fromCharCode(x);
    return btoa(text);
  }, { name, width, height, noise, mimeType });
  return { name, mimeType, buffer: Buffer.from(content, 'base64') };
}

/** Violations of axe's rules, each as one line. */
export async function axe(page) {
  await page.evaluate(axeSource);
  // A picture that is still fading in has no colours to judge.
  await page.waitForFunction(() => document.getAnimations().every((a) => a.playState !== 'running' || a.effect?.getTiming().iterations === Infinity));
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return violations.map((v) => `${v.impact} ${v.id}: ${v.nodes.map((n) => n.html.slice(0, 120)).join(' | ')}`);
}

const lines = new WeakMap();

/** Slows the page's network down. Bytes per second, of each request; 0 as it is. */
export async function slow(page, upload, download = 0) {
  if (!lines.has(page)) lines.set(page, await page.context().newCDPSession(page)); // two of them would contradict
  const cdp = lines.get(page);
  await cdp.send('Network.enable');
  await cdp.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: download || -1, uploadThroughput: upload || -1 });
}

/** Records what really goes over the wire. */
export async function wire(page) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Network.enable');
  const requests = new Map();
  const of = (id) => requests.get(id) ?? requests.set(id, { headers: {} }).get(id);
  cdp.on('Network.requestWillBeSent', ({ requestId, request, type }) => {
    Object.assign(of(requestId), { method: request.method, url: request.url, type, posted: request.postData?.length ?? 0 });
    Object.assign(of(requestId).headers, lower(request.headers));
  });
  cdp.on('Network.requestWillBeSentExtraInfo', ({ requestId, headers }) => Object.assign(of(requestId).headers, lower(headers)));
  cdp.on('Network.responseReceived', ({ requestId, response }) => {
    Object.assign(of(requestId), { status: response.status, answered: lower(response.headers) });
  });
  return requests;
}

const lower = (headers) => Object.fromEntries(Object.entries(headers).map(([k, v]) => [k.toLowerCase(), v]));
