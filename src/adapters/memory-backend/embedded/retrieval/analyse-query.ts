import { type Period, readTimes } from '../../../../text/periods.ts'
import { queryTerms, type Term } from '../../../../text/tokenise.ts'

/** What is asked, and when: unix ms. */
export interface Question {
  readonly text: string
  readonly askedAt: number
}

export interface AnalysedQuery {
  /** Each once, in the order of the question. */
  readonly terms: readonly Term[]
  /** Times that it speaks of. */
  readonly periods: readonly Period[]
  /** It asks for a time. */
  readonly asksWhen: boolean
  /** It asks about the one who asks. */
  readonly asksAboutSelf: boolean
  /** It speaks of a time and of nothing else: "what happened last week?" Its dates are then the words to look for, if it has some. */
  readonly dates: readonly Term[] | undefined
}

const WHEN =
  /\b(?:when|how long|what (?:date|day|month|year|time)|which (?:date|day|week|month|year)|since when)\b|什么时候|何时|几[时点月号]|哪[天年]|哪[一个]*(?:天|月|年|日)|多久|多长时间/i
const SELF = /\b(?:i|me|my|mine|myself|im|ive)\b|我(?!们)/i
const OTHER = /\b(?:you|your|yours)\b|[你您]/i

/** Words that ask for whatever there was. */
const WHATEVER =
  /\b(?:happen(?:s|ed|ing)?|occur(?:s|red)?|go(?:es|ing)?|went|on|up|new|news|talk(?:s|ed|ing)?|discuss(?:ed|ing)?|chat(?:s|ted)?|sa(?:y|ys|id)|spoke|speak|tell|told|mention(?:ed)?|write|wrote|sen[dt]|conversations?|messages?|memor(?:y|ies)|(?:any|some|every)thing|things?|stuff|summar(?:y|i[sz]e)|recap|overview|remember|recall|list|(?:show|give) (?:me|us))\b|发生|讨论|提到|新鲜事|事情|内容|总结|回顾|一下|[做干说聊谈写发事新过都天了些]/gi

export function analyseQuery({ text, askedAt }: Question): AnalysedQuery {
  const { periods, rest, dates, timeless } = readTimes(text, askedAt)
  const isOfTime = periods.length > 0 && queryTerms(timeless.replace(WHATEVER, ' ')).length === 0
  return {
    dates: isOfTime ? queryTerms(dates) : undefined,
    terms: queryTerms(rest),
    periods,
    asksWhen: WHEN.test(text),
    asksAboutSelf: SELF.test(text) && !OTHER.test(text),
  }
}
