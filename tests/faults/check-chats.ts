import { call } from '../helpers/client.ts'
import { type ChatJournal, type SentChat, wordsOf } from './chat-journal.ts'
import { type Account, hashOf } from './journal.ts'

/** What the threads hold against what the clients know; every list should be empty. */
export interface ChatFindings {
  /** Its end was seen, and it is not there. */
  readonly lost: string[]
  /** There, but with another answer, or other files. */
  readonly different: string[]
  /** There twice, or though it was refused, or in a thread of others. */
  readonly unasked: string[]
  /** Not where it belongs: its answer does not follow it, or a later one comes before it. */
  readonly disordered: string[]
}

interface Shown {
  readonly role: string
  readonly content:
    | string
    | readonly { readonly type: string; readonly text?: string; readonly image?: string; readonly data?: string }[]
  readonly metadata?: { readonly finish_reason?: string }
}

interface Exchanged {
  readonly marker: string
  readonly question: Shown
  readonly answer: Shown | undefined
}

const PAGE = 200

export async function checkChats(journal: ChatJournal, url: string): Promise<ChatFindings> {
  const findings: ChatFindings = { lost: [], different: [], unasked: [], disordered: [] }
  const threads = Map.groupBy(journal.chats, ({ user, thread }) => `${user.id} ${thread}`)
  for (const chats of threads.values()) await checkThread(chats, url, findings)
  return findings
}

async function checkThread(chats: readonly SentChat[], url: string, findings: ChatFindings): Promise<void> {
  const [first] = chats
  if (!first) return
  const { user, thread } = first
  const there = new Map<string, Exchanged>()
  for (const exchanged of exchangesOf(await messagesOf(url, user, thread), `${user.id} ${thread}`, findings)) {
    if (there.has(exchanged.marker)) findings.unasked.push(`${thread} ${exchanged.marker}: twice`)
    there.set(exchanged.marker, exchanged)
  }
  for (const sent of chats) {
    const found = there.get(sent.marker)
    const name = `${thread} ${sent.marker} (${sent.outcome})`
    if (found) await compare(url, sent, found, name, findings)
    else if (sent.outcome === 'finished') findings.lost.push(name)
  }
  const sentHere = new Set(chats.map(({ marker }) => marker))
  for (const marker of there.keys()) if (!sentHere.has(marker)) findings.unasked.push(`${thread} ${marker}: never sent`)
  checkOrder(chats, [...there.keys()], findings)
}

/** Each client's own chats came one after the other. One that was late may be saved behind the next: its client went on before it was. */
function checkOrder(chats: readonly SentChat[], order: readonly string[], findings: ChatFindings): void {
  const inTime = chats.filter(({ outcome }) => outcome !== 'late')
  for (const own of Map.groupBy(inTime, ({ client }) => client).values()) {
    const places = own.map(({ marker }) => order.indexOf(marker)).filter((place) => place !== -1)
    if (places.some((place, index) => place < (places[index - 1] ?? -1)))
      findings.disordered.push(`${own[0]?.thread}: ${places.join()}`)
  }
}

async function compare(
  url: string,
  sent: SentChat,
  found: Exchanged,
  name: string,
  findings: ChatFindings,
): Promise<void> {
  if (sent.outcome === 'refused') findings.unasked.push(`${name}: was refused`)
  const wanted = wordsOf(sent.marker).join('')
  const said = found.answer ? textOf(found.answer) : ''
  const isCut = found.answer?.metadata?.finish_reason === 'cut_off'
  if (isCut ? !wanted.startsWith(said.trim()) || sent.outcome === 'finished' : said.trim() !== wanted.trim()) {
    findings.different.push(`${name}: ${JSON.stringify(found.answer)}`)
  }
  const hashes = await Promise.all(filesOf(found.question).map((path) => hashAt(url, sent.user, path)))
  const expected = sent.files.map(({ sha256 }) => sha256)
  if (hashes.join() !== expected.join())
    findings.different.push(`${name}: files ${hashes.join()} instead of ${expected.join()}`)
}

function exchangesOf(messages: readonly Shown[], name: string, findings: ChatFindings): Exchanged[] {
  const exchanges: Exchanged[] = []
  for (let at = 0; at < messages.length; at++) {
    const shown = messages[at]
    const marker = shown && /q-([0-9a-f]+)/.exec(textOf(shown))?.[1]
    if (!marker || shown.role !== 'user') {
      findings.disordered.push(`${name}: message ${at} is no question: ${JSON.stringify(shown)?.slice(0, 200)}`)
      continue
    }
    const next = messages[at + 1]
    if (next?.role === 'assistant') at++
    exchanges.push({ marker, question: shown, answer: next?.role === 'assistant' ? next : undefined })
  }
  return exchanges
}

/** The oldest first. */
export async function messagesOf(url: string, { key, id }: Account, thread: string): Promise<Shown[]> {
  const all: Shown[] = []
  for (;;) {
    const path = `/v1/memory/threads/${thread}/messages?order=asc&limit=${PAGE}&offset=${all.length}`
    const { status, body } = await call(url + path, {
      headers: { authorization: `Bearer ${key}`, 'x-resource-id': id },
    })
    if (status === 404) return all
    if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`)
    all.push(...body.messages)
    if (body.messages.length === 0 || all.length >= body.total) return all
  }
}

export function textOf({ content }: Shown): string {
  return typeof content === 'string' ? content : content.map(({ text }) => text ?? '').join('')
}

function filesOf({ content }: Shown): string[] {
  return typeof content === 'string' ? [] : content.flatMap(({ image, data }) => image ?? data ?? [])
}

async function hashAt(url: string, { key }: Account, path: string): Promise<string> {
  try {
    const response = await fetch(url + path, { headers: { authorization: `Bearer ${key}` } })
    const bytes = new Uint8Array(await response.arrayBuffer())
    return response.ok ? hashOf(bytes) : `status ${response.status}`
  } catch (error) {
    return `broken off: ${String(error)}`
  }
}
