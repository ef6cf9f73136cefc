// Files sent through the element beside a bare XMLHttpRequest that does the
// same, in turns, in one browser, to one gate with its embedded bucket.

import { processor, visit } from './browser.mjs';
import { MiB, noise } from './gate.mjs';

export const ways = {
  element: { page: 'element' },
  bare: { page: 'bare' },
  unhashed: { page: 'bare', query: { hash: 0 } },
};

export const loads = [
  { name: '100 × 1 MiB', file: 'small', count: 100, size: MiB, ways: ['element', 'bare', 'unhashed'] },
  // Nobody hashes a file of this size.
  { name: '1 × 1 GiB', file: 'large', count: 1, size: 1024 * MiB, ways: ['element', 'bare'] },
];

export const make = (folder, { file, count, size }) => noise(folder, file, count, size);

/**
 * Sends the files of a load. Gives MiB per second, from the moment files are in
 * the input to the bucket's last answer, and the processor time of the browser.
 */
export async function send(browser, site, gate, way, { count, size }, files) {
  const { page, query } = ways[way];
  const visitor = await visit(browser, site.page(page, { endpoint: gate.url, preset: gate.preset, ...query }));
  try {
    const before = await processor(browser);
    await visitor.add(files);
    const { ms, ids } = await visitor.ask('arrived', count);
    const used = await processor(browser) - before;
    await gate.discard(ids);
    return { rate: count * size / MiB / (ms / 1000), used };
  } finally {
    await visitor.close();
  }
}
