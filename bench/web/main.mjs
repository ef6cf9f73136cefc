// Measures the element beside its peers, in real Chromium, in one run:
//
//	POSTERN_BIN=… node main.mjs PHOTOS [ROUNDS]
//
// PHOTOS is the folder with the 200 photos. Contenders take turns, and each
// round begins with another one. Exit 1 when one of our promises is missed.

import { mkdtemp, readdir, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openBrowser } from './browser.mjs';
import { openGate } from './gate.mjs';
import { pages, preview } from './previews.mjs';
import { conclude, reportPreviews, reportThroughput } from './report.mjs';
import { openSite } from './site.mjs';
import { loads, make, send } from './throughput.mjs';

const [photos, said = '3'] = process.argv.slice(2);
const rounds = Number(said);
if (!photos || !(rounds >= 1) || !process.env.POSTERN_BIN) {
  console.error('usage: POSTERN_BIN=BINARY node main.mjs PHOTOS [ROUNDS]');
  process.exit(2);
}

/** What is to be closed whatever happens, latest first. */
const closing = {
  all: new Set(),
  /** Takes what closes something; gives back what does it, once. */
  add(close) {
    const once = () => (this.all.delete(once) ? close() : undefined);
    this.all.add(once);
    return once;
  },
  async close() {
    for (const close of [...this.all].reverse()) await Promise.resolve(close()).catch((e) => console.error(e.message));
  },
};

for (const [signal, number] of [['SIGINT', 2], ['SIGTERM', 15], ['SIGHUP', 1]]) {
  process.on(signal, async () => {
    await closing.close();
    process.exit(128 + number);
  });
}
// When nobody reads the report, the browser must still be stopped.
process.stdout.on('error', async () => {
  await closing.close();
  process.exit(1);
});

/** Has each of a list its turn, in each round. */
async function inTurns(list, rounds, act) {
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < list.length; i++) await act(list[(i + round) % list.length], round);
  }
}

async function measurePreviews(site) {
  const files = (await readdir(photos)).filter((f) => f.endsWith('.jpg')).sort().map((f) => join(photos, f));
  const seen = Object.fromEntries(pages.map((p) => [p, []]));
  await inTurns(pages, rounds, async (page) => { seen[page].push(await preview(site, page, files, closing)); });
  return reportPreviews(files.length, seen);
}

async function measureThroughput(site) {
  const folder = await mkdtemp(join(tmpdir(), 'postern-bench-web-'));
  const remove = closing.add(() => rm(folder, { recursive: true, force: true }));
  const { bavail, bsize } = await statfs(folder);
  // The file, its parts, and the whole that is made of them.
  if (bavail * bsize < 4 * 2 ** 30) throw new Error(`${folder} needs 4 GiB of room; TMPDIR says where else`);
  const gate = await openGate(folder, site.origin);
  const stop = closing.add(() => gate.close());
  const browser = await openBrowser();
  const close = closing.add(() => browser.close());
  const promises = [];
  for (const load of loads) {
    const files = await make(folder, load);
    const sent = Object.fromEntries(load.ways.map((w) => [w, []]));
    await inTurns(load.ways, rounds + 1, async (way, round) => {
      const one = await send(browser, site, gate, way, load, files);
      if (round > 0) sent[way].push(one); // the first warms up
    });
    await Promise.all(files.map((f) => rm(f)));
    promises.push(...reportThroughput(load.name, sent));
  }
  await close();
  await stop();
  await remove();
  return promises;
}

let kept = false;
try {
  const site = await openSite();
  closing.add(async () => site.close());
  console.log(`${rounds} rounds; medians`);
  kept = conclude([...await measurePreviews(site), ...await measureThroughput(site)]);
} finally {
  await closing.close();
}
process.exitCode = kept ? 0 : 1;
