import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { BackendFile } from '../../../ports/memory-backend.ts'
import { contentPart } from './content-item.ts'

const picture = (ext: string): BackendFile => ({
  kind: 'image',
  name: `cat.${ext}`,
  ext,
  mimeType: `image/${ext}`,
  size: 1234,
  sha256: '',
  open: async () => Readable.from([]),
  presign: async () => undefined,
})

describe('a file as a content item', () => {
  it.each(['gif', 'heic', 'avif', 'webm'])(
    'is told of in text if it is a %s, which the server refuses',
    async (ext) => {
      const part = await contentPart({ type: 'file', file: picture(ext) }, undefined, new AbortController().signal)
      expect(part).toEqual({
        json: JSON.stringify({ type: 'text', text: `[IMAGE: cat.${ext}, image/${ext}, 1234 bytes]` }),
      })
    },
  )

  it('is sent itself if the server reads its type', async () => {
    const file = picture('png')
    const part = await contentPart({ type: 'file', file }, undefined, new AbortController().signal)
    expect(part).toMatchObject({ file, before: expect.stringContaining('"type":"image"') })
  })
})
