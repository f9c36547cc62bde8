import { isFiller } from './fillers.ts'

/** What a sentence does: only a `statement` says something that can be remembered. */
export type SentenceKind = 'statement' | 'question' | 'request' | 'filler'

/** What asks to remember: what follows is the statement. */
const REMEMBER =
  /^(?:(?:please|and|also|so|ok|okay)[,\s]+)*(?:remember|note|keep in mind|don['’]?t forget|do not forget|for the record|fyi|by the way|btw)\b[\s,:]*(?:that\b\s*)?(?!to\b)(?=\S)|^(?:请|麻烦)?(?:你)?(?:帮我)?(?:记住|记一下|记得|别忘了|不要忘了|备注|顺便说一下|顺便说)[，,:：\s]*(?=\S)/i

const AUXILIARY =
  "do|does|did|is|are|was|were|am|can|could|will|would|shall|should|may|might|have|has|had|isn['’]?t|aren['’]?t|don['’]?t|doesn['’]?t|didn['’]?t|won['’]?t|can['’]?t"
const SUBJECT = 'i|you|we|they|he|she|it|there|this|that|these|those|my|your|our|the|any|anyone|anybody|someone'

const QUESTIONS: readonly RegExp[] = [
  /[?？][\s"'”’」』)）\p{Extended_Pictographic}]*$/u,
  new RegExp(String.raw`^(?:(?:and|but|so|or|ok|okay|hey|hi|well|um)[,\s]+)*(?:${AUXILIARY})\s+(?:${SUBJECT})\b`, 'i'),
  new RegExp(
    String.raw`^(?:(?:and|but|so|or|ok|okay|hey|well)[,\s]+)*(?:who|whom|whose|where|why|how)(?:['’]s|\s+(?:${AUXILIARY}|much|many|long|far|often|old|come|about|not))\b`,
    'i',
  ),
  /^(?:(?:and|but|so|or|hey|well)[,\s]+)*(?:what|which|when)(?:['’]s|\s+(?:is|are|was|were|do|does|did|can|could|will|would|should|has|have|kind|type|sort|time|color|colour|about|if))\b(?!\s+I\b)/i,
  /(?:吗|么|嘛|呢)[。.!！~～\s]*$/,
  /^(?:请问|那么?)?(?:为什么|为何|怎么(?!都)|怎样|如何|什么(?!都)|谁(?!都)|哪(?!.{0,2}都)|多少|几(?:点|个|岁|号|时)|是否|有没有|是不是|能不能|可不可以|会不会|要不要)/,
  /(?:是|叫|在|有|做|吃|喝|用|去|姓|喜欢|住|要)(?:什么(?!都)|谁(?!都)|哪(?!.{0,2}都)|多少|几(?:点|个|岁|号))[^，,。；]{0,8}[。.]?$/,
]

/** A standing wish is a statement of what someone prefers, though it is worded as a request. */
const STANDING =
  /\b(?:always|never|from now on|in (?:the )?future|going forward|whenever|every|by default|before (?:you|each|any|\w+ing)|when (?:I|you|we))\b|^(?:please\s+)?call me\s+\S|(?:以后|今后|从现在起|每次|总是|永远|一律|默认|叫我|称呼我)/i

const TO_AN_ASSISTANT =
  'tell|show|give|explain|help|translate|summari[sz]e|generate|draft|suggest|recommend|rewrite|describe|imagine|pretend|repeat|elaborate|say|forget'
/** What may be done by anybody, unless what follows points at something at hand. */
const TO_ANYBODY =
  "write|make|create|find|search|look|list|fix|check|read|open|send|compare|continue|stop|try|let|run|add|remove|delete|update|change|calculate|convert|provide|answer|do|don['’]?t|act|ignore|wait"
const AT_HAND =
  'me|us|it|this|that|these|those|a|an|some|another|one|more|up|for|as|all|the (?:above|following|next|previous)'
const OPENING = String.raw`^(?:(?:now|then|and|also|ok|okay|so|just|hey|hi|well|please|kindly)[,\s]+)*`
const REQUESTS: readonly RegExp[] = [
  new RegExp(String.raw`${OPENING}(?:${TO_AN_ASSISTANT})\b(?!\s*(?:,|and I\b))`, 'i'),
  new RegExp(String.raw`${OPENING}(?:${TO_ANYBODY})\s+(?:${AT_HAND})\b`, 'i'),
  /^(?:please|kindly)\b/i,
  /^I(?:['’]d like| would like| want| need) (?:you|for you) to\b/i,
  /^(?:请|麻烦|劳驾|帮我|帮忙|给我|替我|让我们|告诉我|说说|讲讲|列出|查一下|看看|忽略|继续)(?!是|人|的)/,
  /^(?:写|翻译|总结|解释|介绍|生成|推荐|搜索|查询)(?:[一这那几首篇个点些出我给：:]|以下|下面|上面|$)/,
  /^(?:你|您)?(?:能|可以|能否|可否)(?:请)?(?:帮|给|告诉|替|把)/,
]

/** The sentence without a request to remember it: "Remember that I am vegan" states that I am vegan. */
export function withoutRequestToRemember(sentence: string): string {
  return sentence.replace(REMEMBER, '')
}

export function kindOf(sentence: string): SentenceKind {
  if (isFiller(sentence)) return 'filler'
  if (QUESTIONS.some((rule) => rule.test(sentence))) return 'question'
  const told = withoutRequestToRemember(sentence)
  if (told !== sentence || STANDING.test(told)) return 'statement'
  return REQUESTS.some((rule) => rule.test(sentence)) ? 'request' : 'statement'
}
