import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { plainPdf } from '../../fixtures/pdf.ts'
import { createUser, picture, type TestUser, until } from '../helpers/client.ts'
import { placeTemplate } from '../helpers/database-template.ts'
import { type GatewayProcess, spawnGateway } from '../helpers/process.ts'

const executablePath = '/usr/bin/chromium'
const isMissing = !existsSync(executablePath)

/** What every page and file of these tests runs if it is let: it calls the canary and marks the page. */
const payload = (canary: string, name: string) =>
  `new Image().src='${canary}/${name}';try{document.title='run';top.document.title='run';alert('run')}catch{}`

/** Files that would run the payload if a browser took them for what their makers hope. */
function hostileFiles(canary: string): Record<string, string | Uint8Array> {
  const run = (name: string) => payload(canary, name)
  const html = (name: string) => `<!doctype html><html><body onload="${run(name)}"><script>${run(name)}</script></html>`
  const xhtml = 'xmlns="http://www.w3.org/1999/xhtml"'
  const js = run('pdf').replace(/[()\\]/g, '\\$&')
  const pdf = plainPdf('run').toString('latin1')
  return {
    'script.svg': `<svg xmlns="http://www.w3.org/2000/svg" onload="${run('svg')}"><script>${run('svg')}</script></svg>`,
    'script.html': html('html'),
    'script.xhtml': `<?xml version="1.0"?><html ${xhtml}><head><script>${run('xhtml')}</script></head></html>`,
    'script.xml': `<?xml version="1.0"?><a><script ${xhtml}>${run('xml')}</script></a>`,
    'script.eml': `From: a@b.example\r\nTo: c@d.example\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n${html('eml')}`,
    'polyglot.png': Buffer.concat([picture, Buffer.from(html('polyglot'))]),
    'html-named.png': html('named'),
    'script.txt': run('txt'),
    'style.txt': `body{background:url('${canary}/css')}`,
    'script.pdf': Buffer.from(
      pdf.replace('/Type /Catalog', `/Type /Catalog /OpenAction << /S /JavaScript /JS (${js}) >>`),
      'latin1',
    ),
  }
}

const names = Object.keys(hostileFiles(''))

if (isMissing) {
  it.runIf(process.env.REQUIRE_SERVICES === '1')('needs Chromium', () => {
    throw new Error(`${executablePath} is not there: install Debian's chromium`)
  })
  it.skip(`not run: ${executablePath} is not there`, () => {})
}

describe.runIf(!isMissing)('in Chromium', () => {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-browser-'))
  const hits: string[] = []
  const dialogs: string[] = []
  let gateway: GatewayProcess
  let user: TestUser
  let browser: Browser
  let context: BrowserContext
  let canary: Server
  let canaryUrl = ''
  let files: Record<string, string | Uint8Array> = {}
  const pages = new Map<string, string>()
  const urls = new Map<string, string[]>()

  beforeAll(async () => {
    canary = createServer((request, response) => {
      const page = pages.get(request.url ?? '')
      if (page === undefined) hits.push(request.url ?? '')
      response.writeHead(page === undefined ? 204 : 200, { 'content-type': 'text/html' }).end(page)
    })
    await new Promise<void>((resolve) => canary.listen(0, '127.0.0.1', resolve))
    // Another site than the gateway's, though the same machine.
    canaryUrl = `http://localhost:${(canary.address() as AddressInfo).port}`
    placeTemplate(dir)
    gateway = await spawnGateway({ STORAGE_DIR: dir })
    user = await createUser(gateway.url)
    files = hostileFiles(canaryUrl)
    for (const [name, content] of Object.entries(files)) {
      const { body } = await user.addResource({ name, bytes: Buffer.from(content as string) })
      const item = (await user.get(`/resources/${body.resource_id}`)).body
      const query = `?user_id=${user.id}&user_key=${user.key}`
      urls.set(name, [
        `${gateway.url}/resources/${body.resource_id}/content${query}`,
        `${gateway.url}/attachments/${item.attachment_id}/content${query}`,
      ])
    }
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
    context = await browser.newContext()
    context.on('dialog', (dialog) => {
      dialogs.push(dialog.message())
      void dialog.dismiss()
    })
  })
  afterAll(async () => {
    await browser?.close()
    await gateway?.stop()
    await new Promise((resolve) => canary.close(resolve))
    rmSync(dir, { recursive: true, force: true })
  })

  /** Puts a page on the canary's server and opens it. */
  async function openPage(html: string): Promise<Page> {
    const path = `/page${pages.size}`
    pages.set(path, html)
    const page = await context.newPage()
    await page.goto(canaryUrl + path)
    return page
  }

  function expectNothingRan() {
    expect(hits).toEqual([])
    expect(dialogs).toEqual([])
  }

  it('the payload does run where it may, and is noticed', async () => {
    const page = await openPage(
      `<title>page</title><link rel="icon" href="data:,"><script>${payload(canaryUrl, 'control')}</script>`,
    )
    await until(
      async () => [...hits],
      (found) => found.includes('/control'),
    )
    expect(await page.title()).toBe('run')
    expect(dialogs.splice(0)).toEqual(['run'])
    hits.splice(0)
    await page.close()
  })

  it.each(names)('%s is saved, not shown, when it is opened', async (name) => {
    for (const url of urls.get(name) ?? []) {
      const page = await context.newPage()
      const [download] = await Promise.all([page.waitForEvent('download'), page.goto(url).catch(() => {})])
      expect(readFileSync(await download.path())).toEqual(Buffer.from(files[name] as string))
      expect(download.suggestedFilename()).toBe(name)
      expect([page.url(), await page.title()]).toEqual(['about:blank', ''])
      await page.close()
    }
    expectNothingRan()
  })

  it.each(names)('%s does nothing in a page of another origin', async (name) => {
    const tags = (url: string) =>
      [
        `<iframe src="${url}"></iframe>`,
        `<iframe sandbox="allow-scripts" src="${url}"></iframe>`,
        `<img src="${url}">`,
        `<script src="${url}"></script>`,
        `<script type="module" src="${url}"></script>`,
        `<link rel="stylesheet" href="${url}">`,
        `<object data="${url}"></object>`,
        `<embed src="${url}">`,
      ].join('')
    const body = (urls.get(name) ?? []).map((url) => tags(url.replaceAll('&', '&amp;'))).join('')
    // It runs last: when it has come, the others have had their chance.
    const control = `<script>addEventListener('load',()=>setTimeout(()=>{new Image().src='${canaryUrl}/loaded'}))</script>`
    const page = await openPage(`<title>page</title><link rel="icon" href="data:,">${body}${control}`)
    await until(
      async () => [...hits],
      (found) => found.includes('/loaded'),
    )
    expect(hits.splice(0)).toEqual(['/loaded'])
    expect(dialogs).toEqual([])
    expect(await page.title()).toBe('page')
    expect(await page.evaluate('Array.from(document.images, (image) => image.naturalWidth)')).toEqual([0, 0])
    expect(await page.evaluate('getComputedStyle(document.body).backgroundImage')).toBe('none')
    for (const frame of page.frames().slice(1)) expect(await frame.evaluate('document.body.innerText')).toBe('')
    await page.close()
  })

  it.each(['script.txt', 'script.html', 'polyglot.png'])('%s is no script even to the gateway itself', async (name) => {
    const page = await context.newPage()
    await page.goto(`${gateway.url}/docs`)
    const outcome = await page.evaluate(`new Promise((resolve) => {
      const script = document.createElement('script')
      script.addEventListener('load', () => resolve('run'))
      script.addEventListener('error', () => resolve('refused'))
      script.src = ${JSON.stringify(urls.get(name)?.[0])}
      document.head.append(script)
    })`)
    expect(outcome).toBe('refused')
    expectNothingRan()
    await page.close()
  })

  it('/docs shows the API without a request to anyone else, and within its own policy', async () => {
    const page = await context.newPage()
    const asked: string[] = []
    const complaints: string[] = []
    page.on('request', (request) => asked.push(new URL(request.url()).origin))
    page.on('console', (message) => complaints.push(...(message.type() === 'error' ? [message.text()] : [])))
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.addInitScript({
      content: `addEventListener('securitypolicyviolation', (event) => console.error('policy: ' + event.violatedDirective))`,
    })
    await page.goto(`${gateway.url}/docs`)
    await page.locator('.opblock').first().click()
    await page.locator('.opblock-body').first().waitFor()
    expect(await page.locator('.opblock').count()).toBeGreaterThan(10)
    expect([...new Set(asked)].filter((origin) => origin !== 'null')).toEqual([gateway.url])
    expect(complaints).toEqual([])
    await page.close()
  })
})
