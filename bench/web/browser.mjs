// Chromium, a page of it with files in its input, and what its renderers hold.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

import { chromium } from 'playwright-core';

const chrome = process.env.CHROMIUM || ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

/** Starts a browser that has no renderer but those that are needed. */
export function openBrowser() {
  return chromium.launch({
    executablePath: chrome,
    // Whoever stops us has us clean up, see main.mjs.
    handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--disable-features=SpareRendererForSitePerProcess'],
  });
}

/**
 * Opens a page in a context of its own. Nothing intercepts its requests: a
 * browser whose requests are intercepted answers its own preflights.
 */
export async function visit(browser, url) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 900 } });
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', (e) => faults.push(String(e)));
  await page.goto(url);
  const ready = page.waitForFunction(() => globalThis.watch?.input);
  await ready.catch((e) => { throw new Error([e.message, ...faults].join('\n')); });
  await page.waitForLoadState('networkidle');
  const cdp = await context.newCDPSession(page);
  return {
    /** Puts files into the page's input by their paths, as the browser's own picker does. */
    async add(files) {
      const { result: { objectId } } = await cdp.send('Runtime.evaluate', { expression: 'watch.input' });
      await cdp.send('DOM.setFileInputFiles', { files, objectId });
    },
    /** What the page makes of a question to its watch; rejects when the page itself went wrong. */
    async ask(question, ...args) {
      const answer = await page.evaluate(([q, a]) => globalThis.watch[q](...a), [question, args]);
      if (faults.length) throw new Error(faults.join('\n'));
      return answer;
    },
    close: () => context.close(),
  };
}

const pss = async (pid) => {
  // One that has just ended has no memory.
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  return Number(/^Pss: +(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * 1024;
};

/** Follows the memory of a browser's renderers: bytes of PSS, all of them together. */
export async function weigh(browser) {
  const cdp = await browser.newBrowserCDPSession();
  const every = 200; // ms; each look holds the renderer up for a millisecond or two
  let peak = 0;
  let stopped = false;
  const look = async () => {
    const { processInfo } = await cdp.send('SystemInfo.getProcessInfo');
    const each = await Promise.all(processInfo.filter((p) => p.type === 'renderer').map((p) => pss(p.id)));
    const sum = each.reduce((a, b) => a + b, 0);
    peak = Math.max(peak, sum);
    return sum;
  };
  const before = await look();
  if (!before) throw new Error('the memory of the renderer cannot be read from /proc');
  const looking = (async () => {
    while (!stopped) {
      await look();
      await new Promise((go) => { setTimeout(go, every); });
    }
  })();
  return {
    /** Ends it: what there was before, now, and at most. */
    async end() {
      stopped = true;
      await looking;
      const after = await look();
      await cdp.detach();
      return { before, after, peak };
    },
  };
}
