import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { estimateTokens } from './estimate-tokens.ts'

/** With what the tokenizer of GPT-4o and later models (o200k) counts. */
const COUNTED: readonly (readonly [kind: string, tokens: number, text: string])[] = [
  [
    'chat',
    59,
    "Hey! I've just come back from Lisbon with my sister Joana. We ate far too many pastries, took the yellow tram up the hill, and I'm already planning the next trip. Could you remember that I'm vegetarian, and that I prefer trains to planes whenever it's possible? Thanks a lot!",
  ],
  [
    'Markdown',
    74,
    '## Backups\n\n- Run `pg_dump --format=custom` every night at **02:00**.\n- Keep seven daily and four weekly dumps; see [the guide](https://example.com/guide/backups).\n\n| Day | Size |\n|---|---|\n| Monday | 1.2 GB |\n| Tuesday | 1.4 GB |\n',
  ],
  [
    'TypeScript',
    74,
    'export async function findUser(db: Database, userId: string): Promise<UserRow | undefined> {\n  const [row] = await db.select().from(users).where(eq(users.id, userId)).limit(1)\n  if (!row || row.deletedAt !== null) return undefined\n  return { ...row, name: row.name.trim() }\n}\n',
  ],
  [
    'Python',
    67,
    'class Cache:\n    def __init__(self, size=128):\n        self._items = {}\n        self.size = size\n\n    def get(self, key, default=None):\n        """Return the value for key, or default."""\n        if key not in self._items:\n            return default\n        return self._items[key]\n',
  ],
  [
    'JSON in one line',
    67,
    '{"id":"call_9f8e","name":"get_weather","arguments":{"city":"Paris","days":3,"units":"celsius"},"when":"2026-01-02T03:04:05.678Z","tags":["travel","weather"],"ok":true,"score":0.8731}',
  ],
  [
    'JSON on many lines',
    62,
    '{\n  "name": "example",\n  "version": "1.4.2",\n  "scripts": {\n    "start": "node src/main.ts",\n    "test": "vitest run"\n  },\n  "engines": {\n    "node": ">=24"\n  }\n}\n',
  ],
  [
    'Chinese',
    55,
    '我昨天和朋友一起去了北京的颐和园，天气很好，我们在湖边散步，还吃了很多好吃的东西。请记住我喜欢喝茶，不喜欢喝咖啡。服务器启动失败的时候，应该先检查日志文件。',
  ],
  [
    'Japanese',
    39,
    '昨日は友達と一緒に京都へ行きました。天気がとても良くて、お寺をたくさん見ました。私の名前は田中です。',
  ],
  [
    'Russian',
    28,
    'Вчера я встретил своих друзей в центре города, и мы долго гуляли вдоль реки. Погода была прекрасная.',
  ],
  [
    'German',
    26,
    'Gestern habe ich mit meiner Familie einen Ausflug in die Berge gemacht, und das Wetter war wunderbar. Ich mag kurze Antworten.',
  ],
]

describe('an estimate of tokens', () => {
  it.each(COUNTED)('of %s is within 15 %% of %i', (_, tokens, text) => {
    expect(estimateTokens(text)).toBeGreaterThan(tokens * 0.85)
    expect(estimateTokens(text)).toBeLessThan(tokens * 1.15)
  })

  it.each([
    ['', 0],
    ['Hello', 2],
    ['Hello, world!', 5],
    ['2026-12-31', 6],
    ['-'.repeat(80), 1],
    ['\n\n\n', 1],
    [' '.repeat(128_000), 1_000],
  ])('of %j is %i', (text, tokens) => expect(estimateTokens(text)).toBe(tokens))

  it('counts pictures as more than one', () => expect(estimateTokens('🎉')).toBeGreaterThan(1))

  it('of a text is that of its parts, but for what is rounded', () => {
    const text = fc
      .array(fc.constantFrom('Hello', 'naïve', 'internationalization', '42', '(x)', 'Привет', '我喜欢', '🎉', "I'm"))
      .map((words) => words.join(' '))
    fc.assert(
      fc.property(text, text, (one, other) => {
        const whole = estimateTokens(`${one} ${other}`)
        const parts = estimateTokens(one) + estimateTokens(other)
        expect(Math.abs(whole - parts)).toBeLessThanOrEqual(2)
      }),
    )
  })

  it('of a very long text is near that of all of it', () => {
    const line = 'The quick brown fox jumps over the lazy dog, 42 times.\n'
    const all = 20_000 * estimateTokens(line)
    expect(Math.abs(estimateTokens(line.repeat(20_000)) / all - 1)).toBeLessThan(0.05)
  })
})
