import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, until } from '../helpers/client.ts'
import { assertAvailable, type Deployment, deployments, swiftDeployment } from '../helpers/deployments.ts'
import { type GatewayProcess, spawnGateway } from '../helpers/process.ts'

const run = promisify(execFile)
const blocks = [...readFileSync('docs/curl-examples.md', 'utf8').matchAll(/```bash\n(.*?)```/gs)].map(
  (match) => match[1] ?? '',
)

describe.each([...deployments, swiftDeployment])('the curl examples on $name', (deployment: Deployment) => {
  if (deployment.missing) {
    it.runIf(process.env.REQUIRE_SERVICES === '1')('needs its services', () => assertAvailable(deployment))
    it.skip(`not run: ${deployment.missing}`, () => {})
    return
  }
  const dir = mkdtempSync(join(tmpdir(), 'gateway-'))
  let gateway: GatewayProcess
  let drop = async () => {}
  let key = ''

  async function curl(step: number) {
    const command = (blocks[step - 1] ?? '')
      .replaceAll('http://127.0.0.1:8010', gateway.url)
      .replaceAll('<USER_KEY>', key)
    const { stdout } = await run('bash', ['-c', command])
    return JSON.parse(stdout)
  }

  beforeAll(async () => {
    const prepared = await deployment.prepare(dir)
    drop = prepared.drop
    gateway = await spawnGateway(prepared.settings)
  })

  afterAll(async () => {
    await gateway?.stop()
    await drop()
    rmSync(dir, { recursive: true, force: true })
  })

  it('has a block for each step', () => {
    expect(blocks).toHaveLength(9)
  })

  it('1: health', async () => {
    expect(await curl(1)).toMatchObject({
      status: 'ok',
      api: { status: 'ok' },
      backend: { status: 'ok', base_url: expect.any(String), data: { status: 'ok' } },
    })
  })

  it('2: create a user', async () => {
    const user = await curl(2)
    expect(user).toEqual({
      user_id: 'gateway_demo_user',
      user_key: expect.stringMatching(/^uk_/),
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    })
    key = user.user_key
  })

  it('3: add a message with files', async () => {
    expect(await curl(3)).toMatchObject({
      session_id: 'chat:gateway_demo_conversation',
      backend: {
        request_id: expect.any(String),
        data: { message_count: 1, status: expect.stringMatching(/accumulated|extracted/) },
      },
      attachments: [{ upload_id: 'image_1' }, { upload_id: 'audio_1' }],
    })
  })

  it('4: flush the session', async () => {
    expect(await curl(4)).toMatchObject({
      session_id: 'chat:gateway_demo_conversation',
      backend: { request_id: expect.any(String), data: { status: 'extracted' } },
    })
  })

  it('5: search this chat', async () => {
    const { results } = await until(
      () => curl(5),
      (answer) => answer.results.length > 0,
    )
    expect(results[0]).toMatchObject({
      session_id: 'chat:gateway_demo_conversation',
      source_scope: 'current_chat',
      text: expect.any(String),
      attachments: expect.arrayContaining([
        expect.objectContaining({
          type: 'image',
          name: 'simple-multimodal-image.png',
          internal_uri: expect.stringMatching(/^(file|s3):\/\//),
        }),
        expect.objectContaining({
          type: 'audio',
          name: 'simple-tone.wav',
          internal_uri: expect.stringMatching(/^(file|s3):\/\//),
        }),
      ]),
    })
  })

  it('6 and 7: upload a resource, list it', async () => {
    const added = await curl(6)
    expect(added).toEqual({
      resource_id: expect.stringMatching(/^r_[0-9a-f]{32}$/),
      session_id: `resource:gateway_demo_user:${added.resource_id}`,
      uri: `resource://gateway_demo_user/${added.resource_id}`,
      status: 'extracted',
    })
    const { resources } = await curl(7)
    expect(resources).toEqual([
      expect.objectContaining({
        resource_id: added.resource_id,
        filename: 'simple-multimodal-image.png',
        content_type: 'image',
        mime_type: 'image/png',
        uri: added.uri,
        session_id: added.session_id,
        status: 'extracted',
      }),
    ])
  })

  it('8: search the resources', async () => {
    const { results } = await until(
      () => curl(8),
      (answer) => answer.results.length > 0,
    )
    expect(results[0]).toMatchObject({
      source_scope: 'resources',
      resource_id: expect.stringMatching(/^r_/),
      resource_uri: expect.stringMatching(/^resource:\/\/gateway_demo_user\/r_/),
      text: expect.any(String),
      attachments: [expect.objectContaining({ type: 'image', name: 'simple-multimodal-image.png' })],
    })
  })

  it('9: delete everything', async () => {
    const { erasure_id: id, status } = await curl(9)
    expect(status).toBe('processing')
    const receipt = await until(
      async () => (await call(`${gateway.url}/erasures/${id}`)).body,
      (body) => body.status !== 'processing',
    )
    // EverOS cannot delete: what it keeps is named to its operator.
    const isDone = {
      kind: 'user',
      status: deployment.name.includes('EverOS') ? 'pending_operator' : 'done',
      sessions: 2,
      objects: 3,
    }
    expect(receipt).toMatchObject(isDone)
    expect((await curl(7)).error.code).toBe('unauthenticated')
  })
})
