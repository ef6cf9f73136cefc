// The page that a developer reads: its examples are the element itself.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { axe, open, photo, skip } from './gate.mjs';

describe('docs', { skip }, () => {
  let gate;
  before(async () => { gate = await open(); });
  after(() => gate?.close());

  for (const colorScheme of ['light', 'dark']) {
    test(`the element’s page: reached from the first one, examples at work, ${colorScheme}`, async (t) => {
      const context = await gate.browser.newContext({ colorScheme, viewport: { width: 900, height: 800 } });
      t.after(() => context.close());
      const page = await context.newPage();
      const faults = [];
      page.on('pageerror', (e) => faults.push(String(e)));
      page.on('console', (m) => { if (m.type() === 'error') faults.push(m.text()); });
      await page.goto(gate.url);
      await page.getByRole('link', { name: 'How to put this' }).click();
      await page.getByRole('heading', { name: 'The element', exact: true }).waitFor();
      const examples = page.locator('.live');
      assert.equal(await examples.count(), 4);
      await examples.nth(3).getByRole('button', { name: 'اختر صورًا' }).waitFor();
      assert.deepEqual(await axe(page), []);

      const [picker] = await Promise.all([page.waitForEvent('filechooser'), examples.nth(0).getByRole('button', { name: 'Choose a photo' }).click()]);
      await picker.setFiles([await photo(gate, 'try.jpg')]);
      await examples.nth(0).locator('li[data-state=ready]').waitFor();

      const form = examples.nth(2);
      await form.getByRole('button', { name: 'Send' }).click();
      assert.equal(await page.evaluate(() => document.activeElement.tagName), 'POSTERN-UPLOAD', 'it cannot be sent without');
      const [other] = await Promise.all([page.waitForEvent('filechooser'), form.getByText('Your portrait').click()]);
      await other.setFiles([await photo(gate, 'me.jpg')]);
      await form.locator('li[data-state=ready]').waitFor();
      await form.getByRole('button', { name: 'Send' }).click();
      await page.waitForURL(/portrait=[0-9a-v]+/);
      assert.deepEqual(faults, []);

      await page.setViewportSize({ width: 360, height: 740 });
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
      if (process.env.POSTERN_PICTURES) await page.screenshot({ path: `${process.env.POSTERN_PICTURES}/docs-${colorScheme}.png` });
    });
  }
});
