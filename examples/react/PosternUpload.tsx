// <postern-upload> as a component of React 19; README.md says what to change for 18.

import { createElement, useImperativeHandle, useLayoutEffect, useRef, type ReactNode, type Ref } from 'react';
import type { AcceptEvent, DoneEvent, FaultEvent, PosternUpload as Element, ProgressEvent } from 'postern-upload';
import 'postern-upload';

/** Attributes are as in docs/element.md: multiple, required and disabled may change, the others are read when it is mounted. */
export interface Props {
  endpoint: string;
  preset?: string; name?: string; keep?: string; id?: string; class?: string; lang?: string; maxSide?: number;
  multiple?: boolean; required?: boolean; disabled?: boolean; sortable?: boolean; camera?: boolean; directory?: boolean; wholePage?: boolean;
  metadata?: Record<string, string>;
  onAccept?(e: AcceptEvent): void;
  onProgress?(e: ProgressEvent): void;
  onDone?(e: DoneEvent): void;
  onError?(e: FaultEvent): void;
  /** The ids of the uploads that are ready, in the order of the list, each time they are others. */
  onChange?(ids: string[]): void;
  ref?: Ref<Element>;
  children?: ReactNode;
}

export function PosternUpload({ metadata, onAccept, onProgress, onDone, onError, onChange, ref, children, ...attributes }: Props): ReactNode {
  const own = useRef<Element>(null);
  useImperativeHandle(ref, () => own.current as Element, []);
  useLayoutEffect(() => void (own.current!.metadata = metadata), [metadata]);
  return createElement('postern-upload', {
    // React would set properties of these names, which are for reading.
    // In upper case there are none, and an attribute's name has no case.
    ...Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name.replace(/[A-Z]/g, '-$&').toUpperCase(), value])),
    ref: own,
    'onpostern-accept': onAccept,
    'onpostern-progress': onProgress,
    'onpostern-done': onDone,
    'onpostern-error': onError,
    onchange: () => onChange?.((own.current as Element).value),
  }, children);
}
