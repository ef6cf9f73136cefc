// Hears what becomes of uploads: verifies each event, keeps what it has heard,
// and prints it. Nothing but Node is needed. The same in Go is main.go.
//
//   WEBHOOK_SECRET=whsec_… node examples/webhooks/receiver.mjs 127.0.0.1:3000

import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const secret = Buffer.from((process.env.WEBHOOK_SECRET ?? '').replace(/^whsec_/, ''), 'base64');
const [host, port] = (process.argv[2] ?? '').split(':');
if (!secret.length || !port) {
  console.error('usage: WEBHOOK_SECRET=whsec_… node receiver.mjs ADDRESS');
  process.exit(2);
}

/** As standardwebhooks.com has it: a signature over id, timestamp and body, of these five minutes. */
function verified(headers, body) {
  const { 'webhook-id': id, 'webhook-timestamp': stamp = '', 'webhook-signature': signatures = '' } = headers;
  if (!id || !/^\d+$/.test(stamp) || Math.abs(Date.now() / 1000 - stamp) > 300) return false;
  const sum = createHmac('sha256', secret).update(`${id}.${stamp}.`).update(body).digest();
  return signatures.split(' ').some((s) => {
    const theirs = Buffer.from(s.slice(3), 'base64');
    return s.startsWith('v1,') && theirs.length === sum.length && timingSafeEqual(theirs, sum);
  });
}

const heard = new Set(); // a database would keep it: an event may come twice
const server = createServer(async (r, w) => {
  const parts = [];
  let size = 0;
  for await (const some of r) if ((size += some.length) <= 65536) parts.push(some);
  const body = Buffer.concat(parts);
  let event;
  try {
    event = size <= 65536 && verified(r.headers, body) && JSON.parse(body);
  } catch { /* not JSON */ }
  if (!event) {
    w.writeHead(400).end('forged');
    return;
  }
  const id = r.headers['webhook-id'];
  if (!heard.has(id)) {
    heard.add(id);
    console.log(event.type, event.data.id, event.data.principal);
  }
  w.writeHead(204).end();
});
server.listen(Number(port), host, () => console.log(`listening on ${host}:${server.address().port}`));
