import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { ChatPart, ChatTurn } from './chat-turn.ts'
import { comparable, fingerprint, turnText, turnTokens } from './turn-text.ts'

const text = (said: string): ChatPart => ({ type: 'text', text: said })
const file = (name?: string, kind: 'image' | 'audio' | 'pdf' = 'image', bytes = Buffer.from('x')): ChatPart => ({
  type: 'file',
  kind,
  base64: bytes.toString('base64'),
  ...(name !== undefined && { name }),
})
const link = (target: string): ChatPart => ({ type: 'link', kind: 'image', target })
const user = (...parts: ChatPart[]): ChatTurn => ({ role: 'user', parts })
const print = (turn: ChatTurn) => fingerprint(comparable(turn))

describe('the text of a turn', () => {
  it('has a placeholder for each file and link, numbered by what they are', () => {
    const parts = [text('Look:'), file('plan.png'), file(), file('clip.wav', 'audio'), file('a.pdf', 'pdf'), text('?')]
    expect(turnText({ parts })).toBe(
      'Look:\n[Image #1: plan.png]\n[Image #2]\n[Audio #1: clip.wav]\n[File #1: a.pdf]\n?',
    )
  })

  it('names an address without what may be secret in it, and marks an id', () => {
    expect(turnText({ parts: [link('https://me:pw@host.example/a.png?sig=secret#x'), link('file-9')] })).toBe(
      '[Image #1: https://host.example/a.png]\n[Image #2: id file-9]',
    )
  })

  it('holds nothing that a name could break out with, and nothing that the database refuses', () => {
    expect(turnText({ parts: [file('../a]\n[Image #2: b.png'), text('a\0b\ud800')] })).toBe(
      '[Image #1: a   Image #2: b.png]\nab\ufffd',
    )
  })
})

it('the text of a turn is cut where no model reads on', () => {
  const said = turnText({ parts: [text('🎉'.repeat(3 * 1024 * 1024))] })
  expect([said.length, said.isWellFormed()]).toEqual([4 * 1024 * 1024, true])
})

describe('the tokens of a turn', () => {
  const picture = readFileSync('tests/simple-multimodal-image.png')

  it('are those of its media, not of their base64', async () => {
    const tokens = await turnTokens(user(file('a.bin', 'image', Buffer.alloc(3_000_000, 'x'))))
    expect(tokens).toBeGreaterThan(500)
    expect(tokens).toBeLessThan(2_000)
  })

  it('of a picture follow from its size', async () => {
    const pixels = picture.readUInt32BE(16) * picture.readUInt32BE(20)
    const expected = Math.min(1_600, Math.max(85, pixels / 750))
    expect(Math.abs((await turnTokens(user(file('p.png', 'image', picture)))) - expected)).toBeLessThan(20)
  })

  it('of sound follow from its length', async () => {
    const tone = readFileSync('tests/simple-tone.wav')
    const seconds = (tone.length - 44) / tone.readUInt32LE(28)
    expect(await turnTokens(user(file('', 'audio', tone)))).toBeCloseTo(32 * seconds, -2)
  })

  it('include calls of tools', async () => {
    const call = { id: 'c', name: 'search', arguments: '{"query":"a long question about many things"}' }
    const turn: ChatTurn = { role: 'assistant', parts: [], toolCalls: [call] }
    expect(await turnTokens(turn)).toBeGreaterThan(8)
  })
})

describe('a fingerprint', () => {
  it.each<[string, ChatTurn, ChatTurn]>([
    ['white space', user(text('Hi  there\n')), user(text(' Hi there'))],
    ['the division into parts', user(text('Hi there')), user(text('Hi'), text('there'))],
    ['names of files', user(text('This:'), file('a.png')), user(text('This:'), file())],
    ['signatures of addresses', user(link('https://a.example/b?sig=1')), user(link('https://a.example/b?sig=2'))],
    [
      'the spelling of arguments',
      { role: 'assistant', parts: [], toolCalls: [{ id: '1', name: 'f', arguments: '{ "a": 1 }' }] },
      { role: 'assistant', parts: [], toolCalls: [{ id: '1', name: 'f', arguments: '{"a":1}' }] },
    ],
    [
      'what is said beside calls',
      { role: 'assistant', parts: [text('Let me see')], toolCalls: [{ id: '1', name: 'f', arguments: '' }] },
      { role: 'assistant', parts: [], toolCalls: [{ id: '1', name: 'f', arguments: '{}' }] },
    ],
  ])('does not depend on %s', (_, one, other) => expect(print(one)).toBe(print(other)))

  it.each<[string, ChatTurn, ChatTurn]>([
    ['words', user(text('Hi there')), user(text('Hi here'))],
    ['roles', user(text('Hi')), { role: 'assistant', parts: [text('Hi')] }],
    ['number and kind of files', user(text('Hi'), file()), user(text('Hi'))],
    ['addresses', user(link('https://a.example/b')), user(link('https://a.example/c'))],
    [
      'ids of calls',
      { role: 'tool', parts: [text('5')], toolCallId: 'a' },
      { role: 'tool', parts: [text('5')], toolCallId: 'b' },
    ],
  ])('tells %s apart', (_, one, other) => expect(print(one)).not.toBe(print(other)))

  it('of a very long text tells every character', () => {
    const long = (middle: string) => print(user(text(`${'a '.repeat(200_000)}${middle}${'b '.repeat(200_000)}`)))
    expect(long('yes')).toBe(long('yes'))
    expect(long('yes')).not.toBe(long('no'))
    expect(long('yes').length).toBeLessThan(200)
  })

  it('of a text full of beginnings of placeholders takes no longer than of another', () => {
    // Looked through once for each beginning, it would take minutes.
    const said = '[Image #1: '.repeat(20_000)
    expect(print(user(text(said)))).toContain('[Image#1:[Image#1:')
    expect(print(user(text('[Image #1: [Image #2: a.png]')))).toBe(print(user(text('[Image #1: [Image #3: b.png]'))))
  })
})
