import { isSentenceWorthKeeping } from '../worth-keeping.ts'
import { sentencesOf } from './sentences.ts'
import { inThirdPerson } from './third-person.ts'

const YES =
  /^(?:yes|yeah|yep|yup|correct|exactly|right|true|indeed|absolutely|definitely|sure|that['’]?s (?:right|correct|true)|that is (?:right|correct|true)|you(?:['’]re| are) right)(?![\w'’])|^(?:是的|是啊|对的|对啊|没错|正确|确实|对|是)(?=[\s，,。.!！]|$)/i
const BUT = /\b(?:but|except|not|no|actually|almost)\b|但|不过|其实|不是/i

/** What asks whether a statement is true, at its end. */
const TAG =
  /[,，]?\s*(?:right|correct|is that (?:right|correct|true)|isn['’]?t (?:it|that so)|don['’]?t you|aren['’]?t you|do I have that right|yes)\s*\?\s*$|[，,]?(?:对吗|对吧|是吗|是吧|没错吧|对不对|是不是|是这样吗)[？?]?\s*$/i

/** A yes without an if. */
export function isConfirmation(text: string): boolean {
  const plain = text.trim()
  return YES.test(plain) && !BUT.test(sentencesOf(plain)[0] ?? '')
}

/** What an assistant said of the user, as statements about "the user". */
export function confirmedIn(text: string): string[] {
  return sentencesOf(text).flatMap((sentence) => {
    const stated = sentence.replace(TAG, '')
    const turned = inThirdPerson(stated, 'you')
    return turned !== undefined && isSentenceWorthKeeping(turned) ? [turned] : []
  })
}
