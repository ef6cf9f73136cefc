// WebKit as WebKitGTK has it, by its own driver (https://www.w3.org/TR/webdriver2/),
// on a screen that nobody sees.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const name = 'WebKit';
const driver = process.env.WEBKIT_DRIVER || ['/usr/bin/WebKitWebDriver'].find(existsSync);
const screen = ['/usr/bin/Xvfb'].find(existsSync);
const browser = existsSync('/usr/lib') && readdirSync('/usr/lib').flatMap((d) => ['6.0', '4.1', '4.0'].map((v) => `/usr/lib/${d}/webkit2gtk-${v}/MiniBrowser`)).find(existsSync);
export const missing = (!driver || !browser) && 'webkit2gtk-driver is not installed' || !screen && 'xvfb is not installed';

const element = 'element-6066-11e4-a52e-4f735466cecf'; // the name that the standard gives a reference

async function freePort() {
  const s = net.createServer().listen(0, '127.0.0.1');
  await once(s, 'listening');
  const { port } = s.address();
  s.close();
  await once(s, 'close');
  return port;
}

/** One page in a browser of its own. */
export async function open() {
  const home = await mkdtemp(join(tmpdir(), 'postern-webkit-'));
  // Xvfb itself picks a display that is free, and says which.
  const x = spawn(screen, ['-displayfd', '3', '-screen', '0', '1200x900x24', '-nolisten', 'tcp'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  const display = `:${String(await new Promise((done, fail) => { x.stdio[3].once('data', done); x.once('exit', () => fail(new Error('Xvfb ended'))); })).trim()}`;
  const port = await freePort();
  const d = spawn(driver, [`--port=${port}`, '--host=127.0.0.1'], {
    stdio: 'ignore', detached: true, // its children go with its group
    env: { ...process.env, DISPLAY: display, HOME: home, XDG_CACHE_HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home, GDK_BACKEND: 'x11', WEBKIT_DISABLE_COMPOSITING_MODE: '1', WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1', NO_AT_BRIDGE: '1' },
  });
  const base = `http://127.0.0.1:${port}`;
  const ask = async (method, path, body) => {
    const answer = await fetch(base + path, { method, ...(body && { body: JSON.stringify(body) }) });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`${value.error}: ${value.message}`);
    return value;
  };
  let up = false;
  for (let i = 0; i < 200 && !up; i++) {
    up = await ask('GET', '/status').then(() => true, () => false);
    if (!up) await new Promise((done) => setTimeout(done, 50));
  }
  const { sessionId } = await ask('POST', '/session', {
    capabilities: { alwaysMatch: { browserName: 'MiniBrowser', unhandledPromptBehavior: 'accept', 'webkitgtk:browserOptions': { binary: browser, args: ['--automation'] } } },
  });
  const at = `/session/${sessionId}`;
  await ask('POST', `${at}/timeouts`, { script: 60_000, pageLoad: 60_000 });
  const find = async (css) => (await ask('POST', `${at}/element`, { using: 'css selector', value: css }))[element];
  const send = (id, files) => ask('POST', `${at}/element/${id}/value`, { text: files.join('\n') });
  return {
    go: (url) => ask('POST', `${at}/url`, { url }),
    reload: () => ask('POST', `${at}/refresh`, {}),
    url: () => ask('GET', `${at}/url`),
    async run(fn, ...args) {
      const json = await ask('POST', `${at}/execute/async`, {
        script: `const [json, done] = arguments; (async () => (${fn})(...JSON.parse(json)))().then((v) => done(JSON.stringify([v])), (e) => done('!' + e))`,
        args: [JSON.stringify(args)],
      });
      if (json.startsWith('!')) throw new Error(json.slice(1));
      return JSON.parse(json)[0];
    },
    /** Files into the element, as its picker would. */
    async pick(files) {
      const input = await ask('POST', `${at}/execute/sync`, { script: 'return document.querySelector("postern-upload").shadowRoot.querySelector("input")', args: [] });
      await send(input[element], files);
    },
    /** Files into a plain input, and a click on a plain button. */
    async fill(css, files) {
      await send(await find(css), files);
    },
    async click(css) {
      await ask('POST', `${at}/element/${await find(css)}/click`, {});
    },
    async close() {
      await ask('DELETE', at).catch(() => undefined);
      const over = [once(d, 'exit'), once(x, 'exit')];
      process.kill(-d.pid, 'SIGTERM');
      await over[0];
      x.kill('SIGTERM');
      await over[1];
      await rm(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
