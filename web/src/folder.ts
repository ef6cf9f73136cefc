// Files that were dropped, and those in folders. Fetched with the first drop.

const read = (r: FileSystemDirectoryReader): Promise<FileSystemEntry[]> => new Promise((done, fail) => r.readEntries(done, fail));

/** Every file, and all below each folder in the order of their names; what cannot be read is left out. */
export async function files(entries: readonly (FileSystemEntry | File | null)[]): Promise<File[]> {
  const found: File[] = [];
  for (const e of entries) {
    try {
      if (e instanceof File) found.push(e);
      else if (e?.isFile) found.push(await new Promise<File>((done, fail) => (e as FileSystemFileEntry).file(done, fail)));
      else if (e?.isDirectory) {
        const reader = (e as FileSystemDirectoryEntry).createReader();
        const inside: FileSystemEntry[] = [];
        // It gives a hundred at a time, and none when there are no more.
        for (let some = await read(reader); some.length; some = await read(reader)) inside.push(...some);
        found.push(...(await files(inside.sort((a, b) => (a.name < b.name ? -1 : 1)))));
      }
    } catch {
      // Gone or forbidden; the others are still there.
    }
  }
  // The hidden files of systems are nobody's photos.
  return found.filter((f) => !f.name.startsWith('.'));
}
