// Chromium, by the library that the other tests use.

import { chromium } from 'playwright-core';

import { chrome } from '../gate.mjs';

export const name = 'Chromium';
export const missing = !chrome && 'chromium is not installed';

/** One page in a browser of its own. */
export async function open({ script = true } = {}) {
  const browser = await chromium.launch({ executablePath: chrome, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'] });
  const context = await browser.newContext({ javaScriptEnabled: script });
  const page = await context.newPage();
  page.on('dialog', (d) => void d.accept());
  return {
    go: (url) => page.goto(url),
    reload: () => page.reload(),
    url: async () => page.url(),
    run: (fn, ...args) => page.evaluate(`(async () => JSON.stringify([await (${fn})(...${JSON.stringify(args)})]))()`).then((json) => JSON.parse(json)[0]),
    pick: (files) => page.locator('postern-upload input[type=file]').setInputFiles(files),
    fill: (css, files) => page.locator(css).setInputFiles(files),
    click: (css) => page.locator(css).click(),
    close: () => browser.close(),
  };
}
