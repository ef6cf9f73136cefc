// The element, as a page would have it. The query says: endpoint, preset.

const query = new URLSearchParams(location.search);
const element = document.createElement('postern-upload');
element.setAttribute('multiple', '');
for (const name of ['endpoint', 'preset']) if (query.has(name)) element.setAttribute(name, query.get(name));
document.body.append(element);
await customElements.whenDefined('postern-upload');

const root = element.shadowRoot;
watch.begin({
  input: root.querySelector('input[type=file]'),
  rows: () => root.querySelectorAll('li'),
  name: (row) => row.querySelector('.name').textContent,
  picture: (row) => row.querySelector('canvas[data-drawn], img'),
});

// A file has been sent when it leaves "uploading" for the check.
element.addEventListener('postern-progress', ({ detail: { item, state } }) => {
  if (state === 'checking') watch.sent(item.file.name, item.id);
});
element.addEventListener('postern-error', ({ detail }) => watch.failed(detail.item.file.name, detail.detail));
