// What an application does with the package, each entry and each event. It is
// compiled against the package as it is published: npm_test.go.

import { PosternUpload, type AcceptEvent, type DoneEvent, type FaultEvent, type Item, type Key, type ProgressEvent, type Words } from 'postern-upload';
import { Fault, ItemEvent, Queue, refuse, settled, type Clock, type Grant, type Limits, type Problem, type State, type Traces, type Transport, type Upload, type Variant } from 'postern-upload/core';
import { PosternUpload as Bare } from 'postern-upload/element';
import de from 'postern-upload/lang/de';
import zh from 'postern-upload/lang/zh';
import { put, PutError, type FormGrant, type PutGrant, type PutOptions } from 'postern-upload/put';

/** Fails to compile unless the two are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never;
const sure = <_ extends true>(): void => undefined;

// The element: by its tag's name, by its class, under a name of one's own.
const upload: PosternUpload = document.createElement('postern-upload');
const found: PosternUpload | null = document.querySelector('postern-upload');
customElements.define('my-upload', class extends Bare {});
sure<Same<typeof Bare, typeof PosternUpload>>();

const pick: Key = 'pick';
const nl: Words = { ...(PosternUpload.languages['en'] as Words), [pick]: 'Kies een foto' };
Object.assign(PosternUpload.languages, { nl, de, zh });
sure<Same<typeof de, Words>>();

upload.metadata = { album: '42' };
upload.add([new File([], 'a.jpg')]);
upload.pause();
upload.resume();
upload.pick();
for (const item of upload.items) upload.dismiss(item);
const ids: string[] = found?.value ?? [];
const form: HTMLFormElement | null = upload.form;
const valid: boolean = upload.checkValidity() && upload.reportValidity() && upload.validity.valid && !upload.validationMessage;
const told: [string, boolean, string | null] = [upload.endpoint, upload.multiple, upload.name];
// @ts-expect-error its value is what is ready, not to be set
upload.value = [];

// Every event, on the element and from further up, typed by its name.
upload.addEventListener('postern-accept', (e) => {
  sure<Same<typeof e, AcceptEvent>>();
  if (e.detail.file.size > 1e6) e.preventDefault();
});
document.body.addEventListener('postern-progress', (e) => {
  sure<Same<typeof e, ProgressEvent>>();
  const { item, state, sent }: { item: Item; state: State; sent: number } = e.detail;
  console.log(item.file.name, state, sent);
});
upload.addEventListener('postern-done', (e) => {
  sure<Same<typeof e, DoneEvent>>();
  const made: Upload = e.detail.upload;
  console.log(made.variants?.map((v: Variant) => `${v.url} ${v.width}w`).join());
});
upload.addEventListener('postern-error', ({ detail }) => {
  sure<Same<typeof detail, FaultEvent['detail']>>();
  const problem: Problem = detail;
  if (problem.code === 'too_large' || problem.code === 'bucket_unreachable') console.log(detail.item.id, problem.detail);
  // @ts-expect-error there is no such code
  if (problem.code === 'too_lange') return;
});
// @ts-expect-error a progress has no file
upload.addEventListener('postern-progress', (e) => e.detail.file);

// The queue, with a clock and a network of one's own.
const clock: Clock = { now: () => 0, random: () => 0, sleep: async () => undefined };
const transport: Transport = { call: async () => ({}), put, follow: (_url, _changed: (u: Upload) => void) => () => undefined };
const traces: Traces = { claim: async () => ({}), save: () => undefined, drop: () => undefined };
const queue = new Queue({ endpoint: 'https://gate.example', preset: 'photos', clock, transport, traces: async () => traces });
queue.addEventListener('state', (e) => {
  if (!(e instanceof ItemEvent)) return;
  const { item } = e;
  if (settled(item.state)) console.log(item.problem?.code);
  else queue.pause(item);
});
const item: Item = queue.add(new File([], 'b.jpg'));
queue.retry(item);
queue.remove(item);
void queue.limits().then((l: Limits | undefined) => l && refuse(new File([], 'c.jpg'), l));
console.log(new Fault({ code: 'unreadable' }) instanceof PutError);

// One file.
const options: PutOptions = { signal: AbortSignal.timeout(1000), onprogress: (share: number) => console.log(share) };
const put1: PutGrant = { method: 'PUT', url: 'https://bucket.example/x' };
const post: FormGrant = { method: 'POST', url: 'https://bucket.example/', fields: {}, file_field: 'file' };
const grants: Grant[] = [put1, post];
void put(put1, new Blob(), options).catch((e: unknown) => e instanceof PutError && e.status);

export { form, grants, ids, post, told, valid };
