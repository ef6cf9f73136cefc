// The server that the tutorial on direct uploads teaches: one hapi route, which
// draws a name, writes the policy and derives the signing key for each request.
import { createHmac, randomBytes } from 'node:crypto'
import { extname } from 'node:path'
import Hapi from '@hapi/hapi'

const { POSTERN_BENCH_ACCESS_KEY: accessKey, POSTERN_BENCH_SECRET_KEY: secretKey } = process.env
const bucket = 'photos'
const region = 'eu-central-1'
const life = 5 * 60 * 1000

const hmac = (key, text) => createHmac('sha256', key).update(text).digest()

function credentials(filename) {
  const date = new Date().toISOString().slice(0, 10).replaceAll('-', '')
  const credential = `${accessKey}/${date}/${region}/s3/aws4_request`
  const fields = {
    key: filename,
    acl: 'public-read',
    success_action_status: '201',
    'content-type': 'image/jpg',
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': credential,
    'x-amz-date': `${date}T000000Z`,
  }
  const policy = Buffer.from(JSON.stringify({
    expiration: new Date(Date.now() + life).toISOString(),
    conditions: [
      { bucket },
      ...Object.entries(fields).map(([name, value]) => ({ [name]: value })),
      ['content-length-range', 0, 100 * 2 ** 30],
    ],
  })).toString('base64')
  const key = hmac(hmac(hmac(hmac(`AWS4${secretKey}`, date), region), 's3'), 'aws4_request')
  return {
    endpoint_url: `https://${bucket}.s3.amazonaws.com`,
    params: { ...fields, policy, 'x-amz-signature': hmac(key, policy).toString('hex') },
  }
}

const server = Hapi.server({ host: '127.0.0.1', port: 0 })
server.route({
  method: 'GET',
  path: '/s3_credentials',
  handler(request, h) {
    const { filename } = request.query
    if (!filename) return h.response({ error: 'filename is missing' }).code(400)
    return credentials(randomBytes(8).toString('hex') + extname(filename))
  },
})
await server.start()
console.log(server.info.uri)
process.stdin.resume().on('end', () => process.exit()) // the parent has gone
