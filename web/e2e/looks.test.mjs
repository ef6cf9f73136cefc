// The element in every state, light and dark, from left and from right, in
// forced colours, in nine languages: axe finds nothing, nothing is cut off.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';

import { axe, give, open, photo, row, rows, site, skip, troubled } from './gate.mjs';

/** Where to put pictures of every state, if anywhere; docs/pictures has some of them. */
const pictures = process.env.POSTERN_PICTURES;
const tags = ['en', 'ar', 'de', 'es', 'fr', 'hi', 'ja', 'pt', 'zh'];
const style = 'html { background: Canvas; color: CanvasText } body { font: 16px system-ui, sans-serif; margin: 24px } h1 { font-size: 1.2em }';

describe('looks', { skip }, () => {
  let bucket;
  let gate;
  let somebody;
  before(async () => {
    const body = '<form><label for="u">Pictures</label><postern-upload id="u" name="photos" multiple required camera sortable></postern-upload></form>';
    somebody = await site(Object.fromEntries(tags.flatMap((lang) => [
      [`/${lang}`, { lang, dir: lang === 'ar' ? 'rtl' : 'ltr', style, body }],
      [`/${lang}/rtl`, { lang, dir: 'rtl', style, body }],
    ])));
    bucket = await troubled();
    gate = await open({ args: ['--origin', somebody.url, '--bucket-url', `${bucket.url}/postern`] });
    bucket.before(gate.bucket);
    somebody.with(gate);
    if (pictures) await mkdir(pictures, { recursive: true });
  });
  after(async () => {
    await gate?.close();
    bucket?.close();
    somebody?.close();
  });

  async function go(t, path, options = {}) {
    bucket.slow(0);
    const context = await gate.browser.newContext({ viewport: { width: 640, height: 760 }, ...options });
    t.after(() => context.close());
    const page = await context.newPage();
    const faults = [];
    page.on('pageerror', (e) => faults.push(String(e)));
    await page.goto(somebody.url + path);
    await page.locator('postern-upload .hint:not(:empty)').waitFor();
    return { page, faults };
  }
  const state = (page, name, s) => row(page, name).and(page.locator(`[data-state=${s}]`));
  const wide = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  const shown = async (page, name) => {
    if (pictures) await page.screenshot({ path: `${pictures}/${name}.png` });
  };

  for (const colorScheme of ['light', 'dark']) {
    for (const dir of ['ltr', 'rtl']) {
      for (const forcedColors of ['none', 'active']) {
        const name = [colorScheme, dir, forcedColors === 'active' && 'forced'].filter(Boolean).join('-');
        test(`axe finds nothing in any state: ${name}`, async (t) => {
          const { page } = await go(t, dir === 'rtl' ? '/en/rtl' : '/en', { colorScheme, forcedColors });
          await page.getByRole('button', { name: 'Take a photo' }).waitFor();
          assert.deepEqual(await axe(page), [], 'empty');
          await shown(page, `${name}-empty`);

          await page.locator('postern-upload').evaluate((u) => {
            const drag = new DataTransfer();
            drag.items.add(new File(['x'], 'x.jpg', { type: 'image/jpeg' }));
            u.dispatchEvent(new DragEvent('dragover', { dataTransfer: drag, bubbles: true, cancelable: true }));
          });
          await page.getByText('Drop to upload').waitFor();
          assert.deepEqual(await axe(page), [], 'dragged over');
          await page.locator('postern-upload').evaluate((u) => u.dispatchEvent(new DragEvent('dragleave', { relatedTarget: null, bubbles: true })));

          bucket.slow(90_000);
          const heavy = (n) => photo(gate, n, { width: 1600, height: 1200, noise: 110 });
          await give(page, await heavy('sea.jpg'), await heavy('a very long name that does not fit into one line.jpg'), await photo(gate, 'small.jpg'),
            { name: 'empty.jpg', mimeType: 'image/jpeg', buffer: Buffer.alloc(0) }, { name: 'letter.pdf', mimeType: 'application/pdf', buffer: Buffer.from('x') });
          await row(page, 'sea.jpg').getByText(/Uploading [1-9]/).waitFor();
          await row(page, 'a very long').getByRole('button', { name: /^Pause/ }).click();
          await state(page, 'a very long', 'paused').waitFor();
          await state(page, 'small.jpg', 'ready').waitFor();
          await row(page, 'letter.pdf').getByText('Only').waitFor();
          assert.deepEqual(await axe(page), [], 'on its way, paused, rejected, ready');
          assert.ok(await wide(page) <= 0);
          await shown(page, `${name}-busy`);

          bucket.slow(0);
          await row(page, 'a very long').getByRole('button', { name: /^Resume/ }).click();
          await state(page, 'sea.jpg', 'ready').waitFor();
          await state(page, 'a very long', 'ready').waitFor();
          assert.deepEqual(await axe(page), [], 'all done');
          await shown(page, `${name}-done`);
          await page.locator('postern-upload').evaluate((u) => { u.toggleAttribute('inert'); u.toggleAttribute('inert'); });
        });
      }
    }
  }

  for (const lang of tags) {
    test(`in ${lang}: everything is in that language, and fits into 360 pixels`, async (t) => {
      const { page, faults } = await go(t, `/${lang}`, { viewport: { width: 360, height: 740 }, locale: 'en-US' });
      const english = { pick: 'Choose photos', drop: 'or drop or paste here', camera: 'Take a photo' };
      const words = () => page.evaluate(() => {
        const root = document.querySelector('postern-upload').shadowRoot;
        return { pick: root.querySelector('.pick').textContent, drop: root.querySelector('.or').textContent, camera: root.querySelector('.shoot')?.textContent };
      });
      await page.locator('postern-upload .shoot').waitFor();
      await page.waitForFunction((e) => document.documentElement.lang === 'en' || document.querySelector('postern-upload').shadowRoot.querySelector('.pick').textContent !== e, english.pick);
      const here = await words();
      for (const [key, said] of Object.entries(here)) {
        if (lang === 'en') assert.equal(said, english[key]);
        else assert.notEqual(said, english[key], key);
      }
      await give(page, await photo(gate, 'one.jpg'), { name: 'letter.pdf', mimeType: 'application/pdf', buffer: Buffer.from('x') });
      await state(page, 'one.jpg', 'ready').waitFor();
      await state(page, 'letter.pdf', 'rejected').waitFor();
      const said = await page.locator('postern-upload').evaluate((u) => u.shadowRoot.textContent);
      if (lang !== 'en') assert.doesNotMatch(said, /\b(Ready|file|Remove|Choose|allowed)\b/);
      assert.ok(await wide(page) <= 0, `${await wide(page)} pixels too wide`);
      assert.deepEqual(await axe(page), []);
      await shown(page, `lang-${lang}`);
      assert.deepEqual(faults, []);
      assert.equal(await rows(page).count(), 2);
    });
  }

  test('a page may bring words of its own, and a language of its own', async (t) => {
    const { page } = await go(t, '/en');
    await page.evaluate(() => {
      const { languages } = customElements.get('postern-upload');
      languages.nl = { ...languages.en, picks: 'Kies foto’s' };
      const again = document.createElement('postern-upload');
      again.lang = 'nl';
      again.setAttribute('multiple', '');
      document.body.append(again);
    });
    await page.getByRole('button', { name: 'Kies foto’s' }).waitFor();
  });

  test('colours are the page’s: custom properties, parts and states', async (t) => {
    const { page } = await go(t, '/en');
    await page.addStyleTag({ content: `postern-upload { --postern-accent: rgb(1 2 3); color: rgb(4 5 6) }
      postern-upload::part(zone) { border-color: rgb(7 8 9) } postern-upload::part(rejected) { outline: 3px solid rgb(10 11 12) }
      postern-upload:state(busy) { --busy: yes } postern-upload:invalid { --invalid: yes }` });
    await give(page, { name: 'x.pdf', mimeType: 'application/pdf', buffer: Buffer.from('x') });
    await state(page, 'x.pdf', 'rejected').waitFor();
    const seen = await page.locator('postern-upload').evaluate((u) => {
      const style = (s) => getComputedStyle(u.shadowRoot.querySelector(s));
      return [style('.pick').backgroundColor, style('.name').color, style('.zone').borderTopColor, style('li').outlineColor, getComputedStyle(u).getPropertyValue('--invalid')];
    });
    assert.deepEqual(seen, ['rgb(1, 2, 3)', 'rgb(4, 5, 6)', 'rgb(7, 8, 9)', 'rgb(10, 11, 12)', 'yes']);
  });
});
