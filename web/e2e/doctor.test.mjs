// When the bucket does not let the page in, a browser tells the page nothing.
// The page then leads to what the doctor finds.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';

import { axe, choose, open, photo, row, skip, visit } from './gate.mjs';

describe('the doctor', { skip }, () => {
  let bucket;
  let gate;
  before(async () => {
    const key = { id: 'AKIDEXAMPLE', secret: 'not-a-secret-outside-this-test' };
    bucket = spawn(process.env.POSTERN_BIN, ['bucket', '--temp', '--listen', '127.0.0.1:0', '--bucket', 'photos', '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, AWS_ACCESS_KEY_ID: key.id, AWS_SECRET_ACCESS_KEY: key.secret },
    });
    const [line] = await once(bucket.stdout, 'data');
    const { endpoint } = JSON.parse(line);
    // No CORS rule: the bucket was told of no page.
    Object.assign(process.env, { POSTERN_ACCESS_KEY: key.id, POSTERN_SECRET_KEY: key.secret });
    gate = await open({ args: ['--bucket', 'photos', '--endpoint', endpoint, '--provider', 'embedded'] });
  });
  after(async () => {
    await gate?.close();
    if (bucket?.exitCode === null) {
      bucket.kill('SIGTERM');
      await once(bucket, 'exit');
    }
  });

  test('a bucket without a CORS rule for the page: the page links to the cause', async (t) => {
    const { page } = await visit(t, gate);
    const link = page.getByRole('link', { name: 'See what the doctor finds' });
    assert.equal(await link.isVisible(), false, 'before anything went wrong');
    await choose(page, [await photo(gate, 'cat.jpg')]);
    await row(page, 'cat.jpg').getByText('CORS rule forbids this page').waitFor();
    await link.waitFor();

    const [found] = await Promise.all([page.context().waitForEvent('page'), link.click()]);
    const first = found.locator('li.fault').first();
    await first.waitFor();
    assert.match(await first.getAttribute('id'), /^cors\./);
    assert.match(await first.innerText(), /CORS/);
    assert.match(await found.locator('.verdict').innerText(), /fault/);
    assert.deepEqual(await axe(found), [], 'what the doctor found');
  });
});
