import { beforeAll, describe, expect, it } from 'vitest'
import { createUser, picture, type TestUser, tone } from '../helpers/client.ts'
import { sharedGateway } from '../helpers/gateway.ts'

describe('chat memory with files', () => {
  let user: TestUser
  const session = 'chat:tour'

  beforeAll(async () => {
    user = await createUser((await sharedGateway()).url)
  })

  it('adds, flushes and finds a message with its picture and sound', async () => {
    const added = await user.addMessage(session, '请记住：图片里有左上红色方块、右上蓝色圆形。', [
      { field: 'image_1', kind: 'image', name: 'simple-multimodal-image.png', bytes: picture, type: 'image/png' },
      { field: 'audio_1', kind: 'audio', name: 'simple-tone.wav', bytes: tone, type: 'audio/wav' },
    ])
    expect(added.body).toMatchObject({
      session_id: session,
      backend: { data: { message_count: 1, status: 'accumulated' } },
      message_ids: [expect.stringMatching(/^msg_/)],
      attachments: [
        {
          upload_id: 'image_1',
          type: 'image',
          name: 'simple-multimodal-image.png',
          mime_type: 'image/png',
          size: picture.length,
        },
        { upload_id: 'audio_1', type: 'audio', name: 'simple-tone.wav', mime_type: 'audio/wav', size: tone.length },
      ],
    })
    expect(added.status).toBe(200)
    expect(added.body.backend.request_id).toMatch(/^[0-9a-f]{32}$/)

    const flushed = await user.post('/memories/flush', { session_id: session })
    expect(flushed.status).toBe(200)
    expect(flushed.body).toMatchObject({ session_id: session, backend: { data: { status: 'extracted' } } })

    const found = await user.post('/memories/search', {
      conversation_id: 'tour',
      query: '图片里的蓝色圆形在哪里?底部是什么颜色的横条?',
      scope: ['current_chat'],
    })
    expect(found.status).toBe(200)
    expect(found.body.results[0]).toMatchObject({
      session_id: session,
      source_scope: 'current_chat',
      sources: [{ message_id: added.body.message_ids[0], sender_id: user.id }],
    })
    expect(found.body.results[0].attachments.map(({ name }: { name: string }) => name).toSorted()).toEqual([
      'simple-multimodal-image.png',
      'simple-tone.wav',
    ])
  })

  it('gives the original back byte for byte', async () => {
    const { body } = await user.get(`/sessions/${encodeURIComponent(session)}/messages`)
    const image = body.messages[0].content.find((item: { type: string }) => item.type === 'image')
    const response = await fetch(user.base + image.url, { headers: { authorization: `Bearer ${user.key}` } })
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(picture)
    expect(response.headers.get('content-disposition')).toContain('attachment')
  })
})
