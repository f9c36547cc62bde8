import type { MemoryType } from '../schemas.ts'

/** What a memory of a type matters when nothing else speaks for or against it. */
export const BASE_IMPORTANCE: Readonly<Record<MemoryType, number>> = {
  preference: 0.5,
  fact: 0.45,
  experience: 0.4,
  goal: 0.6,
  relationship: 0.6,
}

export interface ImportanceCue {
  readonly name: string
  readonly change: number
  readonly cue: RegExp
}

/** Each counts once; together they move the base up or down. */
export const IMPORTANCE_CUES: readonly ImportanceCue[] = [
  {
    name: 'health and safety',
    change: 0.35,
    cue: /\b(?:allerg\w*|anaphyla\w*|diabet\w*|asthma\w*|epilep\w*|medications?|medicine|prescri\w*|insulin|diagnos\w*|disease|cancer|surgery|pregnan\w*|disab\w*|blood type|emergency|suicid\w*|depress\w*|intoleran\w*|wheelchair|celiac|coeliac)\b|过敏|糖尿病|哮喘|癫痫|药|确诊|疾病|癌|手术|怀孕|残疾|血型|急救|紧急|抑郁|不耐受/i,
  },
  {
    name: 'who someone is',
    change: 0.2,
    cue: /\b(?:my name|names? (?:is|are)|named|is called|call me|born (?:in|on)|birthday|anniversary|years? old|pronouns?|nationality|native (?:language|speaker))\b|我叫|名字|姓名|生日|出生|纪念日|\d岁|叫我|国籍|母语/i,
  },
  {
    name: 'where to reach someone',
    change: 0.2,
    cue: /[\w.+-]{1,64}@[\w-]{1,64}\.\w|(?<![\d.])(?!\d{4}-\d\d-\d\d)\+?\d[\d\s().-]{7,20}\d|\b(?:phone|e-?mail|address|contact|lives? (?:in|at)|time ?zone)\b|电话|手机|邮箱|地址|微信|住在|时区/i,
  },
  {
    name: 'deadlines',
    change: 0.2,
    cue: /\b(?:deadline|due (?:on|by|date|in)|by (?:the end of|monday|tuesday|wednesday|thursday|friday|saturday|sunday|tomorrow|next)|expires?|appointment|exam|interview|wedding|launch(?:es)? on|meeting (?:on|at))\b|截止|到期|之前(?:完成|提交|交)|预约|考试|面试|婚礼|开会|会议/i,
  },
  {
    name: 'rules',
    change: 0.15,
    cue: /\b(?:always|never|must(?: not)?|under no circumstances|strictly|require[sd]?|mandatory|forbidden)\b|总是|永远|从不|从来不|必须|一定要|千万|绝对|禁止|务必/i,
  },
  {
    name: 'said to matter',
    change: 0.2,
    cue: /\b(?:important|importantly|crucial|critical|essential|vital|urgent|remember|don['’]?t forget|keep in mind|priority|serious(?:ly)?)\b|重要|关键|紧急|记住|别忘|牢记|优先/i,
  },
  {
    name: 'money and law',
    change: 0.1,
    cue: /\b(?:salary|budget|mortgage|loan|debt|invest\w*|contract|insurance|visa|legal|lawsuit|tax(?:es)?|rent)\b|[$€£¥]\s?\d|工资|预算|房贷|贷款|债|投资|合同|保险|签证|法律|税|房租/i,
  },
  {
    name: 'dates',
    change: 0.05,
    cue: /\b(?:\d{4}-\d{2}-\d{2}|\d{1,2}\/\d{1,2}\/\d{2,4}|(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)\w*\.? \d{1,2}|\d{1,2}(?:st|nd|rd|th)|(?:19|20)\d{2}|next (?:week|month|year))\b|\d{1,4}年|\d{1,2}月\d{1,2}[日号]|明年|下个?月|下周/i,
  },
  { name: 'numbers', change: 0.05, cue: /\d/ },
  {
    name: 'strong words',
    change: 0.05,
    cue: /\b(?:love|hate|obsessed|absolutely|can['’]?t stand|favou?rite|dream|passionate)\b|最喜欢|最爱|热爱|讨厌|受不了|梦想/i,
  },
  {
    name: 'small talk',
    change: -0.4,
    cue: /\b(?:weather|sunny|rainy|raining|lol|haha\w*|bored|just (?:chatting|saying|kidding|checking|testing)|kidding|joking|whatever|blah|hungry|sleepy|tired today|long day|nothing much|not much)\b|天气|哈哈|无聊|随便聊|开玩笑|困了|饿了|没什么事|没啥/i,
  },
  {
    name: 'doubt',
    change: -0.1,
    cue: /\b(?:maybe|perhaps|probably|possibly|not sure|I guess|kind of|sort of)\b|可能|也许|大概|或许|好像|说不定/i,
  },
]

/** What nobody stated: a question, a request. */
export const UNSTATED_IMPORTANCE = 0.15
