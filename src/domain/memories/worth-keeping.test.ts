import { describe, expect, it } from 'vitest'
import { isQuestion, isTrivial, isWorthKeeping } from './worth-keeping.ts'

describe('what is worth keeping', () => {
  it.each([
    'User prefers dark mode and concise responses.',
    'I love TypeScript',
    'TypeScript is great!',
    'Thanks! By the way, I moved to Porto.',
    'Remember that I am vegan',
    "Don't forget that I am vegan",
    'Always answer in French',
    'Can you help me? I am allergic to nuts.',
    'Der Server steht in Frankfurt.',
    'Vegetarian',
    'release notes: v2.0 ships on Friday',
    'Run npm test before pushing',
    'Create a backup every Friday',
    'Where the cat sleeps is warm',
    'How to reset the router: hold the button',
    'Translator by profession',
    '推荐系统部署在上海',
    '翻译是我的职业',
    '写作是我的爱好',
    '我喜欢喝茶',
    '请记住我对花生过敏',
    '谢谢！我住在北京。',
    '我什么都吃',
  ])('%s', (text) => expect([isWorthKeeping(text), isTrivial(text)]).toEqual([true, false]))

  it.each([
    '',
    '   ',
    '?!…',
    'ok',
    'OK, thanks!',
    'ok thanks bye!',
    'thank you so much',
    'Thanks a lot for your help!',
    'Hello there, how are you doing today?',
    'Good morning everyone',
    "that's great, sounds good",
    'Yes. Sure. No problem!',
    'hahaha lol',
    '👍👍🎉',
    '好的',
    '好的，谢谢！',
    '哈哈哈哈',
    '你好，在吗？',
    '嗯嗯，知道了',
    '晚安，明天见',
    '非常感谢你的帮助',
  ])('trivial: %s', (text) => expect([isWorthKeeping(text), isTrivial(text)]).toEqual([false, true]))

  it.each([
    'What is my name',
    'What am I building?',
    'Do you know where I live',
    'Which editor do I use?',
    'ok, and where do I live?',
    '我叫什么名字？',
    '你知道我住在哪里吗',
    '为什么天是蓝的',
    'where is my cat',
    'how many cats do I have',
    'why not',
  ])('a question: %s', (text) => expect([isWorthKeeping(text), isQuestion(text)]).toEqual([false, true]))

  it.each([
    'Write me a poem about the sea',
    'Please translate this',
    'Summarize the above',
    'Make it shorter',
    'I want you to be a pirate',
    '帮我写一首诗',
    '翻译这段话',
    '总结以下内容',
    '推荐几本书',
    'Nice weather today, lol',
  ])('a request or small talk: %s', (text) =>
    expect([isWorthKeeping(text), isTrivial(text), isQuestion(text)]).toEqual([false, false, false]),
  )

  it.each(['I live here. Where do you live?', 'When I was young I lived in Rome'])('no mere question: %s', (text) =>
    expect(isQuestion(text)).toBe(false),
  )
})
