// A small picture of a file before anything has been sent. Decoded pixels are
// what costs (12 MP are 48 MB), so one file at a time is opened, and the engine
// scales while it decodes. createImageBitmap turns by EXIF in all engines.

let line: Promise<unknown> = Promise.resolve();

/** Draws the file into the canvas; leaves it empty when the engine cannot. */
export function preview(file: Blob, canvas: HTMLCanvasElement): void {
  line = line.then(async () => {
    if (!canvas.isConnected) return; // removed while it waited
    const picture = await createImageBitmap(file, { resizeWidth: 128, resizeQuality: 'medium' });
    canvas.width = picture.width;
    canvas.height = picture.height;
    canvas.getContext('2d')?.drawImage(picture, 0, 0);
    picture.close();
    canvas.dataset['drawn'] = '';
  }).catch(() => undefined);
}
