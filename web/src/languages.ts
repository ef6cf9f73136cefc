// Words of the languages other than English. Fetched for a page that is in one.

import type { Words } from './words.ts';

/** Languages that are fetched when they are asked for. */
const shipped = /^(ar|de|es|fr|hi|ja|pt|zh)$/;

/** Has the words of a language among the others, if there are any. */
export async function learn(name: string, languages: Record<string, Words>): Promise<void> {
  if (languages[name] || !shipped.test(name)) return;
  try {
    // Not for bundlers to see: each is a file of its own beside this script.
    const lines = ((await import(new URL(`lang/${name}.js`, import.meta.url).href)) as { default: string }).default.split('\n');
    languages[name] = Object.fromEntries(Object.entries(languages['en'] as Words).map(([key, said], i) => [key, lines[i] ?? said])) as Words;
  } catch {
    // English is better than nothing.
  }
}
