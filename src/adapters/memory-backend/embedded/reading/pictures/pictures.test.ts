import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nameColour } from './colours.ts'
import { describePicture } from './read-picture.ts'
import { readSvg } from './read-svg.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pictures-test-'))
})
afterAll(() => rm(directory, { recursive: true }))

const svg = (inside: string, ground = 'white') =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="640" height="480"><rect width="640" height="480" fill="${ground}"/>${inside}</svg>`

async function see(image: Sharp, ext: string): Promise<string> {
  const path = join(directory, `picture.${ext}`)
  await image.toFile(path)
  return (await describePicture(path, ext, false)).sections.map(({ text }) => text).join('\n')
}

describe('nameColour', () => {
  it.each([
    [255, 0, 0, 'red'],
    [139, 0, 0, 'red'],
    [255, 165, 0, 'orange'],
    [255, 255, 0, 'yellow'],
    [0, 128, 0, 'green'],
    [0, 255, 255, 'cyan'],
    [0, 0, 255, 'blue'],
    [128, 0, 128, 'purple'],
    [255, 192, 203, 'pink'],
    [139, 69, 19, 'brown'],
    [10, 10, 12, 'black'],
    [128, 128, 128, 'grey'],
    [250, 250, 250, 'white'],
  ] as const)('%i %i %i is %s', (red, green, blue, name) => expect(nameColour(red, green, blue)).toBe(name))
})

describe('describePicture', () => {
  const example = svg(
    '<rect x="60" y="50" width="120" height="120" fill="red"/><circle cx="500" cy="110" r="60" fill="blue"/><rect x="80" y="380" width="480" height="60" fill="green"/>',
  )

  it.each(['png', 'jpeg', 'avif', 'tiff', 'gif'])('names the shapes of a plain drawing in %s', async (ext) => {
    const text = await see(sharp(Buffer.from(example)), ext)
    expect(text).toContain(`Image, ${ext.toUpperCase()}, 640 x 480 pixels.`)
    expect(text).toContain(
      'a red square at the top left, a blue circle at the top right and a green horizontal bar at the bottom, on a white background',
    )
    expect(text).toContain('几何图形和颜色:左上红色方块(正方形)、右上蓝色圆形、底部绿色横条(长方形),白色背景')
  })

  it.each([
    ['<ellipse cx="320" cy="240" rx="150" ry="60" fill="orange"/>', 'an orange ellipse at the centre'],
    ['<rect x="20" y="20" width="30" height="400" fill="purple"/>', 'a purple vertical bar at the left'],
    ['<rect x="400" y="300" width="180" height="110" fill="black"/>', 'a black rectangle at the bottom right'],
  ])('knows %s', async (inside, expected) => {
    expect(await see(sharp(Buffer.from(svg(inside))), 'png')).toContain(expected)
  })

  it.each([
    '<polygon points="320,100 420,300 220,300" fill="red"/>',
    '<path d="M100 100 H300 V200 H200 V300 H100 Z" fill="red"/>',
    '<circle cx="0" cy="0" r="150" fill="red"/>',
  ])('invents no shape for %s', async (inside) => {
    const text = await see(sharp(Buffer.from(svg(inside))), 'png')
    expect(text).not.toContain('Shapes')
    expect(text).toContain('red')
  })

  it('sees a shape on another', async () => {
    const inside =
      '<rect x="120" y="40" width="400" height="400" fill="blue"/><circle cx="320" cy="240" r="90" fill="yellow"/>'
    expect(await see(sharp(Buffer.from(svg(inside))), 'png')).toContain('yellow')
  })

  it('says of anything else only which colours are where', async () => {
    const sky = svg('<rect y="320" width="640" height="160" fill="green"/>', 'rgb(60,120,230)')
    const noisy = sharp(Buffer.from(sky)).composite([
      {
        input: {
          create: {
            width: 640,
            height: 480,
            channels: 3,
            background: 'grey',
            noise: { type: 'gaussian', mean: 128, sigma: 30 },
          },
        },
        blend: 'soft-light',
      },
    ])
    const text = await see(noisy, 'png')
    expect(text).toMatch(/green at the bottom left, bottom and bottom right/)
    expect(text).toContain('左下、底部、右下为绿色')
  })

  it('reads the words of an SVG, and follows none of its references', async () => {
    const path = join(directory, 'words.svg')
    const secret = join(directory, 'secret.png')
    await sharp({ create: { width: 640, height: 480, channels: 3, background: 'red' } }).toFile(secret)
    const inside = `<title>Plan &amp; map</title><desc>Where we meet</desc><image href="secret.png" width="640" height="480"/><image href="file://${secret}" width="640" height="480"/><text x="9" y="470">Café</text>`
    const bytes = Buffer.from(svg(inside))
    await writeFile(path, bytes)
    const { sections, title } = await readSvg(
      { path, ext: 'svg', kind: 'image', size: bytes.length, complete: true },
      { keepGps: false },
    )
    const text = sections.map((section) => section.text).join('\n')
    expect(title).toBe('Plan & map')
    expect(text).toContain('Where we meet\nCafé')
    expect(text).not.toContain('red')
  })
})
