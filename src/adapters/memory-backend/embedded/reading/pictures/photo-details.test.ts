import sharp, { type Exif } from 'sharp'
import { describe, expect, it } from 'vitest'
import { describePhoto, photoDetails } from './photo-details.ts'

async function exifOf(exif: Exif): Promise<Buffer> {
  const picture = sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
  const { exif: written } = await sharp(await picture.jpeg().withExif(exif).toBuffer()).metadata()
  return written ?? Buffer.alloc(0)
}

describe('photoDetails', () => {
  it('reads when, with what and by whom, and where only if it is wanted', async () => {
    const exif = await exifOf({
      IFD0: { Make: 'Examplecam', Model: 'Examplecam 5', Artist: 'Ada', ImageDescription: '  Three\n signs ' },
      IFD2: { DateTimeOriginal: '2024:05:01 18:30:59' },
      IFD3: { GPSLatitudeRef: 'S', GPSLatitude: '33/1 51/1 0/1', GPSLongitudeRef: 'W', GPSLongitude: '70/1 30/1 0/1' },
    })
    const details = { takenAt: '2024-05-01 18:30', camera: 'Examplecam 5', artist: 'Ada', caption: 'Three signs' }
    expect(photoDetails(exif, { position: false })).toEqual(details)
    expect(photoDetails(exif, { position: true })).toEqual({ ...details, position: '-33.85000, -70.50000' })
  })

  it('leaves out what makes no sense', async () => {
    const exif = await exifOf({
      IFD0: { Make: ' ' },
      IFD2: { DateTimeOriginal: '0000:00:00 00:00:00' },
      IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '99/1 0/1 0/1', GPSLongitudeRef: 'E', GPSLongitude: '1/0 0/1 0/1' },
    })
    const found = photoDetails(exif, { position: true })
    expect(found.position).toBeUndefined()
    expect(found.camera).toBeUndefined()
    for (const line of describePhoto(found)) expect(line).not.toMatch(/NaN|Invalid|undefined/)
  })

  it('survives any bytes', async () => {
    const exif = await exifOf({ IFD0: { Make: 'Examplecam' } })
    for (let at = 0; at < exif.length; at++) {
      const broken = Buffer.from(exif)
      broken[at] = 255 - (broken[at] ?? 0)
      expect(() => photoDetails(broken, { position: true })).not.toThrow()
      expect(() => photoDetails(exif.subarray(0, at), { position: true })).not.toThrow()
    }
  })
})
