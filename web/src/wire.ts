// The JSON of the wire contract, docs/protocol.md.

import type { ProblemCode } from './codes.ts';

/** The signed permission for one upload, which says how its bytes travel. */
export type Grant = FormGrant | PutGrant | PartsGrant;

/** One form to the bucket. */
export interface FormGrant {
  method: 'POST';
  url: string;
  /** In the order in which they are to be sent, before the file. */
  fields: Record<string, string>;
  file_field: string;
}

/** The bytes alone, as the body. */
export interface PutGrant {
  method: 'PUT';
  url: string;
  /** To be sent exactly so. */
  headers?: Record<string, string>;
}

/** Parts, each by a PUT of its own; the server joins them. */
export interface PartsGrant {
  method: 'MULTIPART';
  /** Names the upload to the server; to be handed back. */
  ticket: string;
  /** Bytes of each part but the last. */
  part_size: number;
  part_count: number;
  /** When the URLs run out. */
  expires_at: string;
  /** The first few; the server signs more. */
  parts: SignedPart[];
}

export interface SignedPart {
  /** From 1. */
  number: number;
  url: string;
  /** Bytes. */
  size: number;
}

/** What may go wrong before a server is asked, or between the servers. */
export type LocalCode =
  | 'server_unreachable'
  | 'server_fault'
  | 'bucket_unreachable'
  | 'bucket_refused'
  | 'unreadable'
  | 'expired'
  | 'unexpected';

/** A problem document (RFC 9457), or what went wrong on this side in the same form. */
export interface Problem {
  code: ProblemCode | LocalCode;
  title?: string;
  /** HTTP status; 0 when there was no answer. */
  status?: number;
  /** A sentence for people, from the server. What happened on this side has none: words.ts makes one. */
  detail?: string;
  /** The bucket's own error code, if it gave one. */
  bucket?: string;
  type?: string;
  /** The request's id, for the server's logs. */
  instance?: string;
  field?: string;
  limit?: number;
  allowed?: string[];
  /** Seconds. */
  retry_after?: number;
}

export interface Variant {
  name: string;
  type: string;
  width: number;
  height: number;
  /** Bytes. */
  size: number;
  /** Relative to the endpoint's origin, or absolute. */
  url: string;
}

/** One upload as the server sees it. */
export interface Upload {
  id: string;
  state: 'granted' | 'stored' | 'ready' | 'rejected' | 'failed' | 'expired';
  created_at: string;
  expires_at?: string;
  preset?: string;
  filename?: string;
  type?: string;
  /** Bytes. */
  size?: number;
  sha256?: string;
  /** Pixels, upright. */
  width?: number;
  height?: number;
  /** ThumbHash, base64. */
  placeholder?: string;
  /** Dominant, "#rrggbb". */
  color?: string;
  variants?: Variant[];
  metadata?: Record<string, string>;
  problem?: Problem;
  grant?: Grant;
}

/** What a preset allows. */
export interface Limits {
  preset: string;
  types: string[];
  min_bytes: number;
  max_bytes: number;
  max_pixels: number;
  max_side: number;
  max_frames: number;
  variants: { name: string; box: number }[];
  /** What this person may upload, and what is left of it; missing without a quota. */
  quota?: Partial<Record<'grants_per_minute' | 'bytes_outstanding' | 'uploads_per_day' | 'bytes_per_day', { limit: number; left: number }>>;
}
