// 200 photos of twelve megapixels added at once, and none of them sent: the
// element beside Uppy Dashboard, each time in a browser of its own.

import { follow, openBrowser, visit } from './browser.mjs';

export const pages = ['element', 'uppy'];

/** A page with all photos, until no more of them are drawn. */
export async function preview(site, page, files, closing) {
  const browser = await openBrowser();
  const close = closing.add(() => browser.close());
  try {
    const visitor = await visit(browser, site.page(page, { endpoint: site.held, pictures: '' }));
    const renderer = await follow(browser);
    await visitor.add(files);
    const seen = await visitor.ask('pictures');
    return { ...seen, ...(await renderer.end()) };
  } finally {
    await close();
  }
}
