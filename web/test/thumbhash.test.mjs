import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { decode } from '../.cache/thumbhash.mjs';

// Made with the reference implementation, thumbhash 0.1.1 (MIT): gradients, wide,
// high and square, with and without transparency; the pixels it decodes to.
const reference =
[
 {
  hash: 'oAcKVZqiLXVwiIeHh3iIh0BzB/iI',
  width: 32,
  height: 23,
  first: [14, 0, 233, 255],
  middle: [111, 118, 68, 255],
  last: [196, 166, 92, 255],
  sha256: 'f2415dee0effad42af6543ffebb4d65945eb4e9ee612785d9eaadb99e8df53ad'
 },
 {
  hash: '3/cJlBqXAYd4eIeIeIhwdQj3eA==',
  width: 18,
  height: 32,
  first: [0, 0, 249, 255],
  middle: [127, 109, 103, 255],
  last: [255, 255, 43, 255],
  sha256: 'c7a65f6693deb196b511cf510b88ebf49e10e03f4b4546ff589abfe29fef2d50'
 },
 {
  hash: '4viFNQwn1pChl3l3iFClCPlngIeAiIh4iA==',
  width: 32,
  height: 32,
  first: [108, 116, 161, 19],
  middle: [137, 141, 91, 129],
  last: [236, 244, 127, 255],
  sha256: '65f497566b0d8f516e612e61e55976095280001d8a9152ff208b2538e6230d2a'
 },
 {
  hash: 'oAcKUpqiLXWAiHeHQIMH+Ic=',
  width: 32,
  height: 9,
  first: [5, 0, 220, 255],
  middle: [120, 127, 77, 255],
  last: [205, 191, 96, 255],
  sha256: 'dfd0828e29f3bc35cd0eba72ed5ecd12bf954d82163d06b1eeff89c9dfd39234'
 },
 {
  hash: '5deFQg4nF5C5eIjQpgnpWXSHcHh3d3c=',
  width: 13,
  height: 32,
  first: [122, 147, 134, 0],
  middle: [125, 138, 210, 126],
  last: [224, 231, 34, 200],
  sha256: '9b43b98e89b5d5f530f26d573353522a8fb6a72b93cb14a018ec097e5bee9a77'
 }
];

for (const want of reference) {
  test(`decodes ${want.hash} as the reference does`, () => {
    const { width, height, rgba } = decode(want.hash);
    assert.deepEqual([width, height], [want.width, want.height]);
    const at = (x, y) => [...rgba.slice((y * width + x) * 4, (y * width + x) * 4 + 4)];
    assert.deepEqual(at(0, 0), want.first);
    assert.deepEqual(at(width >> 1, height >> 1), want.middle);
    assert.deepEqual(at(width - 1, height - 1), want.last);
    assert.equal(createHash('sha256').update(rgba).digest('hex'), want.sha256);
  });
}

test('what is not a ThumbHash is not decoded', () => {
  for (const bad of ['', 'AAAA', '%%%', 'AACAAAA=']) assert.equal(decode(bad), undefined, bad);
});

test('any bytes are decoded or refused, never worse', () => {
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647);
  for (let i = 0; i < 300; i++) {
    const bytes = Buffer.from(Array.from({ length: random() % 40 }, () => random() & 255));
    const r = decode(bytes.toString('base64'));
    if (r) assert.ok(r.width >= 1 && r.width <= 32 && r.height >= 1 && r.height <= 32 && r.rgba.length === r.width * r.height * 4);
  }
});
