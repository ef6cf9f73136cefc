// What can be said about a file before a byte is sent. The server decides; this
// only spares a person the wait.

import type { Limits, Problem } from './wire.ts';

/** Why a preset does not allow a file, as far as its size and type tell. */
export function refuse(file: { size: number; type: string }, l: Limits): Problem | undefined {
  const { size } = file;
  // What some browsers say for image/jpeg; the server knows them as well.
  const type = /^image\/p?jpe?g$/.test(file.type) ? 'image/jpeg' : file.type;
  const { types: allowed, min_bytes, max_bytes } = l;
  if (!allowed.includes(type)) return { code: 'type_not_allowed', allowed };
  if (size > max_bytes) return { code: 'too_large', limit: max_bytes };
  return size && size >= min_bytes ? undefined : { code: size ? 'too_small' : 'empty_file', limit: min_bytes };
}
