// The few things that the element and the gallery both do to a document.

type Props = Record<string, string | boolean | EventListener | undefined>;

/**
 * Makes an element. A property that starts with "on" is a listener; true sets
 * an attribute to nothing; false and undefined leave it out.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'function') e.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) e.setAttribute(name, value === true ? '' : value);
  }
  e.append(...children);
  return e;
}

/** A line drawing on a field of 24 by 24, hidden from screen readers: the words beside it say it all. */
export function icon(path: string): SVGElement {
  const svg = (name: string, attributes: Record<string, string>): SVGElement => {
    const e = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    return e;
  };
  const e = svg('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true', class: 'icon' });
  e.append(svg('path', { d: path }));
  return e;
}

export const cross = 'M6 6l12 12M18 6L6 18';

/** A variant's address: the server's may be relative to where the API is. */
export const resolve = (url: string, endpoint: string): string => new URL(url, new URL(endpoint + '/', document.baseURI)).href;
