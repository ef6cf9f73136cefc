// Everything that is said to people, in one place, in English.

import type { Limits, Problem } from './wire.ts';

const locale = 'en';

const unit = (name: string, digits: number, display: 'short' | 'long'): Intl.NumberFormat =>
  new Intl.NumberFormat(locale, { style: 'unit', unit: name, unitDisplay: display, maximumFractionDigits: digits });

/**
 * Says a number of bytes in decimal units: "25 MB", "1.5 kB", "1 byte". Like
 * the server it never rounds to a whole unit what is not one, so that a file
 * just over a limit of 25 MB is not told that it has 25 MB.
 */
export function bytes(n: number): string {
  const units: [number, string][] = [[1e9, 'gigabyte'], [1e6, 'megabyte'], [1e3, 'kilobyte']];
  for (const [size, name] of units) {
    if (n < size) continue;
    for (let digits = 1; digits <= 3; digits++) {
      const rounded = +(n / size).toFixed(digits);
      if (rounded % 1 || n % size === 0) return unit(name, digits, 'short').format(rounded);
    }
    break;
  }
  return unit('byte', 0, 'long').format(n);
}

/** Says a size where a rough figure will do: "2.2 MB". */
export const roughly = (n: number): string =>
  n < 1e3 ? bytes(n) : n < 1e6 ? unit('kilobyte', 0, 'short').format(n / 1e3) : unit('megabyte', 1, 'short').format(n / 1e6);

/** Pixels: "4032 × 3024". */
export const dimensions = (p: { width?: number; height?: number }): string => {
  const f = new Intl.NumberFormat(locale, { useGrouping: false });
  return `${f.format(p.width ?? 0)} × ${f.format(p.height ?? 0)}`;
};

export const number = (n: number): string => new Intl.NumberFormat(locale).format(n);
export const percent = (share: number): string => new Intl.NumberFormat(locale, { style: 'percent' }).format(share);

const plural = new Intl.PluralRules(locale);
/** "1 photo", "8 photos". */
export const count = (n: number, one: string, other: string): string =>
  `${number(n)} ${plural.select(n) === 'one' ? one : other}`;

/** "JPEG, PNG or WebP". */
export function kinds(types: string[]): string {
  const names = types.map((t) => (t === 'image/webp' ? 'WebP' : t.replace(/^image\//, '').toUpperCase()));
  // The server's sentences have no comma before "or" either.
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

/** What may be chosen: "JPEG, PNG, GIF or WebP, up to 25 MB each". */
export const hint = (l: Limits, several: boolean): string =>
  `${kinds(l.types)}, up to ${bytes(l.max_bytes)}${several ? ' each' : ''}`;

// The bucket's own error codes (S3's error table), as a person needs them.
const buckets: Record<string, string> = {
  EntityTooLarge: 'it is larger than was allowed.',
  EntityTooSmall: 'it is smaller than was announced.',
  AccessDenied: 'the permission to upload it does not fit, or ran out. Try again.',
  ExpiredToken: 'the server’s credential ran out. Try again.',
  BadDigest: 'it changed on its way. Try again.',
  XAmzContentChecksumMismatch: 'it changed on its way. Try again.',
  RequestTimeTooSkewed: 'the server’s clock is wrong.',
  SignatureDoesNotMatch: 'the server signs with a key that does not fit.',
  InvalidAccessKeyId: 'it does not know the server’s key.',
  NoSuchBucket: 'the bucket is not there. Whoever runs this server must set it up.',
  NoSuchUpload: 'it gave this upload up. Try again.',
  RequestTimeout: 'the connection was too slow. Try again.',
  SlowDown: 'it is too busy. Try again in a moment.',
};

/**
 * The sentence of a problem: the server's own; or, for what was found out here,
 * the same as the server would say; or what happened between here and there.
 */
export function sentence(p: Problem, file?: { name?: string; type: string; size: number }): string {
  if (p.detail) return p.detail;
  const { code, status, bucket = '', limit = 0 } = p;
  switch (code) {
    case 'type_not_allowed': {
      // A browser that does not know a type says none; the name tells then.
      const what = file?.type ? `of type ${file.type}` : /\.\w{1,8}$/.exec(file?.name ?? '')?.[0].toLowerCase().replace(/^/, 'called ');
      return `${what ? `Files ${what} are not allowed here.` : 'The file’s type is not known.'} Allowed: ${kinds(p.allowed ?? [])}.`;
    }
    case 'empty_file':
      return 'The file is empty (0 bytes).';
    case 'too_small':
      return `The file has ${bytes(file?.size ?? 0)}; at least ${bytes(limit)} are needed.`;
    case 'too_large':
      return `The file has ${bytes(file?.size ?? 0)}; up to ${bytes(limit)} are allowed.`;
    case 'server_unreachable':
      return 'The server could not be reached. Check your connection and try again.';
    case 'bucket_unreachable':
      return 'The bucket could not be reached. Check your connection and try again; if it stays, the bucket’s CORS rule does not allow this page.';
    case 'bucket_refused':
      return `The bucket refused the file: ${buckets[bucket] ?? ((status ?? 0) < 500 ? `${bucket || status}.` : 'it has a fault of its own. Try again in a moment.')}`;
    case 'unreadable':
      return 'The file can no longer be read. It may have been moved or changed; choose it again.';
    case 'expired':
      return 'The permission to upload ran out before the file arrived. Try again.';
  }
  return `${p.title || `Something went wrong${status ? ` (${status})` : ''}`}. Try again in a moment.`;
}

/** What the element says. */
export const ui = {
  label: (several: boolean): string => (several ? 'Photo uploads' : 'Photo upload'),
  pick: (several: boolean): string => (several ? 'Choose photos' : 'Choose a photo'),
  or: 'or drop or paste them here',
  anywhere: 'or drop or paste them anywhere on this page',
  drop: 'Drop to upload',
  files: 'Files on their way',
  progress: (name: string): string => `Upload of ${name}`,
  cancel: (name: string): string => `Cancel ${name}`,
  remove: (name: string): string => `Remove ${name}`,
  retry: (name: string): string => `Try ${name} again`,
  again: 'Try again',
  queued: 'Waiting for its turn',
  preparing: 'Preparing',
  uploading: (share: number): string => `Uploading ${percent(share)}`,
  waiting: 'The connection is troubled, trying again shortly',
  checking: 'Checking',
  ready: 'Ready',
  added: (n: number): string => `${count(n, 'file', 'files')} added.`,
  canceled: (name: string): string => `${name} canceled.`,
  removed: (name: string): string => `${name} removed.`,
  went: (name: string, why: string): string => `${name}: ${why}`,
  total: (done: number, all: number): string => `${number(done)} of ${count(all, 'file', 'files')} done.`,
  end: (ready: number, not: number): string =>
    [ready && `${count(ready, 'photo', 'photos')} ready`, not && `${count(not, 'file', 'files')} not uploaded`]
      .filter(Boolean)
      .join(', ') + '.',
};
