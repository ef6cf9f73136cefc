// The few things that the element and the gallery both do to a document.

/** Makes an element with these properties. What has a class is a part of the same name, which pages may style. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const e = Object.assign(document.createElement(tag), props);
  if (e.className) e.setAttribute('part', e.className);
  e.append(...children);
  return e;
}

export const button = (className: string, onclick: (e: Event) => void, ...children: (Node | string)[]): HTMLButtonElement =>
  h('button', { type: 'button', className, onclick }, ...children);

/** A line drawing on a field of 24 by 24, hidden from screen readers: the words beside it say it all. */
export function icon(path: string): SVGElement {
  const [svg, line] = ['svg', 'path'].map((name) => document.createElementNS('http://www.w3.org/2000/svg', name)) as [SVGElement, SVGElement];
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', 'icon');
  line.setAttribute('d', path);
  svg.append(line);
  return svg;
}

export const cross = 'M6 6l12 12M18 6L6 18';

/** A variant's address: the server's may be relative to where the API is. */
export const resolve = (url: string, endpoint: string): string => new URL(url, endpoint + '/').href;
