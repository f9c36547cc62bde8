import { describe, expect, it } from 'vitest'
import { inThirdPerson } from './third-person.ts'

describe('what speakers say of themselves', () => {
  it.each([
    ['I love TypeScript', 'The user loves TypeScript.'],
    ['I really love TypeScript!', 'The user really loves TypeScript.'],
    ["I don't like mushrooms", 'The user does not like mushrooms.'],
    ["I'm allergic to peanuts", 'The user is allergic to peanuts.'],
    ['I’ve been to Paris twice.', 'The user has been to Paris twice.'],
    ["I'll move to Berlin", 'The user will move to Berlin.'],
    ['I never eat meat', 'The user never eats meat.'],
    ['I no longer work at Google', 'The user no longer works at Google.'],
    ['I study math', 'The user studies math.'],
    ['I teach yoga', 'The user teaches yoga.'],
    ['I went to Japan', 'The user went to Japan.'],
    ['I renovated a house', 'The user renovated a house.'],
    ["I can't stand it", "The user can't stand it."],
    ['I have two cats', 'The user has two cats.'],
    ['I use C++!!', 'The user uses C++.'],
    ['I live with my sister in Oslo.', 'The user lives with their sister in Oslo.'],
    ['My name is Ada', "The user's name is Ada."],
    ['Well, my sister lives in Oslo', "The user's sister lives in Oslo."],
    ['我喜欢喝茶', '用户喜欢喝茶。'],
    ['我的猫叫咪咪！', '用户的猫叫咪咪。'],
  ])('%s', (said, told) => expect(inThirdPerson(said)).toBe(told))

  it.each([
    "I'd like tea",
    'My wife and I live in Rome',
    'I love hiking and hate rain',
    'I think you are great',
    'I love it so much that I cry',
    'I was told to give me time',
    'Yesterday I went home',
    'I read it',
    'I grok it',
    'We use Rust',
    'My server is in our office',
    'TypeScript is great!',
    'Ich wohne in Berlin',
    '我们计划六月上线',
    '我国很大',
    '我觉得你很好',
    '今天我很忙',
    'I',
    '我',
    '',
  ])('stays as it is where another subject, verb or sense could be meant: %s', (said) =>
    expect(inThirdPerson(said)).toBeUndefined(),
  )

  it.each([
    ['You live in Berlin', 'The user lives in Berlin.'],
    ['So you love tea', 'The user loves tea.'],
    ["You're vegan", 'The user is vegan.'],
    ['Your name is Bob', "The user's name is Bob."],
    ['你住在柏林', '用户住在柏林。'],
    ['I live in Berlin', undefined],
    ['You prefer my answers short', undefined],
  ])('and what is said to them: %s', (said, told) => expect(inThirdPerson(said, 'you')).toBe(told))
})
