// Uppy Companion as a library, with nothing around it that it does not need:
// no sessions, no request log. Companion itself asks for a folder and a host.
import { createServer } from 'node:http'
import { app } from '@uppy/companion'

const { POSTERN_BENCH_ACCESS_KEY: key, POSTERN_BENCH_SECRET_KEY: secret, POSTERN_BENCH_DIR: dir } = process.env

// Companion writes to the log of the console while it starts; the address must
// be the line's end, which no line of its own is.
const companion = app({
  s3: { key, secret, bucket: 'photos', region: 'eu-central-1' },
  server: { host: '127.0.0.1', protocol: 'http' },
  secret: 'a secret for benchmarks alone',
  filePath: dir,
  uploadUrls: ['http://127.0.0.1/'],
  corsOrigins: true,
})
const server = createServer(companion.app)
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
process.stdin.resume().on('end', () => process.exit()) // the parent has gone
