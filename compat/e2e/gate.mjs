// What these tests share: the built gate with its embedded bucket, a browser, a
// site of another origin whose pages hold the clients. Requests are watched and
// never intercepted: a browser whose requests are intercepted answers its own
// preflights, and would hide what CORS forbids.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

import { openBucket } from './bucket.mjs';
import { openLine } from './line.mjs';
import { openSite } from './site.mjs';

/** Why the tests cannot run, or false. */
export const skip = !process.env.POSTERN_BIN && 'SKIPPED: POSTERN_BIN is not set; make compat builds the binary and sets it';

const chrome = process.env.CHROMIUM || ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

const presets = [
  { name: 'photos', max_bytes: 200_000_000, transfer: 'auto' },
  // Long enough for an honest request on a busy machine, short enough to wait for its end.
  { name: 'brief', max_bytes: 200_000_000, life: '8s' },
  { name: 'small', max_bytes: 11_500_000 },
  { name: 'tiny', max_bytes: 6_000_000 },
  { name: 'put', transfer: 'put' },
];

/** Starts the site, the gate and the browser. Browsers reach the bucket by gate.line. */
export async function open() {
  const folder = await mkdtemp(join(tmpdir(), 'postern-compat-'));
  const site = await openSite();
  const line = await openLine();
  const config = join(folder, 'postern.yaml');
  await writeFile(config, JSON.stringify({ // JSON is YAML
    presets,
    compat: ['uppy', 'activestorage', 'shrine', 'tutorial', 'form'],
    origin: [site.origin],
    bucket_url: `${line.url}/postern`,
    listen: '127.0.0.1:0', bucket_listen: '127.0.0.1:0', admin_listen: '127.0.0.1:0',
    data: join(folder, 'data'),
    log_level: 'warn',
  }));
  const gate = spawn(process.env.POSTERN_BIN, ['serve', '--config', config], { stdio: ['ignore', 'pipe', 'pipe'] });
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
  const bucketURL = /served on (http:\S+)/.exec(said)[1];
  line.to(bucketURL);
  const browser = await chromium.launch({
    executablePath: chrome,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  return {
    url,
    site,
    line,
    browser,
    bucket: await openBucket(bucketURL, join(folder, 'data')),
    async close() {
      await browser.close();
      site.close();
      line.close();
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
 * A page of the site, told of the gate, and what went wrong in it. The tests of
 * one describe follow each other, so what the line saw before is forgotten.
 */
export async function visit(t, gate, path, query = {}, options = {}) {
  gate.line.forget();
  const context = await gate.browser.newContext(options);
  t.after(() => context.close());
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', (e) => faults.push(String(e)));
  page.on('console', (m) => {
    if (m.type() === 'error') faults.push(m.text());
  });
  const requests = await wire(page);
  await page.goto(`${gate.site.origin}${path}?${new URLSearchParams({ gate: gate.url, ...query })}`);
  return { page, faults, requests };
}

/** Records what goes over the wire, by Chromium's own account. */
export async function wire(page) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Network.enable');
  const requests = new Map();
  cdp.on('Network.requestWillBeSent', ({ requestId, request, type }) => {
    requests.set(`${requestId} ${type}`, { requestId, method: request.method, url: request.url, type });
  });
  const ended = (id, facts) => {
    for (const r of requests.values()) if (r.requestId === id) Object.assign(r, facts);
  };
  cdp.on('Network.responseReceived', ({ requestId, response }) => ended(requestId, { status: response.status }));
  cdp.on('Network.loadingFailed', ({ requestId, errorText, canceled }) => ended(requestId, { failed: canceled ? 'canceled' : errorText }));
  return {
    /** The requests of a method to addresses with the text in them, preflights apart. */
    of: (method, text) => [...requests.values()].filter((r) => r.method === method && r.type !== 'Preflight' && r.url.includes(text)),
  };
}

/** Waits until check returns something true, and returns that. */
export async function until(what, check, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((go) => { setTimeout(go, 50); });
  }
}

/** The newest uploads, as the gate tells them. */
export async function uploads(gate) {
  const answer = await fetch(`${gate.url}/uploads?limit=50`);
  if (!answer.ok) throw new Error(`uploads: ${answer.status} ${await answer.text()}`);
  return (await answer.json()).uploads;
}

/** The newest upload, once it is final; it must be the file called name. */
export async function settled(gate, name) {
  return until(`${name} is final`, async () => {
    const [newest] = await uploads(gate);
    return newest && newest.filename === name && ['ready', 'rejected', 'failed'].includes(newest.state) && newest;
  });
}
