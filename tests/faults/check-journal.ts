import { TestUser } from '../helpers/client.ts'
import {
  type Account,
  hashOf,
  type Journal,
  type SentDeletion,
  type SentFile,
  type SentMessages,
  type SentResource,
} from './journal.ts'

/** What the API shows against what the clients know; every list should be empty. */
export interface JournalFindings {
  /** Acknowledged, and not there. */
  readonly lost: string[]
  /** There, but with other bytes, ids or files. */
  readonly different: string[]
  /** A request whose effect is there by half. */
  readonly half: string[]
  /** There although it was refused or never sent, or there twice. */
  readonly unasked: string[]
  /** There although its deletion was acknowledged. */
  readonly returned: string[]
}

interface SeenFile {
  readonly attachment_id: string
  readonly size: number
}

interface SeenMessage {
  readonly message_id: string
  readonly content: readonly (SeenFile & { readonly type: string; readonly text?: string })[]
}

interface SeenResource extends SeenFile {
  readonly resource_id: string
  readonly title: string | null
}

interface View {
  readonly user: TestUser
  /** Messages by their text. */
  readonly messages: Map<string, SeenMessage[]>
  /** Resources by their title. */
  readonly resources: Map<string, SeenResource[]>
}

type Download = () => Promise<void>

const DOWNLOADS_AT_ONCE = 8

/** Reads everything of every user through the gateway at `url`, downloads and hashes each file, and compares. */
export async function checkJournal(journal: Journal, url: string): Promise<JournalFindings> {
  const findings: JournalFindings = { lost: [], different: [], half: [], unasked: [], returned: [] }
  const accounts = new Map(journal.uploads.map(({ user }) => [user.id, user]))
  const views = new Map<string, View>()
  for (const account of accounts.values()) {
    if (!(await isErased(journal, account, url, findings))) views.set(account.id, await viewOf(account, url))
  }
  checkDeletionsOfUnknownOutcome(journal, views, findings)
  const downloads: Download[] = []
  for (const upload of journal.uploads) {
    const view = views.get(upload.user.id)
    if (!view) continue
    const deletion = deletionOf(journal, upload)
    if (upload.kind === 'resource') downloads.push(...checkResource(upload, deletion, view, findings))
    else downloads.push(...checkMessages(upload, deletion, view, findings))
  }
  for (const { messages, resources } of views.values()) {
    // What was sent has been taken out.
    findings.unasked.push(...messages.keys(), ...resources.keys())
  }
  const worker = async () => {
    for (let next = downloads.pop(); next; next = downloads.pop()) await next()
  }
  await Promise.all(Array.from({ length: DOWNLOADS_AT_ONCE }, worker))
  return findings
}

/** Whether the user is gone; an erasure that was acknowledged leaves no key that is taken. */
async function isErased(journal: Journal, account: Account, url: string, findings: JournalFindings): Promise<boolean> {
  const erasure = journal.erasures.find(({ user }) => user.id === account.id)
  if (!erasure || erasure.outcome === 'refused') return false
  const { status } = await new TestUser(url, account.id, account.key).get('/sessions')
  if (status !== 401 && erasure.outcome === 'acknowledged') findings.returned.push(`user ${account.id}: ${status}`)
  return status === 401
}

async function viewOf(account: Account, url: string): Promise<View> {
  const user = new TestUser(url, account.id, account.key)
  const messages = new Map<string, SeenMessage[]>()
  for (const { kind, session_id } of await pages<{ kind: string; session_id: string }>(user, '/sessions', 'sessions')) {
    if (kind !== 'chat') continue
    for (const message of await pages<SeenMessage>(user, `/sessions/${session_id}/messages`, 'messages')) {
      append(messages, message.content[0]?.text ?? 'a message without text', message)
    }
  }
  const resources = new Map<string, SeenResource[]>()
  for (const resource of await pages<SeenResource>(user, '/resources', 'resources')) {
    append(resources, resource.title ?? 'a resource without title', resource)
  }
  return { user, messages, resources }
}

async function pages<T>(user: TestUser, path: string, name: string): Promise<T[]> {
  const items: T[] = []
  let cursor = ''
  do {
    const { status, body } = await user.get(`${path}?limit=200${cursor && `&cursor=${cursor}`}`)
    if (status !== 200) throw new Error(`GET ${path} answered ${status}: ${JSON.stringify(body)}`)
    items.push(...body[name])
    cursor = body.next_cursor ?? ''
  } while (cursor)
  return items
}

function append<T>(map: Map<string, T[]>, key: string, item: T): void {
  map.set(key, [...(map.get(key) ?? []), item])
}

function deletionOf(journal: Journal, upload: SentMessages | SentResource): SentDeletion | undefined {
  const target = upload.kind === 'resource' ? upload.resourceId : upload.session
  return journal.deletions.find(
    (deletion) => deletion.user.id === upload.user.id && deletion.target === target && deletion.outcome !== 'refused',
  )
}

/** Notes what is wrong with an upload; returns what is left to do: to compare the bytes. */
function checkMessages(
  sent: SentMessages,
  deletion: SentDeletion | undefined,
  { user, messages }: View,
  findings: JournalFindings,
): Download[] {
  const seen = sent.messages.map(({ text }) => take(messages, text, findings))
  const there = seen.filter((message) => message !== undefined)
  const name = `${sent.session}, ${sent.messages[0]?.text}`
  if (there.length > 0 && there.length < seen.length) {
    findings.half.push(`${name}: ${there.length} of ${seen.length} messages`)
    return []
  }
  if (!isAllowed(sent, deletion, there.length > 0, name, findings)) return []
  if (there.length === 0) return sent.attachmentIds.map((id) => () => expectGone(user, id, findings))
  if (sent.outcome === 'acknowledged' && there.some((message, at) => message.message_id !== sent.messageIds[at])) {
    findings.different.push(`${name}: ids`)
  }
  return there.flatMap((message, at) => {
    const files = message.content.filter(({ type }) => type !== 'text')
    const wanted = sent.messages[at]?.files ?? []
    if (files.length === wanted.length) {
      return files.map((file, index) => () => compare(user, name, file, wanted[index], findings))
    }
    findings.half.push(`${name}: ${files.length} of ${wanted.length} files`)
    return []
  })
}

function checkResource(
  sent: SentResource,
  deletion: SentDeletion | undefined,
  { user, resources }: View,
  findings: JournalFindings,
): Download[] {
  const seen = take(resources, sent.title, findings)
  if (!isAllowed(sent, deletion, seen !== undefined, sent.title, findings) || !seen) return []
  if (sent.outcome === 'acknowledged' && seen.resource_id !== sent.resourceId) {
    findings.different.push(`${sent.title}: id`)
  }
  return [() => compare(user, sent.title, seen, sent.file, findings)]
}

/** Takes it out of what was seen: what is left at the end was never sent. */
function take<T>(seen: Map<string, T[]>, name: string, findings: JournalFindings): T | undefined {
  const [first, ...more] = seen.get(name) ?? []
  if (more.length > 0) findings.unasked.push(`${name}: ${more.length + 1} times`)
  seen.delete(name)
  return first
}

function isAllowed(
  { outcome }: SentMessages | SentResource,
  deletion: SentDeletion | undefined,
  isThere: boolean,
  name: string,
  findings: JournalFindings,
): boolean {
  // An upload of unknown outcome may have been done after the deletion.
  if (deletion?.outcome === 'acknowledged' && outcome === 'acknowledged' && isThere) findings.returned.push(name)
  else if (outcome === 'refused' && isThere) findings.unasked.push(`${name}: was refused`)
  else if (outcome === 'acknowledged' && !isThere && !deletion) findings.lost.push(name)
  else return true
  return false
}

/** All of a session is there, or nothing of it. */
function checkDeletionsOfUnknownOutcome(
  journal: Journal,
  views: ReadonlyMap<string, View>,
  findings: JournalFindings,
): void {
  for (const { user, target, outcome } of journal.deletions) {
    if (outcome !== 'unknown' || !views.has(user.id)) continue
    const uploads = journal.uploads.filter(
      (upload): upload is SentMessages =>
        upload.kind === 'messages' && upload.session === target && upload.outcome === 'acknowledged',
    )
    const kept = uploads.filter(({ messages }) => messages.some(({ text }) => views.get(user.id)?.messages.has(text)))
    if (kept.length > 0 && kept.length < uploads.length) findings.half.push(`deletion of ${target}`)
  }
}

async function compare(
  user: TestUser,
  name: string,
  seen: SeenFile,
  wanted: SentFile | undefined,
  findings: JournalFindings,
): Promise<void> {
  const got = await download(user, seen.attachment_id)
  if (got === wanted?.sha256 && seen.size === wanted.size) return
  const list = got.startsWith('status') ? findings.lost : findings.different
  list.push(`${name}: ${seen.attachment_id}: ${got}`)
}

async function expectGone(user: TestUser, attachmentId: string, findings: JournalFindings): Promise<void> {
  const got = await download(user, attachmentId)
  if (got !== 'status 404') findings.returned.push(`${attachmentId}: ${got}`)
}

/** The hash of what comes, or why nothing does: the gateway breaks off when the bytes are not those that it took in. */
async function download({ base, key }: TestUser, attachmentId: string): Promise<string> {
  try {
    const headers = { authorization: `Bearer ${key}` }
    const response = await fetch(`${base}/attachments/${attachmentId}/content`, { headers })
    const bytes = new Uint8Array(await response.arrayBuffer())
    return response.ok ? hashOf(bytes) : `status ${response.status}`
  } catch (error) {
    return `broken off: ${String(error)}`
  }
}
