// Chromium, a page of it with files in its input, and what its renderers hold.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

import { chromium } from 'playwright-core';

const chrome = process.env.CHROMIUM || ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

/** Starts a browser. */
export function openBrowser() {
  return chromium.launch({
    executablePath: chrome,
    // Whoever stops us has us clean up, see main.mjs.
    handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
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

/** Seconds of processor time that a browser has used, all its processes together. */
export async function processor(browser) {
  const cdp = await browser.newBrowserCDPSession();
  const { processInfo } = await cdp.send('SystemInfo.getProcessInfo');
  await cdp.detach();
  return processInfo.reduce((sum, p) => sum + p.cpuTime, 0);
}

/** Bytes of a process's proportional set; none when it has ended. */
async function pss(pid) {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  return Number(/^Pss: +(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * 1024;
}

/**
 * Follows the renderer of the page in which files are added from here on. Chromium
 * keeps others in reserve, so all are weighed; which it was, the trace tells by
 * the mark that the page sets (watch.js).
 */
export async function follow(browser) {
  const every = 200; // ms; each look holds a renderer up for a millisecond or two
  const cdp = await browser.newBrowserCDPSession();
  const weighed = new Map(); // pid → bytes
  const look = async () => {
    const { processInfo } = await cdp.send('SystemInfo.getProcessInfo');
    for (const { id: pid, type } of processInfo) {
      if (type !== 'renderer') continue;
      if (!weighed.has(pid)) weighed.set(pid, []);
      weighed.get(pid).push(await pss(pid));
    }
  };
  await browser.startTracing(undefined, { categories: ['toplevel', 'blink.user_timing'] });
  let stopped = false;
  const looking = (async () => {
    while (!stopped) {
      await look();
      await new Promise((go) => { setTimeout(go, every); });
    }
    await look();
  })();
  looking.catch(() => {}); // heard at the end
  return {
    /**
     * Ends it: bytes of PSS before, after and at most, and the most processor
     * time of one task of the main thread, in ms.
     */
    async end() {
      stopped = true;
      await looking;
      const { traceEvents } = JSON.parse(await browser.stopTracing());
      const { pid, ts } = traceEvents.find((e) => e.name === 'files added');
      // On Linux the main thread has the process's own number. The first task
      // began a little before the mark.
      const tasks = traceEvents.filter((e) => e.name.endsWith('RunTask') && e.pid === pid && e.tid === pid && e.ts + e.dur >= ts);
      const sizes = weighed.get(pid);
      return {
        memory: { before: sizes[0], after: sizes.at(-1), peak: Math.max(...sizes) },
        busiest: Math.max(0, ...tasks.map((e) => e.tdur ?? 0)) / 1000,
      };
    },
  };
}
