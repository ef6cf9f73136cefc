import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

import { en } from '../.cache/en.mjs';
import { dimensions, Voice } from '../.cache/words.mjs';

const all = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'];
const folder = fileURLToPath(new URL('../dist/lang/', import.meta.url));
const tags = (await readdir(folder)).map((f) => f.replace('.js', ''));
const lines = async (tag) => (await import(`../dist/lang/${tag}.js`)).default.split('\n');
const voice = async (tag) => {
  const said = await lines(tag);
  return new Voice(tag, Object.fromEntries(Object.keys(en).map((k, i) => [k, said[i]])));
};
const english = new Voice();

test('sizes and shapes', () => {
  for (const [n, want] of [
    [0, '0 bytes'], [1, '1 byte'], [999, '999 bytes'], [1000, '1 kB'], [1500, '1.5 kB'], [27_400, '27.4 kB'],
    [25_000_000, '25 MB'], [2_190_194, '2.19 MB'], [2_000_000_000, '2 GB'],
  ]) assert.equal(english.size(n), want);
  assert.equal(dimensions({ width: 4032, height: 3024 }), '4032 × 3024');
  assert.equal(english.hint({ types: all, max_bytes: 25e6 }), 'JPEG, PNG, GIF, or WEBP, up to 25 MB');
});

test('numbers have the form that a language gives them', async () => {
  assert.equal(english.say('added', 1), '1 file added.');
  assert.equal(english.say('added', 1200), '1,200 files added.');
  const arabic = await voice('ar');
  const forms = new Set([0, 1, 2, 3, 11, 100].map((n) => arabic.say('added', n).replace(/[\d٠-٩]+/g, 'n')));
  assert.equal(forms.size, 6, 'Arabic has six');
  assert.match(arabic.say('added', 3), /[٣3]/);
  const german = await voice('de');
  assert.equal(german.say('added', 1), '1 Datei hinzugefügt.');
  assert.equal(german.say('added', 2), '2 Dateien hinzugefügt.');
  assert.equal(german.say('act', german.say('remove'), 'a.jpg'), 'a.jpg: Entfernen');
  assert.equal((await voice('ja')).say('total', 2, 5), '5件中2件完了');
});

test('every problem has a sentence', async () => {
  const german = await voice('de');
  for (const [problem, want, inGerman] of [
    [{ code: 'corrupt', detail: 'Said by the server.' }, 'Said by the server.', 'Das Bild ist beschädigt.'],
    [{ code: 'truncated', status: 422 }, 'The picture is damaged.', 'Das Bild ist beschädigt.'],
    [{ code: 'quota', detail: 'Only the server knows.' }, 'Only the server knows.', 'Only the server knows.'],
    [{ code: 'internal' }, 'Something went wrong.', 'Etwas ist schiefgegangen.'],
    [{ code: 'type_not_allowed', allowed: all }, 'Only JPEG, PNG, GIF, or WEBP are allowed.', 'Solche Dateien sind hier nicht erlaubt. Erlaubt: JPEG, PNG, GIF oder WEBP.'],
    [{ code: 'empty_file', limit: 1 }, 'The file is empty.', 'Die Datei ist leer.'],
    [{ code: 'too_large', limit: 25e6 }, 'The file is too large: 25 MB at most.', 'Die Datei ist zu groß, höchstens 25 MB.'],
    [{ code: 'bucket_refused', status: 400, bucket: 'MalformedPOSTRequest' }, 'The bucket refused it: MalformedPOSTRequest.', 'Der Speicher hat die Datei abgelehnt: MalformedPOSTRequest.'],
    [{ code: 'bucket_refused', status: 502, bucket: '' }, 'The bucket refused it: 502.', 'Der Speicher hat die Datei abgelehnt: 502.'],
  ]) {
    assert.equal(english.sentence(problem), want);
    assert.equal(german.sentence(problem), inGerman);
  }
  assert.match(english.sentence({ code: 'bucket_unreachable', status: 0 }), /CORS/);
});

test('nine languages are there', () => {
  assert.deepEqual(['en', ...tags].sort(), ['ar', 'de', 'en', 'es', 'fr', 'hi', 'ja', 'pt', 'zh']);
});

for (const tag of tags) {
  test(`${tag} says everything that English says, with the same gaps, in 0.8 kB`, async () => {
    const said = await lines(tag);
    const keys = Object.keys(en);
    assert.equal(said.length, keys.length);
    const has = new Intl.PluralRules(tag).resolvedOptions().pluralCategories.length;
    keys.forEach((key, i) => {
      assert.ok(said[i].trim(), key);
      const gaps = (s) => [...new Set(s.match(/{\d}/g) ?? [])].sort().join();
      assert.equal(gaps(said[i]), gaps(en[key]), key);
      assert.ok(said[i].split('|').length <= has, `${key} has more forms than ${tag}`);
    });
    const v = await voice(tag);
    for (const key of keys) assert.doesNotMatch(v.say(key, 5, 7), /{|undefined|NaN/, key);
    const size = gzipSync(await readFile(`${folder}${tag}.js`), { level: 9 }).length;
    assert.ok(size <= 800, `${size} bytes`);
  });
}
