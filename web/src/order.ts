// Rows that can be put in order: a button in each moves it up by one, the arrow
// keys on it move it either way, and it can be dragged. Fetched by elements that
// are sortable.

import { button } from './dom.ts';

/** Makes the rows of a list sortable, also those to come; calls moved after each move. */
export function sortable(list: HTMLElement, label: (name: string) => string, moved: (row: HTMLElement) => void): void {
  let dragged: HTMLElement | undefined;

  const move = (row: HTMLElement, before: Element | null): void => {
    if (before === row || row.nextElementSibling === before) return;
    const held = row.contains((row.getRootNode() as ShadowRoot).activeElement);
    list.insertBefore(row, before);
    if (held) row.querySelector<HTMLElement>('.up')?.focus(); // what is moved in the tree loses it
    moved(row);
  };
  const up = (row: HTMLElement): void => {
    const above = row.previousElementSibling;
    if (above) move(row, above);
  };
  const down = (row: HTMLElement): void => {
    const below = row.nextElementSibling;
    if (below) move(row, below.nextElementSibling);
  };

  const equip = (row: HTMLElement): void => {
    if (row.querySelector('.up')) return;
    const raise = button('up', () => up(row));
    raise.ariaLabel = raise.title = label(row.querySelector('.name')?.textContent ?? '');
    raise.onkeydown = (e) => {
      const way = { ArrowUp: up, ArrowDown: down }[e.key];
      if (!way) return;
      e.preventDefault();
      way(row);
    };
    row.querySelector('.away')?.before(raise);
    row.draggable = true;
    row.ondragstart = (e) => {
      dragged = row;
      e.dataTransfer?.setData('text/plain', '');
    };
    row.ondragend = () => (dragged = undefined);
    row.ondragover = (e) => {
      if (!dragged) return;
      e.preventDefault();
      const { top, height } = row.getBoundingClientRect();
      move(dragged, e.clientY < top + height / 2 ? row : row.nextElementSibling);
    };
    row.ondrop = (e) => {
      if (dragged) e.preventDefault();
    };
  };
  for (const row of list.children) equip(row as HTMLElement);
  new MutationObserver((seen) => {
    for (const { addedNodes } of seen) for (const row of addedNodes) equip(row as HTMLElement);
  }).observe(list, { childList: true });
}
