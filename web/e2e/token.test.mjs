// The element on somebody else's site, let in by an upload token that the site's
// backend asked for; and what a person reads when a quota is used up.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { dirname } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { give, open, photo, row, site, skip } from './gate.mjs';

describe('with an upload token', { skip }, () => {
  const pages = {};
  let gate;
  let somebody;
  let key;
  before(async () => {
    somebody = await site(pages);
    gate = await open({
      args: ['--origin', somebody.url, '--auth', 'keys'],
      presets: [{ name: 'photos' }, { name: 'few', quota: { uploads_per_day: 1 } }],
    });
    key = execFileSync(process.env.POSTERN_BIN, ['key', 'add', 'shop', '--data', dirname(gate.folder)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    somebody.with(gate);
  });
  after(async () => {
    await gate?.close();
    somebody?.close();
  });

  /** What the backend does: it alone has the key. */
  async function token(want) {
    const answer = await fetch(`${gate.url}/tokens`, {
      method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body: JSON.stringify(want),
    });
    assert.equal(answer.status, 201);
    return answer.json();
  }

  async function go(t, want) {
    const { url } = await token(want);
    pages['/'] = `<postern-upload endpoint="${new URL(url, gate.url)}" preset="${want.preset}" multiple></postern-upload>`;
    const context = await gate.browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    await page.goto(somebody.url);
    await page.getByText(/up to \d+ MB/).waitFor();
    return page;
  }
  const ready = (page, name) => row(page, name).and(page.locator('[data-state=ready]'));

  test('as many as it is good for, and then a sentence', async (t) => {
    const page = await go(t, { preset: 'photos', uploads: 2, principal: 'alice' });
    await give(page, await photo(gate, 'one.jpg'));
    await ready(page, 'one.jpg').waitFor();
    await give(page, await photo(gate, 'two.jpg'));
    await ready(page, 'two.jpg').waitFor();
    await give(page, await photo(gate, 'three.jpg'));
    await row(page, 'three.jpg').getByText('was good for 2 uploads').waitFor();
    // The site's backend finds what its user uploaded.
    const list = await (await fetch(`${gate.url}/uploads`, { headers: { authorization: `Bearer ${key}`, 'postern-principal': 'alice' } })).json();
    assert.deepEqual(list.uploads.map((u) => [u.filename, u.state]), [['two.jpg', 'ready'], ['one.jpg', 'ready']]);
  });

  test('a quota that is used up is said, with what it allows', async (t) => {
    const page = await go(t, { preset: 'few', uploads: 5, principal: 'bob' });
    await give(page, await photo(gate, 'first.jpg'));
    await ready(page, 'first.jpg').waitFor();
    await give(page, await photo(gate, 'second.jpg'));
    await row(page, 'second.jpg').getByText('You may upload 1 file a day').waitFor();
    const { quota } = await (await fetch(`${gate.url}/limits?preset=few`, { headers: { authorization: `Bearer ${key}`, 'postern-principal': 'bob' } })).json();
    assert.deepEqual(quota, { uploads_per_day: { limit: 1, left: 0 } });
  });
});
