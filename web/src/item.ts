// One file on its way: its states, and which may follow which.
//
//	queued → preparing → uploading → checking → ready | rejected | failed
//	             ⇅           ⇅           ⇅
//	             └──────── waiting ──────┘         failed → queued (retry)
//
// Until it is checked it may be paused, which goes on as queued; and from
// everywhere it may be canceled. What turns out to have arrived already goes
// from preparing to checking.

import type { Grant, Problem, Upload } from './wire.ts';

export type State =
  | 'queued' | 'preparing' | 'uploading' | 'waiting' | 'checking'
  | 'paused' | 'ready' | 'rejected' | 'failed' | 'canceled';

/** As sentences: what may become what. Nothing becomes what it is. */
export const grammar: RegExp =
  /^((queued|waiting) (preparing|paused)|(preparing|uploading|waiting) (uploading|checking|paused)|(preparing|uploading|checking) (waiting|rejected|failed)|checking ready|(paused|failed) queued|.+ canceled)$/;

/** Whether nothing more happens to a file by itself. */
export const settled = (s: State): boolean => /ready|rejected|failed|canceled/.test(s);

/** What is known of a file whose bytes may not be at hand. */
export type FileFacts = Pick<File, 'name' | 'size' | 'type' | 'lastModified'>;

/** One file on its way. To be read; the queue writes it. */
export interface Item {
  /** As it was added; from an earlier visit perhaps without its bytes. */
  readonly file: File | FileFacts;
  /** What is sent: the file, or what was made of it. */
  readonly bytes: File | undefined;
  readonly state: State;
  /** Share of the file that has been sent, 0 to 1. */
  readonly sent: number;
  /** The upload's id, once it is granted. */
  readonly id: string | undefined;
  /** What the server made of it, when ready. */
  readonly upload: Upload | undefined;
  /** Why not, when rejected or failed. */
  readonly problem: Problem | undefined;
}

/** What outlives a page: enough to go on with a file in another one. */
export interface Trace {
  id: string | undefined;
  grant: Grant | undefined;
  /** When the grant runs out, by the server's clock. */
  until: string | undefined;
  /** What the server's clock is ahead of ours, in ms. */
  skew: number;
  /** Some parts were sent by this grant. */
  begun?: boolean;
  /** All was sent, so it may lie in the bucket: ask before sending it again. */
  doubt?: boolean;
  /** What is sent: the file, or what was made of it. */
  bytes: File | undefined;
  /** Names the trace in this browser, when this page holds it. */
  place: string | undefined;
}

/** An item as the queue knows it. */
export interface Job extends Trace {
  file: File | FileFacts;
  state: State;
  sent: number;
  upload: Upload | undefined;
  problem: Problem | undefined;
  stop: AbortController;
  /** Settles once it is known what an earlier page left of the file. */
  claim: Promise<unknown> | undefined;
}

/** A queue's event: something about an item changed. */
export class ItemEvent extends Event {
  readonly item: Item;
  constructor(type: 'state' | 'progress', item: Item) {
    super(type);
    this.item = item;
  }
}
