// The least that a page can do to send files: the element's requests in the
// element's order, as many at once, with nothing drawn and nothing that could go
// wrong. The query says: endpoint, preset, hash (0: files go without).

const filesAtOnce = 4;
const partsAtOnce = 3;
const signedAtOnce = 16;
const hashUpTo = 16 * 2 ** 20; // bytes

const query = new URLSearchParams(location.search);
const [endpoint, preset] = [query.get('endpoint'), query.get('preset')];
const hashes = query.get('hash') !== '0';

async function call(path, body) {
  const answer = await fetch(endpoint + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

function put(method, url, body) {
  return new Promise((done, fail) => {
    const x = new XMLHttpRequest();
    x.upload.onprogress = () => {}; // somebody wants to see it, which has a preflight
    x.onloadend = () => (x.status >= 200 && x.status < 300 ? done() : fail(new Error(`${method}: ${x.status} ${x.responseText}`)));
    x.open(method, url);
    x.send(body);
  });
}

/** Does the same for each of a list, so many at once. */
async function each(list, atOnce, act) {
  const left = [...list];
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let x = left.shift(); x !== undefined; x = left.shift()) await act(x);
  }));
}

async function hash(file) {
  if (!hashes || file.size > hashUpTo) return undefined;
  return btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()))));
}

async function parts(file, id, { ticket, part_size: size, part_count: count, parts: signed }) {
  const urls = new Map(signed.map(({ number, url }) => [number, url]));
  const numbers = Array.from({ length: count }, (_, i) => i + 1);
  let signing;
  const sign = async (number) => {
    while (!urls.has(number)) {
      const wanted = numbers.filter((n) => n >= number && !urls.has(n)).slice(0, signedAtOnce);
      signing ??= call(`/uploads/${id}/parts`, { ticket, numbers: wanted }).then((more) => {
        for (const { number: n, url } of more.parts) urls.set(n, url);
        signing = undefined;
      });
      await signing;
    }
    return urls.get(number);
  };
  await each(numbers, partsAtOnce, async (n) => put('PUT', await sign(n), file.slice((n - 1) * size, n * size)));
}

async function send(file) {
  const { name: filename, type, size } = file;
  const { id, grant } = await call('/uploads', { preset, filename, type, size, sha256: await hash(file) });
  if (grant.method === 'MULTIPART') {
    await parts(file, id, grant);
  } else {
    const form = new FormData();
    for (const [name, value] of Object.entries(grant.fields)) form.append(name, value);
    form.append(grant.file_field, file);
    await put('POST', grant.url, form);
  }
  watch.sent(filename, id);
  await call(`/uploads/${id}/complete`, grant.ticket ? { ticket: grant.ticket } : {});
}

const input = document.querySelector('input');
input.addEventListener('change', () => {
  each(input.files, filesAtOnce, send).catch((e) => watch.failed('bare', e.message));
});
watch.begin({ input, rows: () => [], name: () => '', picture: () => null });
