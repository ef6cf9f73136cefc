// Uploads one photo through the page of a gate, in Chromium, and waits until it
// is shown: node upload.mjs URL. Requests are not intercepted, since a browser
// whose requests are intercepted answers its own preflights.

import { createRequire } from 'node:module';

const { chromium } = createRequire(new URL('../../../../web/package.json', import.meta.url))('playwright-core');

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
try {
  const page = await browser.newPage();
  const sent = [];
  page.on('response', (r) => sent.push(`${r.request().method()} ${new URL(r.url()).origin} ${r.status()}`));
  page.on('console', (m) => console.log('console:', m.text()));
  await page.goto(process.argv[2]);
  await page.getByText(/up to \d+ MB/).waitFor();
  await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(640, 480);
    const c = canvas.getContext('2d');
    c.fillStyle = 'teal';
    c.fillRect(0, 0, 640, 480);
    const blob = await canvas.convertToBlob({ type: 'image/jpeg' });
    document.querySelector('postern-upload').add([new File([blob], 'cat.jpg', { type: 'image/jpeg' })]);
  });
  const ended = page.locator('.tile').filter({ hasText: 'cat.jpg' });
  const failed = page.locator('postern-upload li').filter({ hasText: /could not|refused|wrong/ });
  await ended.or(failed).first().waitFor({ timeout: 20_000 });
  if (await failed.count()) throw new Error(`${await failed.innerText()}\n${sent.join('\n')}`);
  await ended.locator('img').first().evaluate((i) => i.decode());
  console.log(sent.join('\n'));
  console.log('shown: cat.jpg');
} finally {
  await browser.close();
}
