// The built gate with its embedded bucket, and noise to send to it.

import { spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes of a MiB. */
export const MiB = 2 ** 20;

/** Starts the gate in a folder; pages of the origin may ask it. */
export async function openGate(folder, origin) {
  const config = join(folder, 'postern.yaml');
  await writeFile(config, JSON.stringify({ // JSON is YAML
    // Files of 64 MiB and more go in parts of 16 MiB: the defaults.
    presets: [{ name: 'noise', max_bytes: 2 * 1024 * MiB, transfer: 'auto', multipart_from: 64 * MiB, part_size: 16 * MiB }],
    origin: [origin],
    listen: '127.0.0.1:0', bucket_listen: '127.0.0.1:0', admin_listen: '127.0.0.1:0',
    data: join(folder, 'data'),
    log_level: 'error',
  }));
  const gate = spawn(process.env.POSTERN_BIN, ['serve', '--config', config], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const url = await new Promise((done, fail) => {
    gate.stderr.on('data', (d) => { said += d; });
    gate.stdout.on('data', (d) => {
      said += d;
      const address = /ready: (http:\/\/\S+)[^]*Ctrl-C/.exec(said)?.[1];
      if (address) done(address);
    });
    gate.on('error', fail);
    gate.on('exit', (code) => fail(new Error(`postern ended with ${code}:\n${said}`)));
  });
  return {
    url,
    preset: 'noise',
    /** Waits until uploads have been checked, and takes them away. */
    async discard(ids) {
      for (const id of ids) {
        for (const end = Date.now() + 120_000; ;) {
          const answer = await fetch(`${url}/uploads/${id}`);
          if (!answer.ok) throw new Error(`upload ${id}: ${answer.status} ${await answer.text()}`);
          const { state } = await answer.json();
          if (state !== 'granted' && state !== 'stored') break;
          if (Date.now() > end) throw new Error(`upload ${id} is still ${state}`);
          await new Promise((go) => { setTimeout(go, 50); });
        }
        const answer = await fetch(`${url}/uploads/${id}`, { method: 'DELETE' });
        if (!answer.ok) throw new Error(`delete upload ${id}: ${answer.status} ${await answer.text()}`);
      }
    },
    async close() {
      gate.removeAllListeners('exit');
      if (gate.exitCode !== null || gate.signalCode !== null) return;
      gate.kill('SIGTERM');
      await once(gate, 'exit');
    },
  };
}

/** Files of random bytes with a photo's name: by that they are allowed. */
export async function noise(folder, name, count, size) {
  const paths = [];
  const chunk = Buffer.alloc(Math.min(size, 8 * MiB));
  for (let n = 1; n <= count; n++) {
    const path = join(folder, `${name}-${n}.jpg`);
    const file = await open(path, 'w');
    for (let at = 0; at < size; at += chunk.length) await file.writeFile(randomFillSync(chunk));
    await file.close();
    paths.push(path);
  }
  return paths;
}
