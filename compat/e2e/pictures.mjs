// Files to send.

import { randomFillSync } from 'node:crypto';
import { crc32, deflateSync } from 'node:zlib';

const chunk = (type, content) => {
  const named = Buffer.concat([Buffer.from(type), content]);
  const out = Buffer.alloc(named.length + 8);
  out.writeUInt32BE(content.length);
  named.copy(out, 4);
  out.writeUInt32BE(crc32(named), named.length + 4);
  return out;
};

/** A PNG of noise, which nothing makes small: about 3 bytes a pixel. */
export function noise(name, width, height) {
  const row = 1 + 3 * width; // the filter, 0, and the pixels
  const pixels = Buffer.alloc(row * height);
  for (let y = 0; y < height; y++) randomFillSync(pixels, y * row + 1, row - 1);
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8); // 8 bits of red, green and blue
  const buffer = Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', head), chunk('IDAT', deflateSync(pixels, { level: 0 })), chunk('IEND', Buffer.alloc(0)),
  ]);
  return { name, mimeType: 'image/png', buffer };
}

/** A JPEG of 640 × 480, painted by the browser. */
export async function photo(gate, name) {
  const context = await gate.browser.newContext();
  try {
    const page = await context.newPage();
    const text = await page.evaluate(async () => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 480 });
      const c = canvas.getContext('2d');
      const sky = c.createLinearGradient(0, 0, 640, 480);
      sky.addColorStop(0, 'steelblue');
      sky.addColorStop(1, `hsl(${Math.random() * 360} 60% 35%)`);
      c.fillStyle = sky;
      c.fillRect(0, 0, 640, 480);
      return canvas.toDataURL('image/jpeg', 0.9).split(',')[1];
    });
    return { name, mimeType: 'image/jpeg', buffer: Buffer.from(text, 'base64') };
  } finally {
    await context.close();
  }
}
