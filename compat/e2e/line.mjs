// The line between the browser and the bucket: a server in front of it that
// hands everything on as it is, except for what it is told to spoil.

import { once } from 'node:events';
import http from 'node:http';

export async function openLine() {
  let target;
  let seen = [];
  let faults = [];

  const server = http.createServer(async (r, w) => {
    if (r.method === 'OPTIONS') {
      forward(r, w, {});
      return;
    }
    const { searchParams } = new URL(r.url, 'http://x');
    const note = { method: r.method, part: Number(searchParams.get('partNumber')), signed: searchParams.get('X-Amz-Signature'), status: 0 };
    seen.push(note);
    // What has left without an answer is a request that the client gave up.
    w.on('close', () => { note.status ||= w.writableEnded ? w.statusCode : 'gone'; });
    const fault = faults.find((f) => f.left > 0 && f.of(note));
    if (!fault) {
      forward(r, w, note);
      return;
    }
    fault.left--;
    await fault.act(r, w, note);
  });

  const forward = (r, w, note, body = undefined) => {
    const { hostname, port } = new URL(target);
    // The host stays as the browser named it: it is signed.
    const on = http.request({ hostname, port, method: r.method, path: r.url, headers: r.headers }, (answer) => {
      note.status = answer.statusCode;
      w.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(w);
    });
    on.on('error', () => w.destroy());
    if (body) {
      on.end(body);
      return;
    }
    r.on('close', () => r.complete || on.destroy());
    r.pipe(on);
  };

  const add = (of, left, act) => {
    faults.push({ of, left, act });
  };

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    to(url) { target = url; },
    /** The requests so far: { method, part (0: no part), signed, status: of the answer, "cut" or "gone" }. */
    get seen() { return seen; },
    forget() {
      seen = [];
      faults = [];
    },

    /** Answers 503 in the bucket's place to the next requests that of is true for. */
    busy(of, times = 1) {
      add(of, times, async (r, w, note) => {
        await all(r);
        note.status = 503;
        w.writeHead(503, { 'access-control-allow-origin': '*', 'content-type': 'application/xml' });
        w.end('<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>');
      });
    },

    /** Cuts the line in the middle of them. */
    cut(of, times = 1) {
      add(of, times, async (r, w, note) => {
        note.status = 'cut';
        r.once('data', () => r.socket.destroy());
      });
    },

    /** Keeps requests from the bucket until they are let go. */
    hold(of) {
      let release;
      const leave = new Promise((go) => { release = go; });
      const held = [];
      add(of, Infinity, async (r, w, note) => {
        held.push(note);
        const body = await all(r);
        await leave;
        if (!w.destroyed) forward(r, w, note, body);
      });
      return {
        held,
        release() {
          faults = faults.filter((f) => f.of !== of);
          release();
        },
      };
    },

    /** Keeps the next request until what was signed for it has run out. */
    late(of) {
      add(of, 1, async (r, w, note) => {
        const body = await all(r);
        // Signatures know whole seconds: the next one is past it for sure.
        await new Promise((go) => { setTimeout(go, ending(r.url, body) + 1000 - Date.now()); });
        if (!w.destroyed) forward(r, w, note, body);
      });
    },

    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function all(r) {
  const pieces = [];
  try {
    for await (const piece of r) pieces.push(piece);
  } catch {
    // The client has gone; there is nobody to answer.
  }
  return Buffer.concat(pieces);
}

/** When the signature of a request runs out, in milliseconds: of its address, or of the form's policy. */
function ending(path, body) {
  const { searchParams } = new URL(path, 'http://x');
  const date = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(searchParams.get('X-Amz-Date') ?? '');
  if (date) {
    const [year, month, ...rest] = date.slice(1).map(Number);
    return Date.UTC(year, month - 1, ...rest) + Number(searchParams.get('X-Amz-Expires')) * 1000;
  }
  const [, policy] = /name="policy"\r\n\r\n([A-Za-z0-9+/=]+)\r\n/i.exec(body.toString('latin1'));
  return Date.parse(JSON.parse(Buffer.from(policy, 'base64')).expiration);
}
