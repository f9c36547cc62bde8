import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answer, calls, result, stored, user } from '../../../tests/helpers/turns.ts'
import type { AttachmentRow } from '../attachments/queries.ts'
import type { ChatPart, ChatTurn } from './chat-turn.ts'
import { afterLastAnswer, knownTurns } from './known-turns.ts'

const fewShot = [user('2+2?'), answer('4')]
const thread = [user('I am Ada'), answer('Hello Ada'), user('I like tea'), answer('Noted')]

async function found(sent: readonly ChatTurn[], turns: readonly ChatTurn[]) {
  const { newFrom, resent } = await knownTurns(sent, stored(turns))
  return { newFrom, resent: [...resent].toSorted((a, b) => a - b) }
}

describe('what is new of what a client sends', () => {
  it.each<[string, ChatTurn[], ChatTurn[], number, number[]]>([
    ['all of it in a new thread', [...thread, user('Hi')], [], 0, []],
    ['the new message alone', [user('And milk')], thread, 0, []],
    ['what follows the whole conversation', [...thread, user('And milk')], thread, 4, [0, 1, 2, 3]],
    ['what follows a part of it', [...thread.slice(2), user('And milk')], thread, 2, [2, 3]],
    [
      'what follows more than is looked at',
      [user('Old'), answer('Older'), ...thread, user('!')],
      thread,
      6,
      [0, 1, 2, 3],
    ],
    ['nothing of a retry', [user('And milk')], [...thread, user('And milk')], 1, [4]],
    ['what is said again after an answer', [user('I like tea')], thread, 0, []],
    ['nothing, if the last answer is to be given anew', thread.slice(0, 3), thread, 3, [0, 1, 2]],
    ['what was said instead', [...thread.slice(0, 2), user('I like milk')], thread, 2, [0, 1]],
    ['what follows examples', [...fewShot, user('More')], [...fewShot, ...thread], 2, [0, 1]],
    ['what follows examples that are not stored', [...fewShot, user('More')], thread, 2, []],
    [
      'what follows an answer that the client changed',
      [user('I am Ada'), answer('Hello *Ada*'), ...thread.slice(2), user('More')],
      thread,
      4,
      [0, 2, 3],
    ],
    ['what follows the last answer, where all else is unknown', [user('a'), answer('b'), user('c')], thread, 2, []],
    [
      'the result of a stored call',
      [user('Q'), calls('c1'), result('c1')],
      [...thread, user('Q'), calls('c1')],
      2,
      [4, 5],
    ],
    ['a result that is sent alone', [result('c1')], [...thread, user('Q'), calls('c1')], 0, []],
    [
      'the next result of a loop of calls',
      [user('Q'), calls('c1'), result('c1'), calls('c2'), result('c2')],
      [user('Q'), calls('c1'), result('c1'), calls('c2')],
      4,
      [0, 1, 2, 3],
    ],
    [
      'the next result of a loop behind examples',
      [...fewShot, user('Q'), calls('c1'), result('c1')],
      [...thread, user('Q'), calls('c1')],
      4,
      [4, 5],
    ],
    ['a loop of calls that went past the gateway', [...fewShot, user('Q'), calls('c1'), result('c1')], thread, 2, []],
    ['an answer for the model to go on with', [user('More'), answer('Well')], thread, 0, []],
    [
      'what follows an answer that came in parts',
      [user('Q'), answer('One.'), calls('c1'), result('c1')],
      [user('Q'), { ...calls('c1'), parts: [{ type: 'text', text: 'One.' }] }],
      3,
      [0, 1],
    ],
  ])('is %s', async (_, sent, turns, newFrom, resent) => expect(await found(sent, turns)).toEqual({ newFrom, resent }))

  it('is found out in stretches between which others have their turn', async () => {
    let [turnsOfOthers, isDone] = [0, false]
    const others = (async () => {
      for (; !isDone; turnsOfOthers++) await setImmediate()
    })()
    const long = Array.from({ length: 40 }, (_, index) => user(`${index} ${'x'.repeat(100_000)}`))
    await knownTurns(long, stored(thread))
    isDone = true
    await others
    expect(turnsOfOthers).toBeGreaterThan(10)
  })

  it('is a picture that differs from the stored one with the same words', async () => {
    const withPicture = (bytes: string): ChatTurn => {
      const picture: ChatPart = { type: 'file', kind: 'image', base64: Buffer.from(bytes).toString('base64') }
      return { role: 'user', parts: [...user('What is this?').parts, picture] }
    }
    const sha256 = createHash('sha256').update('cat').digest('hex')
    const file = { size: 3, sha256 } as AttachmentRow
    const turns = stored([withPicture('cat')]).map((turn) => ({ ...turn, files: [file] }))
    expect((await knownTurns([withPicture('cat')], turns)).newFrom).toBe(1)
    expect((await knownTurns([withPicture('dog')], turns)).newFrom).toBe(0)
  })

  it('is each turn of a conversation once, however much of it the client sends along', async () => {
    const said = fc.constantFrom('yes', 'no', 'more')
    const exchanges = fc.array(fc.record({ said, answered: said, calls: fc.nat(3), sends: fc.nat(9) }), {
      maxLength: 8,
    })
    await fc.assert(
      fc.asyncProperty(exchanges, async (all) => {
        const conversation: ChatTurn[] = []
        const kept: ChatTurn[] = []
        const call = async (from: number, turn: ChatTurn) => {
          const sent = conversation.slice(from)
          kept.push(...sent.slice((await knownTurns(sent, stored(kept))).newFrom), turn)
          conversation.push(turn)
        }
        let id = 0
        for (const one of all) {
          const from = Math.max(0, conversation.length - one.sends)
          conversation.push(user(one.said))
          for (let left = one.calls; left > 0; left--) {
            const name = `call${id++}`
            await call(from, calls(name))
            conversation.push(result(name))
          }
          await call(from, answer(one.answered))
        }
        expect(kept).toEqual(conversation)
      }),
    )
  })
})

it.each<[ChatTurn[], number]>([
  [[], 0],
  [[user('a')], 0],
  [[user('a'), answer('b'), user('c')], 2],
  [[user('a'), calls('b'), result('b')], 2],
  [[user('a'), answer('b'), user('c'), answer('d')], 2],
])('the last answer of %j is before %i', (sent, index) => expect(afterLastAnswer(sent)).toBe(index))
