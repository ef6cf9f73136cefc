// Firefox by its own WebDriver BiDi (https://w3c.github.io/webdriver-bidi/),
// with nothing in between.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import WebSocket from 'ws';

export const name = 'Firefox';
const binary = process.env.FIREFOX || ['/usr/bin/firefox-esr', '/usr/bin/firefox'].find(existsSync);
export const missing = !binary && 'firefox-esr is not installed';

const prefs = {
  'app.update.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.homepage_override.mstone': 'ignore',
  'datareporting.policy.dataSubmissionEnabled': false,
  'toolkit.telemetry.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
};

/** One page in a browser and a profile of its own. */
export async function open({ script = true } = {}) {
  const profile = await mkdtemp(join(tmpdir(), 'postern-firefox-'));
  const all = { ...prefs, 'javascript.enabled': script };
  await writeFile(join(profile, 'user.js'), Object.entries(all).map(([k, v]) => `user_pref(${JSON.stringify(k)}, ${JSON.stringify(v)});\n`).join(''));
  const browser = spawn(binary, ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0', 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, MOZ_REMOTE_SETTINGS_DEVTOOLS: '1', HOME: profile },
  });
  const address = await new Promise((done, fail) => {
    let said = '';
    browser.stderr.on('data', (d) => {
      said += d;
      const at = /WebDriver BiDi listening on (ws:\/\/\S+)/.exec(said)?.[1];
      if (at) done(at);
    });
    browser.on('exit', (code) => fail(new Error(`Firefox ended with ${code}:\n${said}`)));
  });
  const line = new WebSocket(`${address}/session`, { perMessageDeflate: false });
  await once(line, 'open');
  const asked = new Map();
  let last = 0;
  line.on('message', (m) => {
    const { id, type, result, message, error } = JSON.parse(m);
    const waiting = asked.get(id);
    if (!waiting) return; // an event
    asked.delete(id);
    if (type === 'success') waiting.done(result);
    else waiting.fail(new Error(`${error}: ${message}`));
  });
  const ask = (method, params) => new Promise((done, fail) => {
    asked.set(++last, { done, fail });
    line.send(JSON.stringify({ id: last, method, params }));
  });
  await ask('session.new', { capabilities: { alwaysMatch: { unhandledPromptBehavior: { default: 'accept' } } } });
  const { contexts: [{ context }] } = await ask('browsingContext.getTree', {});

  const call = async (declaration, args) => {
    const { type, result, exceptionDetails } = await ask('script.callFunction', {
      functionDeclaration: declaration, arguments: args, awaitPromise: true, target: { context },
    });
    if (type !== 'success') throw new Error(exceptionDetails.text);
    return result;
  };
  const setFiles = (node, files) => ask('input.setFiles', { context, element: { sharedId: node.sharedId }, files });
  const one = async (css) => (await ask('browsingContext.locateNodes', { context, locator: { type: 'css', value: css } })).nodes[0];
  return {
    go: (url) => ask('browsingContext.navigate', { context, url, wait: 'complete' }),
    reload: () => ask('browsingContext.reload', { context, wait: 'complete' }),
    url: async () => (await ask('browsingContext.getTree', { root: context })).contexts[0].url,
    async run(fn, ...args) {
      const { value } = await call(`async (json) => JSON.stringify([await (${fn})(...JSON.parse(json))])`, [{ type: 'string', value: JSON.stringify(args) }]);
      return JSON.parse(value)[0];
    },
    /** Files into the element, as its picker would. */
    async pick(files) {
      await setFiles(await call('() => document.querySelector("postern-upload").shadowRoot.querySelector("input")', []), files);
    },
    /** Files into a plain input, and a click on a plain button. */
    async fill(css, files) {
      await setFiles(await one(css), files);
    },
    async click(css) {
      await ask('input.performActions', {
        context,
        actions: [{
          type: 'pointer', id: 'mouse', actions: [
            { type: 'pointerMove', x: 0, y: 0, origin: { type: 'element', element: { sharedId: (await one(css)).sharedId } } },
            { type: 'pointerDown', button: 0 }, { type: 'pointerUp', button: 0 },
          ],
        }],
      });
    },
    async close() {
      browser.removeAllListeners('exit');
      const ended = once(browser, 'exit');
      await Promise.race([ask('browser.close', {}), ended]).catch(() => undefined);
      const timer = setTimeout(() => browser.kill('SIGKILL'), 5000);
      await ended;
      clearTimeout(timer);
      line.terminate();
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
