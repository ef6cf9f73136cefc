// Everybody can use it: the keyboard alone, screen readers, dark, narrow.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { axe, choose, give, hand, open, photo, row, rows, site, skip, slow, spoken, tile, troubled, visit } from './gate.mjs';

describe('access', { skip }, () => {
  let gate;
  before(async () => { gate = await open(); });
  after(() => gate?.close());

  for (const options of [
    { colorScheme: 'light' },
    { colorScheme: 'dark' },
    { colorScheme: 'light', forcedColors: 'active' },
    { colorScheme: 'dark', viewport: { width: 360, height: 740 } },
  ]) {
    test(`axe finds nothing, in any state: ${JSON.stringify(options)}`, async (t) => {
      const { page } = await visit(t, gate, options);
      assert.deepEqual(await axe(page), [], 'empty, or as it was left');
      await slow(page, 100_000);
      await choose(page, [await photo(gate, 'axe.jpg', { width: 800, height: 600, noise: 100 })]);
      await hand(page, 'drop', [{ name: 'empty.jpg', mimeType: 'image/jpeg', buffer: Buffer.alloc(0) }]);
      await row(page, 'axe.jpg').getByText(/Uploading [1-9]/).waitFor();
      await row(page, 'empty.jpg').getByText('is empty').waitFor();
      assert.deepEqual(await axe(page), [], 'uploading, and an error');
      await slow(page, 0);
      await tile(page, 'axe.jpg').first().waitFor();
      await row(page, 'axe.jpg').waitFor({ state: 'detached' });
      assert.deepEqual(await axe(page), [], 'gallery');
      await tile(page, 'axe.jpg').first().getByRole('button', { name: /^Open/ }).click();
      await page.locator('#viewer .frame img').evaluate((i) => i.decode());
      assert.deepEqual(await axe(page), [], 'viewer');
      await page.locator('#viewer').getByRole('button', { name: /^Delete/ }).click();
      await page.getByRole('alertdialog').waitFor();
      assert.deepEqual(await axe(page), [], 'confirm');
    });
  }

  test('the whole job with the keyboard alone', async (t) => {
    const { page } = await visit(t, gate);
    const focus = () => page.evaluate(() => {
      const e = document.activeElement.shadowRoot?.activeElement ?? document.activeElement;
      return e.getAttribute('aria-label') ?? e.textContent.trim();
    });
    // A dialog gives the focus back a moment after it closed.
    const focused = async (what) => {
      for (let i = 0; i < 100 && !what.test(await focus()); i++) await page.evaluate(() => new Promise(requestAnimationFrame));
      assert.match(await focus(), what);
    };
    const tabTo = async (what) => {
      for (let i = 0; i < 40; i++) {
        if (what.test(await focus())) return;
        await page.keyboard.press('Tab');
      }
      assert.fail(`Tab does not reach ${what}`);
    };
    const picked = page.waitForEvent('filechooser'); // before the key: listening takes a moment to begin
    await page.keyboard.press('Tab');
    assert.equal(await focus(), 'Choose photos', 'it is the first thing that Tab reaches');
    await page.keyboard.press('Enter');
    await (await picked).setFiles([await photo(gate, 'keys-1.jpg'), await photo(gate, 'keys-2.jpg')]);
    await tile(page, 'keys-1.jpg').waitFor();
    await tile(page, 'keys-2.jpg').waitFor();
    await rows(page).first().waitFor({ state: 'detached' });
    assert.equal(await focus(), 'Choose photos', 'rows that go by themselves take no focus along');

    await tabTo(/^Open keys-/);
    const opened = /keys-\d/.exec(await focus())[0];
    const other = opened === 'keys-1' ? 'keys-2' : 'keys-1';
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: opened }).waitFor();
    await tabTo(/^Next photo/);
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: other }).waitFor();
    await page.keyboard.press('Escape');
    await focused(new RegExp(`^Open ${other}`)); // where the photo last shown is

    await page.keyboard.press('Tab');
    assert.match(await focus(), /^Delete keys-/);
    await page.keyboard.press('Enter');
    await page.getByRole('alertdialog').waitFor();
    assert.equal(await focus(), 'Keep it', 'the harmless answer comes first');
    await page.keyboard.press('Escape');
    await focused(/^Delete keys-/);
    await page.keyboard.press('Enter');
    await tabTo(/^Delete$/);
    await page.keyboard.press('Enter');
    await page.getByText(/^keys-\d\.jpg deleted\.$/).waitFor();
    await focused(/^Open |^Choose photos$/); // not lost
    assert.equal(await page.locator('.tile').filter({ hasText: 'keys-' }).count(), 1);
    await page.reload();
    await tile(page, opened).waitFor();
    assert.equal(await page.locator('.tile').filter({ hasText: 'keys-' }).count(), 1);
  });

  test('what a screen reader is told', async (t) => {
    const { page } = await visit(t, gate);
    assert.equal(await spoken(page).innerText(), '', 'the live region is there, and empty, from the start');
    // Everything that is ever put into it.
    await spoken(page).evaluate((region) => {
      globalThis.heard = [];
      new MutationObserver((all) => {
        for (const m of all) for (const n of m.addedNodes) globalThis.heard.push(n.textContent.trim());
      }).observe(region, { childList: true });
    });
    const heard = () => page.evaluate(() => globalThis.heard);
    await slow(page, 400_000);
    await hand(page, 'drop', [
      await photo(gate, 'voice-1.jpg', { width: 1200, height: 900, noise: 60 }),
      await photo(gate, 'voice-2.jpg'),
      { name: 'void.jpg', mimeType: 'image/jpeg', buffer: Buffer.alloc(0) },
    ]);
    await row(page, 'voice-1.jpg').getByText(/Uploading/).waitFor();
    assert.match(await page.locator('postern-upload').ariaSnapshot(), /progressbar "voice-1\.jpg"/);
    await page.waitForFunction(() => globalThis.heard.some((l) => l.includes('ready')));
    const lines = await heard();
    assert.equal(lines[0], '3 files added.');
    assert.ok(lines.includes('void.jpg: The file is empty.'));
    assert.equal(lines.at(-1), '2 ready, 1 not uploaded.');
    assert.ok(!lines.some((l) => l.includes('%')), 'never a percentage');
    assert.ok(lines.length <= 6, lines.join('\n'));
  });

  test('a total is said at most every five seconds, however many are done meanwhile', { timeout: 120_000 }, async (t) => {
    const somebody = await site({ '/': '<postern-upload name="photos" multiple></postern-upload>' });
    const bucket = await troubled();
    const other = await open({ args: ['--origin', somebody.url, '--bucket-url', `${bucket.url}/postern`] });
    t.after(async () => {
      await other.close();
      bucket.close();
      somebody.close();
    });
    bucket.before(other.bucket);
    somebody.with(other);
    const page = await (await other.browser.newContext()).newPage();
    await page.goto(somebody.url);
    await page.getByText(/up to \d+ MB/).waitFor();
    await spoken(page).evaluate((region) => {
      globalThis.heard = [];
      new MutationObserver((all) => {
        for (const m of all) for (const n of m.addedNodes) globalThis.heard.push([performance.now(), n.textContent.trim()]);
      }).observe(region, { childList: true });
    });
    bucket.slow(60_000);
    const one = await photo(other, 'one.jpg', { width: 700, height: 500, noise: 90 });
    await give(page, ...Array.from({ length: 20 }, (_, i) => ({ ...one, name: `count-${i}.jpg` })));
    await page.waitForFunction(() => globalThis.heard.some(([, l]) => l.includes('ready')), undefined, { timeout: 100_000 });
    const heard = await page.evaluate(() => globalThis.heard);
    const totals = heard.filter(([, l]) => / of 20 done/.test(l));
    assert.ok(totals.length >= 2, JSON.stringify(heard));
    totals.slice(1).forEach(([at], i) => assert.ok(at - totals[i][0] >= 4990, JSON.stringify(totals)));
    assert.equal(heard.at(-1)[1], '20 ready.');
    // One for the files, the totals, the end; nothing for each file.
    assert.equal(heard.length, totals.length + 2, JSON.stringify(heard));
  });

  test('targets have 44 pixels, names are isolated, nothing moves unasked', async (t) => {
    const { page } = await visit(t, gate, { reducedMotion: 'reduce' });
    await choose(page, [await photo(gate, 'size.jpg')]);
    await hand(page, 'drop', [{ name: 'x.jpg', mimeType: 'image/jpeg', buffer: Buffer.alloc(0) }]);
    await tile(page, 'size.jpg').waitFor();
    await row(page, 'size.jpg').waitFor({ state: 'detached' });
    for (const b of await page.locator('button:visible').all()) {
      const { width, height } = await b.boundingBox();
      assert.ok(width >= 44 && height >= 44, `${await b.evaluate((e) => e.outerHTML.slice(0, 90))}: ${width} × ${height}`);
    }
    assert.equal(await row(page, 'x.jpg').locator('bdi').innerText(), 'x.jpg');
    assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
    const moving = await page.evaluate(() => [...document.querySelectorAll('*'), ...document.querySelector('postern-upload').shadowRoot.querySelectorAll('*')]
      .filter((e) => getComputedStyle(e).transitionDuration !== '0s' || getComputedStyle(e).animationName !== 'none').length);
    assert.equal(moving, 0);
  });

  for (const width of [360, 768, 1920]) {
    test(`at ${width} pixels nothing is cut off sideways`, async (t) => {
      const { page } = await visit(t, gate, { viewport: { width, height: 800 } });
      const long = `${'a-very-long-name-'.repeat(8)}${width}.jpg`;
      await choose(page, [await photo(gate, long), await photo(gate, `p${width}.jpg`, { width: 300, height: 900 })]);
      await tile(page, long).waitFor();
      await hand(page, 'drop', [{ name: `${'x'.repeat(120)}.jpg`, mimeType: 'image/jpeg', buffer: Buffer.alloc(0) }]);
      await row(page, 'xxx').getByText('is empty').waitFor();
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    });
  }
});
