import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answer, calls, result, stored, user } from '../../../tests/helpers/turns.ts'
import type { ChatTurn } from './chat-turn.ts'
import { historyBefore } from './history.ts'
import { shownTurn } from './stored-turns.ts'
import { comparable } from './turn-text.ts'

function history(sent: readonly ChatTurn[], turns: readonly ChatTurn[], resent: number[] = [], observedThrough = 0) {
  const before = historyBefore(sent, stored(turns), { resent: new Set(resent), observedThrough })
  return before.map((turn) => shownTurn(turn))
}

/** What all three APIs ask of a conversation. */
function faultOf(turns: readonly ChatTurn[]): string | undefined {
  const ids = new Set<string>()
  let open = new Set<string>()
  for (const [index, turn] of turns.entries()) {
    if (index === 0 && turn.role !== 'user') return 'does not begin with a user'
    if (turn.role === 'tool') {
      if (!open.delete(turn.toolCallId ?? '')) return `result of ${turn.toolCallId} without its call`
      continue
    }
    if (open.size > 0) return 'call without a result'
    open = new Set(turn.toolCalls?.map(({ id }) => id))
    for (const { id } of turn.toolCalls ?? []) {
      if (ids.has(id)) return `${id} used twice`
      if (!/^[\w-]{1,40}$/.test(id)) return `${id} is no id`
      ids.add(id)
    }
    if (turn.parts.length === 0 && !turn.toolCalls?.length) return 'empty turn'
  }
  return open.size > 0 ? 'call without a result at the end' : undefined
}

const thread = [user('a'), answer('b'), user('c'), answer('d')]

describe('the history of a chat', () => {
  it('is what the client did not send', () => {
    expect(history([user('new')], thread)).toEqual(thread)
    expect(history([...thread.slice(2), user('new')], thread, [2, 3])).toEqual(thread.slice(0, 2))
    expect(history([...thread, user('new')], thread, [0, 1, 2, 3])).toEqual([])
  })

  it('leaves out answers of which the client has its own version', () => {
    expect(history([user('c'), answer('d!'), user('new')], thread, [2])).toEqual(thread.slice(0, 2))
  })

  it('begins where observations end, with the question of the answer that stands there', () => {
    expect(history([user('new')], thread, [], 2)).toEqual(thread.slice(2))
    expect(history([user('new')], thread, [], 3)).toEqual(thread.slice(2))
    expect(history([user('new')], thread, [], 4)).toEqual([])
  })

  it('keeps a call that the client answers now', () => {
    const turns = [user('q'), calls('c1', 'c2')]
    expect(history([result('c1'), result('c2')], turns)).toEqual(turns)
    expect(history([result('c1')], turns)).toEqual([user('q'), calls('c1')])
    expect(history([user('never mind')], turns)).toEqual([user('q')])
  })

  it('has one answer of what was stored in parts', () => {
    const turns = [user('q'), answer('Wait.'), calls('c1'), calls('c2'), result('c1'), result('c2'), answer('e')]
    expect(history([user('new')], turns)).toEqual([
      user('q'),
      { ...calls('c1', 'c2'), parts: answer('Wait.').parts },
      result('c1'),
      result('c2'),
      answer('e'),
    ])
  })

  it('gives a call that has the id of another one its own, the same each time', () => {
    const turns = [user('q'), calls('c1'), result('c1', 'one'), user('r'), calls('c1'), result('c1', 'two')]
    const [, , , , call, second] = history([user('new')], turns)
    expect(call?.toolCalls?.[0]?.id).toMatch(/^call_[0-9a-f]{24}$/)
    expect(second?.toolCallId).toBe(call?.toolCalls?.[0]?.id)
    expect(history([user('newer')], turns)).toEqual(history([user('new')], turns))
  })

  it('has arguments that every API reads', () => {
    const broken: ChatTurn = { role: 'assistant', parts: [], toolCalls: [{ id: 'c', name: 'f', arguments: '{"a":' }] }
    const [, call] = history([user('new')], [user('q'), broken, result('c')])
    expect(call?.toolCalls).toEqual([{ id: 'c', name: 'f', arguments: '{}' }])
  })

  it('is valid before whatever is sent, whatever is stored', () => {
    const id = fc.constantFrom('c1', 'c2', 'c3', 'an id with spaces', '')
    const turn = fc.oneof(
      fc.constantFrom('u', ' ').map(user),
      fc.constantFrom('a', '').map(answer),
      fc.array(id, { minLength: 1, maxLength: 3 }).map((ids) => calls(...ids)),
      id.map((name) => result(name)),
    )
    const turns = fc.array(turn, { maxLength: 14 })
    const sent = fc.constantFrom(
      [user('new')],
      [user('x'), calls('c1'), result('c1')],
      [user('x'), answer('y'), user('new')],
      [result('c1'), user('new')],
      [result('c2'), result('c3')],
    )
    fc.assert(
      fc.property(turns, sent, fc.array(fc.nat(13)), fc.nat(14), (all, request, resent, observed) => {
        const before = history(request, all, resent, observed)
        const calls = before.findLast(({ role }) => role !== 'tool')?.toolCalls ?? []
        const open = new Set(calls.map((call) => call.id))
        for (const { toolCallId } of before.slice(before.findLastIndex(({ role }) => role !== 'tool') + 1)) {
          open.delete(toolCallId ?? '')
        }
        const firstOther = request.findIndex(({ role }) => role !== 'tool')
        const results = firstOther === -1 ? request : request.slice(0, firstOther)
        // A result that answers no call of the history is the client's own fault.
        const answers = results.filter(({ toolCallId }) => open.has(toolCallId ?? ''))
        expect(faultOf([...before, ...answers, ...request.slice(results.length)])).toBeUndefined()
      }),
      { numRuns: 500 },
    )
  })

  it('shows a turn as it was said', () => {
    for (const turn of [user('a'), answer('b'), calls('c'), result('c')]) {
      expect(shownTurn(comparable(turn))).toEqual(turn)
    }
  })
})
