/** One part of a multipart/form-data body; with a file name it is a file. */
export interface Part {
  readonly name: string
  readonly fileName?: string
  readonly type?: string
  readonly body: string | Uint8Array
  /** The part's whole header, instead of the usual one. */
  readonly header?: string
}

export const boundary = '----gateway-test-boundary'
export const multipartType = `multipart/form-data; boundary=${boundary}`

/** The exact bytes of a multipart/form-data body, with parts in the given order and nothing checked. */
export function multipartBody(parts: readonly Part[], mark = boundary): Buffer {
  const pieces = parts.flatMap(({ name, fileName, type, body, header }) => {
    const disposition = `Content-Disposition: form-data; name="${name}"${fileName === undefined ? '' : `; filename="${fileName}"`}`
    const head = header ?? (type ? `${disposition}\r\nContent-Type: ${type}` : disposition)
    return [Buffer.from(`--${mark}\r\n${head}\r\n\r\n`), Buffer.from(body), Buffer.from('\r\n')]
  })
  return Buffer.concat([...pieces, Buffer.from(`--${mark}--\r\n`)])
}

export function fieldParts(fields: Readonly<Record<string, string>>): Part[] {
  return Object.entries(fields).map(([name, body]) => ({ name, body }))
}
