import { describe, expect, it } from 'vitest'
import { contradicts, mayStateTheSame } from './same-statement.ts'

describe('two texts of the same words', () => {
  it.each([
    ['User prefers dark mode', 'The user prefers dark mode.'],
    ['Ada lives in Lisbon', 'ada lives in LISBON!'],
    ["She doesn't eat meat", 'She does not eat meat'],
    ['用户喜欢深色模式', '用户喜欢深色模式。'],
  ])('may state the same: %s / %s', (one, other) => {
    expect(mayStateTheSame(one, other)).toBe(true)
    expect(contradicts(one, other)).toBe(false)
  })

  it.each([
    ["Ada is Bob's mother", "Bob is Ada's mother"],
    ['The rent is 500 euros', 'The rent is 600 euros'],
    ['She likes coffee', 'Does she like coffee?'],
    ['She lives in Lisbon', 'She lives in Porto'],
  ])('may state something else, and deny nothing: %s / %s', (one, other) => {
    expect(mayStateTheSame(one, other)).toBe(false)
    expect(contradicts(one, other)).toBe(false)
  })

  it.each([
    ['User likes coffee', 'User does not like coffee'],
    ["The user can't drive", 'The user can drive'],
    ['用户喜欢咖啡', '用户不喜欢咖啡'],
  ])('may deny each other: %s / %s', (one, other) => {
    expect(mayStateTheSame(one, other)).toBe(false)
    expect(contradicts(one, other)).toBe(true)
    expect(contradicts(other, one)).toBe(true)
  })
})
