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
}

const WHEN =
  /\b(?:when|how long|what (?:date|day|month|year|time)|which (?:date|day|week|month|year)|since when)\b|什么时候|何时|几[时点月号]|哪[天年]|哪[一个]*(?:天|月|年|日)|多久|多长时间/i
const SELF = /\b(?:i|me|my|mine|myself|im|ive)\b|我(?!们)/i
const OTHER = /\b(?:you|your|yours)\b|[你您]/i

export function analyseQuery({ text, askedAt }: Question): AnalysedQuery {
  const { periods, rest } = readTimes(text, askedAt)
  return {
    terms: queryTerms(rest),
    periods,
    asksWhen: WHEN.test(text),
    asksAboutSelf: SELF.test(text) && !OTHER.test(text),
  }
}
