// Everything that is said to people, in the language of the page. English is
// built in; the other languages of lang/ are fetched when a page asks for one.

import { en } from './lang/en.ts';
import type { Limits, Problem } from './wire.ts';

/** What can be said. docs/element.md lists what each one is for. */
export type Key =
  | 'photos' | 'pick' | 'picks' | 'drop' | 'over' | 'camera' | 'hint'
  | 'queued' | 'preparing' | 'uploading' | 'waiting' | 'paused' | 'checking' | 'ready'
  | 'act' | 'pause' | 'resume' | 'again' | 'cancel' | 'remove' | 'up'
  | 'added' | 'removed' | 'total' | 'done' | 'not' | 'busy' | 'failed'
  | 'type_not_allowed' | 'empty_file' | 'too_small' | 'too_large' | 'server_unreachable' | 'bucket_unreachable' | 'bucket_refused'
  | 'unreadable' | 'expired' | 'too_many_pixels' | 'corrupt' | 'unsupported_image' | 'unexpected';

/**
 * A language. {0} and {1} stand for what is put in; "|" stands between the
 * plural forms for the number {0}, in CLDR's order: zero, one, two, few, many,
 * other, as many as the language has; the last one counts for those left out.
 */
export type Words = Record<Key, string>;

/** Words at hand, by language: "de" is for de-AT as well. A page may add its own, or replace some. */
export const languages: Record<string, Words> = { en };

/** Problems that are said in the words of others. */
const alike: Record<string, Key> = { grant_expired: 'expired', side_too_long: 'too_many_pixels', truncated: 'corrupt' };

const categories: Intl.LDMLPluralRule[] = ['zero', 'one', 'two', 'few', 'many', 'other'];

/** Says things in one language. */
export class Voice {
  readonly #tag: string;
  readonly #words: Words;
  readonly #rules: Intl.PluralRules;
  /** The categories that the language has, in CLDR's order. */
  readonly #has: Intl.LDMLPluralRule[];
  /** Making a format takes longer than using it. */
  readonly #formats: Record<string, Intl.NumberFormat> = {};

  /** The tag is of BCP 47, for numbers and plurals. */
  constructor(tag = 'en', words: Words = en) {
    this.#tag = tag;
    this.#words = words;
    this.#rules = new Intl.PluralRules(tag);
    const has = this.#rules.resolvedOptions().pluralCategories;
    this.#has = categories.filter((c) => has.includes(c));
  }

  say(key: Key, ...given: (string | number)[]): string {
    const forms = this.#words[key].split('|');
    return (forms[this.#has.indexOf(this.#rules.select(+(given[0] as number)))] ?? (forms.at(-1) as string)).replace(/{(\d)}/g, (_, i: number) => {
      const g = given[i] ?? '';
      return typeof g === 'number' ? this.number(g) : g;
    });
  }

  number(n: number, how: Intl.NumberFormatOptions = {}): string {
    return (this.#formats[JSON.stringify(how)] ??= new Intl.NumberFormat(this.#tag, how)).format(n);
  }

  /** A number of bytes in decimal units: "25 MB", "1.5 kB", "1 byte". */
  size(n: number): string {
    const i = n < 1e3 ? 0 : n < 1e6 ? 1 : n < 1e9 ? 2 : 3;
    const unit = ['', 'kilo', 'mega', 'giga'][i] + 'byte';
    return this.number(n / 1e3 ** i, { style: 'unit', unit, unitDisplay: i ? 'short' : 'long', maximumSignificantDigits: 3 });
  }

  /** "JPEG, PNG or WebP". */
  kinds(types: string[]): string {
    return new Intl.ListFormat(this.#tag, { type: 'disjunction' }).format(types.map((t) => t.slice(6).toUpperCase()));
  }

  /** What may be chosen: "JPEG, PNG, GIF or WEBP, up to 25 MB". */
  hint(l: Limits): string {
    return this.say('hint', this.kinds(l.types), this.size(l.max_bytes));
  }

  /** The sentence of a problem: the server's own if that is in this language, else ours. */
  sentence(p: Problem): string {
    const { code, detail, allowed, limit, bucket, status } = p;
    const key = alike[code] ?? (code as Key);
    const ours = this.#words[key];
    if (detail && (!ours || this.#tag.startsWith('en'))) return detail;
    return this.say(ours ? key : 'unexpected', allowed ? this.kinds(allowed) : limit ? this.size(limit) : bucket || `${status}`);
  }
}

/** "4032 × 3024". */
export const dimensions = (p: { width?: number; height?: number }): string => `${p.width} × ${p.height}`;
