import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assessText } from './assess-text.ts'
import type { MemoryType } from './schemas.ts'

const EXAMPLES: Readonly<Record<MemoryType, readonly string[]>> = {
  preference: [
    'Please keep answers short from now on',
    'The customer dislikes phone calls',
    'Coffee over tea, every time',
    '我对摄影很感兴趣',
    'I love TypeScript',
    'The user loves TypeScript.',
    'User prefers dark mode and concise responses.',
    'I prefer React over Vue for frontend work',
    'User prefers dark mode and uses VS Code',
    'My favourite colour is green',
    "I don't like mushrooms",
    'I can’t stand loud music',
    "I'd rather work in the morning",
    "I'm a big fan of jazz",
    'Always answer in French',
    'Call me Bob',
    'I am vegetarian',
    "I don't want to be called Robert",
    'Remember that I am vegan',
    '我喜欢喝茶',
    '我不喜欢香菜',
    '我最爱的颜色是蓝色',
    '我讨厌加班',
    '以后请用中文回答',
    '我吃素',
    '我爱看电影',
  ],
  fact: [
    'I studied computer science at MIT',
    'Paris is the capital of France',
    'I use Neovim',
    '我毕业于清华大学',
    '服务器部署在上海',
    'User is building a SaaS dashboard in React',
    'I am building a React dashboard for a SaaS startup',
    'Alice is on the Pro plan and works in fintech',
    'Bob is building a healthcare app with Python',
    'My name is Ada Lovelace',
    'I live in Berlin',
    'I work at Siemens as an engineer',
    'I am allergic to peanuts',
    'My email is ada@example.com',
    'My birthday is 5 May 1990',
    'The server runs on Debian 13',
    'I have never been to Paris',
    'I no longer work at Google',
    'Ich wohne in Berlin',
    '我叫李明',
    '我住在北京',
    '我在谷歌工作',
    '我对花生过敏',
    '我的生日是5月3日',
    '我有一只猫',
    '我没去过日本',
    '我是一名医生',
  ],
  goal: [
    'I need to finish my thesis by Friday',
    "I'm saving up for a house",
    'He wants to become a doctor',
    '今年我要减肥十斤',
    'I want to learn Spanish',
    'I plan to run a marathon next year',
    'My goal is to save 10000 dollars',
    "I'm going to move to Berlin in May",
    "I'd like to become a pilot",
    'We hope to launch in June',
    'I will start a new job on Monday',
    "I'm trying to quit smoking",
    'The user intends to buy a house',
    'The project deadline is 2026-12-31',
    '我想学西班牙语',
    '我打算明年去日本旅行',
    '我的目标是跑马拉松',
    '我希望能成为一名作家',
    '我准备考研',
    '下个月我要搬到上海',
  ],
  experience: [
    'I graduated from Stanford in 2015',
    'I used to live in Rome',
    'I recently switched from Java to Go',
    '我刚刚换了工作',
    'Yesterday I visited the Louvre',
    'I went to Japan last year',
    'Last week we attended a conference in Rome',
    'I met Linus at a meetup',
    'When I was a child I lived in Spain',
    'We shipped version 2 three weeks ago',
    'I broke my leg in 2019',
    'The user travelled to Peru',
    '我昨天去了故宫',
    '我去年参加了马拉松',
    '我去过日本',
    '上周我们见到了客户',
    '我小时候住在乡下',
  ],
  relationship: [
    'Maria and I have been friends for ten years',
    'Dr. Chen is my therapist',
    "I'm dating Chris",
    '我和小美结婚了',
    'My wife is called Anna',
    'My sister lives in Oslo',
    'Tom is my best friend',
    'I am married to Eva',
    "The user's manager is Kim",
    'I have two kids',
    'My boss hates meetings',
    '我妻子叫王芳',
    '我妈妈是老师',
    '小张是我的同事',
    '我有两个孩子',
  ],
}

describe('the type of a text', () => {
  it.each(Object.entries(EXAMPLES).flatMap(([type, texts]) => texts.map((text) => [text, type])))(
    '%s: %s',
    (text, type) => expect(assessText(text).type).toBe(type),
  )

  it('is what most of its sentences are about', () => {
    const text = 'I live in Oslo. I love skiing. I hate rain. I prefer tea to coffee.'
    expect(assessText(text).type).toBe('preference')
    expect(assessText(`${text} Do you plan to go? Do you want to?`).type).toBe('preference')
  })
})

describe('confidence', () => {
  const confidence = (text: string) => assessText(text).confidence

  it('is high where the words are clear', () => {
    expect(confidence('The user loves TypeScript.')).toBe(0.9)
    expect(confidence('我叫李明')).toBe(0.9)
  })

  it.each([
    ['Maybe I like jazz', 'I like jazz'],
    ['You love TypeScript', 'I love TypeScript'],
    ['TypeScript is great!', 'I love TypeScript'],
    ['Xyzzy plugh', 'TypeScript is great!'],
    ['我可能喜欢爵士乐', '我喜欢爵士乐'],
    ['你喜欢喝茶', '我喜欢喝茶'],
  ])('%s: less than: %s', (less, more) => expect(confidence(less)).toBeLessThan(confidence(more)))

  it.each([
    'What is my name',
    'Do I like tea?',
    '我叫什么名字？',
    'Write me a poem about Rome',
    '帮我写一首诗',
    'ok, thanks',
  ])('%s: nothing is stated', (text) =>
    expect(assessText(text)).toMatchObject({ confidence: 0.2, importance: 0.15, keyPoints: [] }),
  )
})

describe('importance', () => {
  const importance = (text: string) => assessText(text).importance

  it.each([
    ['I have a pen', 'I am allergic to penicillin'],
    ['I have a pen', 'My name is Ada'],
    ['I have a pen', 'My phone is +49 170 1234567'],
    ['I will go there', 'I will hand in the thesis, the deadline is Friday'],
    ['Use tabs', 'Always use tabs'],
    ['Nice weather today', 'I have a pen'],
    ['Maybe I go to Rome', 'I go to Rome'],
    ['我有一支笔', '我对青霉素过敏'],
    ['我有一支笔', '我叫李明'],
    ['我要去那里', '我要在截止日期前交论文'],
    ['今天天气不错', '我有一支笔'],
  ])('%s: less than: %s', (less, more) => expect(importance(less)).toBeLessThan(importance(more)))

  it('of a text is that of its most important sentence', () => {
    expect(importance('Nice weather today. I am allergic to nuts.')).toBe(importance('I am allergic to nuts.'))
  })

  it('does not take a date for a telephone number', () => {
    expect(importance('It is 2026-12-31')).toBeLessThan(importance('It is +1 415 555 2671'))
  })
})

describe('key points', () => {
  const long = [
    'We talked for a while about this and that, as people do when they have the time.',
    'My name is Ada and I live in Lisbon.',
    'Could you tell me the time?',
    'I am allergic to peanuts.',
    'The sky had a colour.',
    'I plan to run a marathon in May 2027.',
    'There was a chair in the room.',
    'My sister is called Eva.',
  ]

  it('are sentences of the text, in its order, that matter', () => {
    const { keyPoints } = assessText(long.join(' '))
    expect(keyPoints).toHaveLength(5)
    expect(keyPoints).toEqual(long.filter((sentence) => keyPoints.includes(sentence)))
    for (const at of [1, 3, 5, 7]) expect(keyPoints).toContain(long[at])
    expect(keyPoints).not.toContain(long[2])
  })

  it('are none for a short text', () => expect(assessText('I love tea. I live in Oslo.').keyPoints).toEqual([]))

  it('are clauses of a sentence that is too long for one', () => {
    const text = `I am allergic to peanuts, ${'and the day was long and nothing came of it, '.repeat(8)}my name is Ada.`
    const { keyPoints } = assessText(text)
    expect(keyPoints).toContain('I am allergic to peanuts,')
    for (const point of keyPoints) expect(text).toContain(point)
  })
})

describe('any text', () => {
  it('has values within their bounds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 500 }), (text) => {
        const { confidence, importance, keyPoints } = assessText(text)
        for (const value of [confidence, importance]) {
          expect(value).toBeGreaterThanOrEqual(0.05)
          expect(value).toBeLessThanOrEqual(1)
        }
        for (const point of keyPoints) expect(point.length).toBeLessThanOrEqual(200)
      }),
    )
  })

  it.each([
    'I love tea and I go next ',
    '?',
    '我喜欢',
    'a',
    'please ',
    'I ',
    '1',
    '- ',
    '\n',
    "don't not never ",
    'my my ',
  ])('takes no long time: %j, many times', (piece) => {
    const started = performance.now()
    assessText(piece.repeat(Math.ceil(100_000 / piece.length)))
    expect(performance.now() - started).toBeLessThan(2_000)
  })
})
