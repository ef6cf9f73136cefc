// ThumbHash: some 25 bytes that hold a blurred picture. The format is Evan
// Wallace's, https://evanw.github.io/thumbhash/; this reads it.

/** A small picture: RGBA, four bytes for each pixel, row by row. */
export interface Raster {
  width: number;
  height: number;
  rgba: Uint8ClampedArray<ArrayBuffer>;
}

/** Reads a ThumbHash from base64; undefined when it is not one. */
export function decode(base64: string): Raster | undefined {
  let hash: Uint8Array;
  try {
    hash = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  } catch {
    return undefined;
  }
  const at = (i: number): number => hash[i] ?? 0;
  // Header: constant terms of luminance L and colour P, Q; scales; sizes.
  const low = at(0) | (at(1) << 8) | (at(2) << 16);
  const high = at(3) | (at(4) << 8);
  const hasAlpha = low >> 23 === 1;
  const landscape = high >> 15 === 1;
  const longest = hasAlpha ? 5 : 7;
  const lx = Math.max(3, landscape ? longest : high & 7);
  const ly = Math.max(3, landscape ? high & 7 : longest);
  const aspect = (landscape ? longest : high & 7) / (landscape ? high & 7 : longest);
  const alphaTerm = hasAlpha ? (at(5) & 15) / 15 : 1;
  if (hash.length < (hasAlpha ? 6 : 5) || !Number.isFinite(aspect) || !aspect) return undefined;

  // The other terms, four bits each, in triangles of the frequencies.
  let nibble = (hasAlpha ? 6 : 5) * 2;
  const triangle = (nx: number, ny: number, scale: number): number[] => {
    const terms: number[] = [];
    for (let cy = 0; cy < ny; cy++) {
      for (let cx = cy ? 0 : 1; cx * ny < nx * (ny - cy); cx++) {
        terms.push((((at(nibble >> 1) >> ((nibble & 1) * 4)) & 15) / 7.5 - 1) * scale);
        nibble++;
      }
    }
    return terms;
  };
  const lTerms = triangle(lx, ly, ((low >> 18) & 31) / 31);
  // Colour is made a quarter stronger: quantising has made it weaker.
  const pTerms = triangle(3, 3, (((high >> 3) & 63) / 63) * 1.25);
  const qTerms = triangle(3, 3, (((high >> 9) & 63) / 63) * 1.25);
  const aTerms = hasAlpha ? triangle(5, 5, (at(5) >> 4) / 15) : [];

  const width = Math.round(aspect > 1 ? 32 : 32 * aspect);
  const height = Math.round(aspect > 1 ? 32 / aspect : 32);
  const rgba = new Uint8ClampedArray(width * height * 4);
  const cosines = (n: number, place: number, size: number): number[] =>
    Array.from({ length: n }, (_, c) => Math.cos((Math.PI / size) * (place + 0.5) * c));
  const n = Math.max(lx, hasAlpha ? 5 : 3);
  const m = Math.max(ly, hasAlpha ? 5 : 3);
  for (let y = 0, i = 0; y < height; y++) {
    const fy = cosines(m, y, height);
    for (let x = 0; x < width; x++, i += 4) {
      const fx = cosines(n, x, width);
      const sum = (start: number, terms: number[], nx: number, ny: number): number => {
        let v = start;
        for (let cy = 0, j = 0; cy < ny; cy++) {
          for (let cx = cy ? 0 : 1; cx * ny < nx * (ny - cy); cx++, j++) {
            v += (terms[j] as number) * (fx[cx] as number) * (fy[cy] as number) * 2;
          }
        }
        return v;
      };
      const l = sum((low & 63) / 63, lTerms, lx, ly);
      const p = sum(((low >> 6) & 63) / 31.5 - 1, pTerms, 3, 3);
      const q = sum(((low >> 12) & 63) / 31.5 - 1, qTerms, 3, 3);
      const b = l - (2 / 3) * p;
      const r = (3 * l - b + q) / 2;
      const g = r - q;
      // Cut, not rounded, as the reference does.
      const byte = (v: number): number => Math.max(0, 255 * Math.min(1, v)) | 0;
      rgba.set([byte(r), byte(g), byte(b), byte(hasAlpha ? sum(alphaTerm, aTerms, 5, 5) : alphaTerm)], i);
    }
  }
  return { width, height, rgba };
}

/** Draws a ThumbHash into a canvas, which its style scales up; reports whether it was one. */
export function paint(canvas: HTMLCanvasElement, base64: string): boolean {
  const raster = decode(base64);
  if (!raster) return false;
  canvas.width = raster.width;
  canvas.height = raster.height;
  canvas.getContext('2d')?.putImageData(new ImageData(raster.rgba, raster.width, raster.height), 0, 0);
  return true;
}
