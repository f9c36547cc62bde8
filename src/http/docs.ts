import { createReadStream, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { pipeToReader } from './downloads.ts'
import { createRouter } from './router.ts'

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Memory Gateway API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`

const START = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true, displayRequestDuration: true, validatorUrl: null })
`

const CSP = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"

/** The API's description, for machines and for people; all of it from this process. */
export function docsRoutes(describe: () => object) {
  const router = createRouter()
  let json: string | undefined
  const assets = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
  const files = new Map([
    ['swagger-ui.css', 'text/css; charset=utf-8'],
    ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
  ])

  router.get('/openapi.json', (c) => {
    // Not at the start: it takes as long as all else that an application is made of.
    json ??= JSON.stringify(describe())
    return c.body(json, 200, { 'Content-Type': 'application/json' })
  })
  router.get('/docs', (c) => c.html(PAGE, 200, { 'Content-Security-Policy': CSP }))
  router.get('/docs/start.js', (c) => c.body(START, 200, { 'Content-Type': 'text/javascript; charset=utf-8' }))
  router.get('/docs/:file', async (c) => {
    const type = files.get(c.req.param('file'))
    if (!type) return c.notFound()
    const path = join(assets, c.req.param('file'))
    c.env.outgoing.writeHead(200, { 'Content-Type': type, 'Content-Length': statSync(path).size })
    await pipeToReader(createReadStream(path), c.env.outgoing).catch(() => {
      c.get('log').debug('download of the documentation broken off')
    })
    return RESPONSE_ALREADY_SENT
  })
  return router
}
