import { describe, expect, it } from 'vitest'
import { recogniseSound } from './recognise-sound.ts'

const RATE = 16_000
const sound = (seconds: number, at: (time: number) => number) => ({
  rate: RATE,
  values: Float32Array.from({ length: seconds * RATE }, (_, index) => at(index / RATE)),
})
const tone = (hertz: number) => (time: number) => 0.5 * Math.sin(2 * Math.PI * hertz * time)

describe('recogniseSound', () => {
  it.each([110, 440, 1_000, 3_000])('hears a tone of %i Hz', (hertz) => {
    const heard = recogniseSound(sound(1, tone(hertz)))
    expect(heard).toEqual({ kind: 'tone', hertz: expect.closeTo(hertz, -1) })
  })

  it('hears it between pauses and fades', () => {
    const faded = sound(1, (time) => (time < 0.2 || time > 0.8 ? 0 : tone(440)(time) * Math.min(1, (time - 0.2) * 8)))
    expect(recogniseSound(faded)).toEqual({ kind: 'tone', hertz: 440 })
  })

  it('hears silence', () => expect(recogniseSound(sound(1, () => 0.0001))).toEqual({ kind: 'silence' }))

  it.each([
    ['two tones', (time: number) => tone(440)(time) + tone(660)(time)],
    ['one after the other', (time: number) => tone(time < 0.5 ? 440 : 660)(time)],
    ['a square wave', (time: number) => Math.sign(tone(440)(time))],
    ['noise', (time: number) => Math.sin(time * 1e9) * Math.cos(time * 7e7)],
  ])('is not sure of %s', (_, at) => expect(recogniseSound(sound(1, at))).toBeUndefined())

  it('says nothing of nothing', () =>
    expect(recogniseSound({ rate: RATE, values: new Float32Array() })).toBeUndefined())
})
