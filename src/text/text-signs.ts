/** What can be said of a text besides its words. */
export interface TextSigns {
  /** How much of it asks, in tenths: 0..10. */
  readonly asks: number
  /** It says when something is, was or will be. */
  readonly tellsTime: boolean
}

/** What comes later says nothing of the kind of a text. */
const LOOKED_AT = 4_000

const SENTENCE = /[^.!?。！？…\n]+[.!?。！？…]*/g

const TIME_WORD = new RegExp(
  String.raw`\b(?:yesterday|today|tonight|tomorrow|ago|recently|lately|last|next|since|(?:week|month|year|day|hour|minute|decade)s?|weekends?|` +
    String.raw`(?:mon|tues|wednes|thurs|fri|satur|sun)days?|january|february|march|april|june|july|august|september|october|november|december|` +
    String.raw`spring|summer|autumn|winter|morning|afternoon|evening|noon|midnight|(?:19|20)\d\d|\d{1,2}(?::\d\d)? ?[ap]m)\b|` +
    String.raw`昨[天日晚]|今[天日晚早年]|明[天日晚早年]|前[天年]|后天|去年|[上下这本](?:个)?(?:周|星期|礼拜|月|年)|[周前后]末|(?:星期|周|礼拜)[一二三四五六日天]|` +
    String.raw`[\d一二三四五六七八九十两几]+(?:个)?(?:年|月|日|号|天|周|星期|小时|分钟|点)|刚才|刚刚|最近|早上|上午|中午|下午|晚上|春天|夏天|秋天|冬天`,
  'i',
)

export function signsOf(text: string): TextSigns {
  const seen = text.slice(0, LOOKED_AT)
  let asking = 0
  let all = 0
  for (const [sentence] of seen.matchAll(SENTENCE)) {
    const { length } = sentence.trim()
    all += length
    if (/[?？]/.test(sentence.slice(-4))) asking += length
  }
  const share = all > 0 ? asking / all : 0
  return { asks: asking > 0 ? Math.max(1, Math.round(share * 10)) : 0, tellsTime: TIME_WORD.test(seen) }
}
