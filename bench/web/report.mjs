// The tables, and what we promise.

import { readFile } from 'node:fs/promises';

const version = async (name) => JSON.parse(await readFile(new URL(`node_modules/@uppy/${name}/package.json`, import.meta.url), 'utf8')).version;

const names = {
  element: '<postern-upload>',
  uppy: `Uppy Dashboard ${await version('dashboard')}`,
  bare: 'bare XMLHttpRequest',
  unhashed: 'the same without hashes',
};

// What we promise.
const firstWithin = 1; // s
const blockWithin = 100; // ms
const memoryWithin = 220; // MB, of a million bytes
const ofBare = 0.9;

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

/** Prints columns, the first flush left and the others right. */
function table(title, rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((r) => r[i].length)));
  const lines = rows.map((r) => r.map((x, i) => (i ? x.padStart(widths[i]) : x.padEnd(widths[i]))).join('  '));
  console.log(`\n${title}\n${lines.join('\n')}`);
}

// What a round of previews comes to: title, figure, digits. A picture that never
// came is as late as can be.
const figures = [
  ['first, s', (r) => (r.first ?? Infinity) / 1000, 2],
  ['in 10 s', (r) => r.early.drawn, 0],
  ['on screen then', (r) => r.early.pictures / r.early.rows * 100, 0],
  ['in all', (r) => r.drawn, 0],
  ['longest task, ms', (r) => r.block, 0],
  ['frame, ms', (r) => r.gap, 0],
  ['MB before', (r) => r.memory.before / 1e6, 0],
  ['after', (r) => r.memory.after / 1e6, 0],
  ['at most', (r) => r.memory.peak / 1e6, 0],
];
const [first, , , , block, , , , most] = figures;

const figure = (rounds, [, of]) => median(rounds.map(of));

/** Prints what was seen of previews, rounds by page; returns the promises about them. */
export function reportPreviews(count, seen) {
  const line = (page) => [names[page], ...figures.map((f) => figure(seen[page], f).toFixed(f[2]))];
  const against = figures.map((f) => `${(figure(seen.uppy, f) / figure(seen.element, f)).toFixed(2)}×`);
  table(`${count} photos of 12 MP added at once: previews, and the renderer's memory`, [
    ['', ...figures.map(([title]) => title)],
    line('element'), line('uppy'), ['… of ours', ...against],
  ]);
  const promise = (f, what, within) => {
    const got = figure(seen.element, f);
    return { what, got: got.toFixed(f[2]), bound: `at most ${within}`, holds: got <= within };
  };
  return [
    promise(first, 'first preview, s', firstWithin),
    promise(block, 'longest task of the main thread, ms', blockWithin),
    promise(most, 'most memory of the renderer, MB', memoryWithin),
  ];
}

/** Prints MiB per second, rounds by way; returns the promise about them. */
export function reportThroughput(name, rates) {
  const ofRounds = (way) => median(rates[way].map((rate, i) => rate / rates.bare[i]));
  table(name, [
    ['', 'MiB/s', 'of bare'],
    ...Object.keys(rates).map((way) => [names[way], median(rates[way]).toFixed(1), `${ofRounds(way).toFixed(2)}×`]),
  ]);
  const got = ofRounds('element');
  return [{ what: `${name}, rate, of a bare XMLHttpRequest's`, got: got.toFixed(2), bound: `at least ${ofBare}`, holds: got >= ofBare }];
}

/** Prints the promises, each with its verdict; reports whether all are kept. */
export function conclude(promises) {
  table('promises', [['', '', '', ''], ...promises.map(({ what, got, bound, holds }) => [what, got, bound, holds ? 'holds' : 'MISSED'])].slice(1));
  return promises.every(({ holds }) => holds);
}
