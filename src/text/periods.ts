/** A stretch of time, unix ms, both ends included. */
export interface Period {
  readonly from: number
  readonly to: number
}

export interface TimeReading {
  /** Any of these is meant; empty: the text names no time. */
  readonly periods: readonly Period[]
  /** The text without pointers such as "last week", which say nothing else; dates stay. */
  readonly rest: string
  /** The dates in it. */
  readonly dates: string
  /** And the text without either. */
  readonly timeless: string
}

const DAY = 86_400_000
/** A month without its year may be that of any of so many years. */
const YEARS_BACK = 10
const LONGEST_TEXT = 4_000
/** Nobody asks for more, and each is compared with each memory found. */
const MOST_PERIODS = 100

const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ')
const WEEKDAYS = 'sun mon tue wed thu fri sat'.split(' ')
const MONTH = String.raw`(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)`
const WEEKDAY = String.raw`(sun|mon|tues|wednes|thurs|fri|satur)day`
const NUMBERS: Readonly<Record<string, number>> = {
  a: 1,
  an: 1,
  one: 1,
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  six: 6,
  seven: 7,
  eight: 8,
  nine: 9,
  ten: 10,
  一: 1,
  二: 2,
  两: 2,
  三: 3,
  四: 4,
  五: 5,
  六: 6,
  七: 7,
  八: 8,
  九: 9,
  十: 10,
  十一: 11,
  十二: 12,
}
const HAN_NUMBER = String.raw`(\d{1,3}|十[一二]|[一二两三四五六七八九十])`

const numberOf = (text: string): number => NUMBERS[text.toLowerCase()] ?? Number(text)

interface Day {
  readonly year: number
  readonly month: number
  readonly day: number
  /** 0: Sunday. */
  readonly weekday: number
}

function dayOf(time: number): Day {
  const date = new Date(time)
  return { year: date.getUTCFullYear(), month: date.getUTCMonth(), day: date.getUTCDate(), weekday: date.getUTCDay() }
}

/** From the first day up to the day before the last. */
function span(year: number, month: number, day: number, toYear: number, toMonth: number, toDay: number): Period {
  return { from: Date.UTC(year, month, day), to: Date.UTC(toYear, toMonth, toDay) - 1 }
}

const yearSpan = (year: number): Period => span(year, 0, 1, year + 1, 0, 1)
const monthSpan = (year: number, month: number): Period => span(year, month, 1, year, month + 1, 1)
const daySpan = (year: number, month: number, day: number): Period => span(year, month, day, year, month, day + 1)
const daysBefore = ({ year, month, day }: Day, count: number): Period => daySpan(year, month, day - count)

/** Weeks begin on Monday. */
function weekBefore({ year, month, day, weekday }: Day, count: number): Period {
  const monday = day - ((weekday + 6) % 7) - 7 * count
  return span(year, month, monday, year, month, monday + 7)
}

function unitBefore(today: Day, unit: string, count: number): Period {
  if (/^(?:day|天|日)/.test(unit)) return daysBefore(today, count)
  if (/^(?:week$|weeks$|周|星期|礼拜)/.test(unit)) return weekBefore(today, count)
  if (/^(?:weekend)/.test(unit)) {
    const { from } = weekBefore(today, count)
    return { from: from + 4 * DAY, to: from + 7 * DAY - 1 }
  }
  if (/^(?:month|月)/.test(unit)) return monthSpan(today.year, today.month - count)
  return yearSpan(today.year - count)
}

/** "Three weeks ago" is not meant to the day. */
function about(period: Period, unit: string): Period {
  const slack = /^(?:day|天|日)/.test(unit) ? DAY : /^(?:week|周|星期|礼拜)/.test(unit) ? 3 * DAY : 15 * DAY
  return { from: period.from - slack, to: period.to + slack }
}

const inAnyYear = (today: Day, of: (year: number) => Period): Period[] =>
  Array.from({ length: YEARS_BACK + 1 }, (_, back) => of(today.year - back))

const monthIndex = (name: string): number => MONTHS.indexOf(name.slice(0, 3).toLowerCase())

function withYear(year: string | undefined, today: Day, of: (year: number) => Period): Period[] {
  return year === undefined ? inAnyYear(today, of) : [of(Number(year))]
}

function weekdayBefore(today: Day, name: string, inLastWeek: boolean): Period {
  const weekday = '日一二三四五六天'.includes(name)
    ? '日一二三四五六天'.indexOf(name) % 7
    : WEEKDAYS.indexOf(name.slice(0, 3).toLowerCase())
  if (!inLastWeek) return daysBefore(today, ((today.weekday - weekday + 6) % 7) + 1)
  const { from } = weekBefore(today, 1)
  const day = from + ((weekday + 6) % 7) * DAY
  return { from: day, to: day + DAY - 1 }
}

interface Rule {
  readonly pattern: RegExp
  /** It points from today, and is no part of what is looked for. */
  readonly points: boolean
  read(match: readonly string[], today: Day): readonly Period[]
}

const rule = (source: string, points: boolean, read: Rule['read']): Rule => ({
  pattern: new RegExp(source, 'gi'),
  points,
  read,
})

const at = (match: readonly string[], index: number): string => match[index] ?? ''

/** The first that fits takes its words. */
const RULES: readonly Rule[] = [
  rule(String.raw`\b((?:19|20)\d\d)[-/](\d{1,2})[-/](\d{1,2})\b`, false, (m) => [
    daySpan(Number(m[1]), Number(m[2]) - 1, Number(m[3])),
  ]),
  rule(String.raw`\b(\d{1,2})(?:st|nd|rd|th)?(?: of)? ${MONTH}\b(?:,? ((?:19|20)\d\d))?`, false, (m, today) =>
    withYear(m[3], today, (year) => daySpan(year, monthIndex(at(m, 2)), Number(m[1]))),
  ),
  rule(String.raw`\b${MONTH} (\d{1,2})(?:st|nd|rd|th)?\b(?:,? ((?:19|20)\d\d))?`, false, (m, today) =>
    withYear(m[3], today, (year) => daySpan(year, monthIndex(at(m, 1)), Number(m[2]))),
  ),
  rule(String.raw`\b${MONTH},? (?:of )?((?:19|20)\d\d)\b`, false, (m) => [
    monthSpan(Number(m[2]), monthIndex(at(m, 1))),
  ]),
  rule(String.raw`\b(?:in|during|since|by|of|last|this|early|late|mid) ${MONTH}\b`, false, (m, today) =>
    inAnyYear(today, (year) => monthSpan(year, monthIndex(at(m, 1)))),
  ),
  rule(String.raw`\b(?:in|during|since|of) ((?:19|20)\d\d)\b`, false, (m) => [yearSpan(Number(m[1]))]),
  rule(
    String.raw`((?:19|20)\d\d)\s*年\s*(\d{1,2}|十[一二]|[一二三四五六七八九十])\s*月(?:\s*(\d{1,2})\s*[日号])?`,
    false,
    (m) => [
      m[3]
        ? daySpan(Number(m[1]), numberOf(at(m, 2)) - 1, Number(m[3]))
        : monthSpan(Number(m[1]), numberOf(at(m, 2)) - 1),
    ],
  ),
  rule(String.raw`((?:19|20)\d\d)\s*年`, false, (m) => [yearSpan(Number(m[1]))]),
  rule(String.raw`(\d{1,2})\s*月\s*(\d{1,2})\s*[日号]`, false, (m, today) =>
    inAnyYear(today, (year) => daySpan(year, Number(m[1]) - 1, Number(m[2]))),
  ),
  rule(String.raw`(?<!个)(1[0-2]|[1-9]|十[一二]|[一二三四五六七八九十])月(?:份|里)?`, false, (m, today) =>
    inAnyYear(today, (year) => monthSpan(year, numberOf(at(m, 1)) - 1)),
  ),
  rule(
    String.raw`\b(\d{1,3}|an?|one|two|three|four|five|six|seven|eight|nine|ten) (day|week|month|year)s? ago\b`,
    true,
    (m, today) => [about(unitBefore(today, at(m, 2), numberOf(at(m, 1))), at(m, 2))],
  ),
  rule(
    String.raw`\b(?:in|over|during|within) the (?:last|past) (\d{1,3}|few|couple of|two|three|four|five|six|seven|eight|nine|ten) (day|week|month|year)s\b`,
    true,
    (m, today) => [{ from: unitBefore(today, at(m, 2), numberOf(at(m, 1)) || 3).from, to: daysBefore(today, 0).to }],
  ),
  rule(String.raw`\b(?:last|past|previous) (weekend|week|month|year)\b`, true, (m, today) => [
    unitBefore(today, at(m, 1).toLowerCase(), 1),
  ]),
  rule(String.raw`\bthis (weekend|week|month|year)\b`, true, (m, today) => [
    unitBefore(today, at(m, 1).toLowerCase(), 0),
  ]),
  rule(String.raw`\b(?:last|on|this past) ${WEEKDAY}\b`, true, (m, today) => [weekdayBefore(today, at(m, 1), false)]),
  rule(String.raw`\b(?:the day before yesterday)\b|前天`, true, (_, today) => [daysBefore(today, 2)]),
  rule(String.raw`\b(?:yesterday|last night)\b|昨天|昨日|昨晚`, true, (_, today) => [daysBefore(today, 1)]),
  rule(String.raw`\b(?:today|tonight|this (?:morning|afternoon|evening))\b|今天|今日|今晚|今早`, true, (_, today) => [
    daysBefore(today, 0),
  ]),
  rule(String.raw`上(?:个)?(?:周|星期|礼拜)([一二三四五六日天])`, true, (m, today) => [
    weekdayBefore(today, at(m, 1), true),
  ]),
  rule(String.raw`上(?:个)?周末`, true, (_, today) => [unitBefore(today, 'weekend', 1)]),
  rule(String.raw`上(?:个)?(周|星期|礼拜|月)`, true, (m, today) => [unitBefore(today, at(m, 1), 1)]),
  rule(String.raw`[这本](?:个)?(周|星期|礼拜|月)`, true, (m, today) => [unitBefore(today, at(m, 1), 0)]),
  rule('今年', true, (_, today) => [yearSpan(today.year)]),
  rule('去年', true, (_, today) => [yearSpan(today.year - 1)]),
  rule('前年', true, (_, today) => [yearSpan(today.year - 2)]),
  rule(String.raw`${HAN_NUMBER}\s*(?:个)?(天|周|星期|礼拜|月|年)(?:之|以)?前`, true, (m, today) => [
    about(unitBefore(today, at(m, 2), numberOf(at(m, 1))), at(m, 2)),
  ]),
]

/** Which times a question speaks of, asked at `askedAt` (unix ms); days are those of UTC. */
export function readTimes(text: string, askedAt: number): TimeReading {
  const today = dayOf(askedAt)
  const periods: Period[] = []
  const dates: string[] = []
  let rest = text.slice(0, LONGEST_TEXT)
  for (const { pattern, points, read } of RULES) {
    rest = rest.replace(pattern, (...match) => {
      if (periods.length >= MOST_PERIODS) return match[0]
      const groups = match
        .filter((part): part is string | undefined => typeof part !== 'number')
        .map((part) => part ?? '')
      const found = read(match as string[], today).filter(({ from, to }) => Number.isFinite(from) && from <= to)
      if (found.length === 0) return groups[0] ?? ''
      periods.push(...found)
      if (!points) dates.push(groups[0] ?? '')
      return ' '
    })
  }
  return { periods, rest: [rest, ...dates].join(' '), dates: dates.join(' '), timeless: rest }
}
