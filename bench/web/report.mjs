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

/** Of an even number, the upper one. */
const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

/** Prints columns, the first flush left and the others right. */
function table(title, rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((r) => r[i].length)));
  const lines = rows.map((r) => r.map((x, i) => (i ? x.padStart(widths[i]) : x.padEnd(widths[i]))).join('  '));
  console.log(`\n${title}\n${lines.join('\n')}`);
}

// What a round of previews comes to: title, figure, digits. A picture that never
// came is as late as can be.
const first = ['first preview, s', (r) => (r.first ?? Infinity) / 1000, 2];
const block = ['longest task of the main thread, ms', (r) => r.block, 0];
const most = ['renderer at most, MB', (r) => r.memory.peak / 1e6, 0];
const figures = [
  first,
  ['previews after 10 s', (r) => r.early.drawn, 0],
  ['… of the rows on screen then, %', (r) => r.early.pictures / r.early.rows * 100, 0],
  ['previews in all', (r) => r.drawn, 0],
  block,
  ['most processor time of one, ms', (r) => r.busiest, 0],
  ['longest time between frames, ms', (r) => r.gap, 0],
  ['renderer before, MB', (r) => r.memory.before / 1e6, 0],
  ['renderer after, MB', (r) => r.memory.after / 1e6, 0],
  most,
];

const figure = (rounds, [, of]) => median(rounds.map(of));

/** Prints what was seen of previews, rounds by page; returns the promises about them. */
export function reportPreviews(count, seen) {
  table(`${count} photos of 12 MP added at once`, [
    ['', names.element, names.uppy, 'Uppy of ours'],
    ...figures.map((f) => {
      const [ours, uppys] = [figure(seen.element, f), figure(seen.uppy, f)];
      return [f[0], ours.toFixed(f[2]), uppys.toFixed(f[2]), `${(uppys / ours).toFixed(2)}×`];
    }),
  ]);
  const promise = (f, within) => {
    const got = figure(seen.element, f);
    return { what: f[0], got: got.toFixed(f[2]), bound: `at most ${within}`, holds: got <= within };
  };
  return [
    promise(first, firstWithin),
    promise(block, blockWithin),
    promise(most, memoryWithin),
  ];
}

/** Prints what was sent, rounds by way; returns the promises about that. */
export function reportThroughput(name, sent) {
  const middle = (way, of) => median(sent[way].map(of));
  // Of the bare page in the same round: the machine may have been busier in another.
  const against = (way, of) => middle(way, (r, i) => of(r) / of(sent.bare[i]));
  const rate = (r) => r.rate;
  const used = (r) => r.used;
  table(name, [
    ['', 'MiB/s', 'of bare', 'processor, s', 'of bare'],
    ...Object.keys(sent).map((way) => [names[way],
      middle(way, rate).toFixed(1), `${against(way, rate).toFixed(2)}×`, middle(way, used).toFixed(1), `${against(way, used).toFixed(2)}×`]),
  ]);
  const got = against('element', rate);
  return [{ what: `${name}: rate, of a bare XMLHttpRequest's`, got: got.toFixed(2), bound: `at least ${ofBare}`, holds: got >= ofBare }];
}

/** Prints the promises, each with its verdict; reports whether all are kept. */
export function conclude(promises) {
  table('promises', [['', '', '', ''], ...promises.map(({ what, got, bound, holds }) => [what, got, bound, holds ? 'holds' : 'MISSED'])].slice(1));
  return promises.every(({ holds }) => holds);
}
