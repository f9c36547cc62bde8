import { type Database, inTransaction } from '../../../../db/database.ts'
import { TERMS_VERSION } from '../../../../db/schema/engine-memories.ts'
import type { ModelProvider } from '../../../../ports/model-provider.ts'
import { askForJson } from '../../../../prompts/ask-for-json.ts'
import { signsOf } from '../../../../text/text-signs.ts'
import { documentTerms } from '../../../../text/tokenise.ts'
import { firstWords } from '../compose-memories.ts'
import { contentHash, embeddedText } from '../embeddings/embedded-text.ts'
import type { Embeddings } from '../embeddings/embeddings.ts'
import { scopeTerms } from '../text/scope-terms.ts'
import { anyTermQuery, bothQueries, partitionTerm, textVector } from '../text/text-vector.ts'
import { acceptFacts, type DrawnFact, type DrawnFacts, type KnownFact } from './fact.ts'
import { completeMetered, type MeterOptions } from './metered-model.ts'
import { factsQuestion } from './prompt.ts'
import {
  advanceSession,
  type Claim,
  closestFacts,
  type FactTerms,
  newestFacts,
  readEarlier,
  readUnread,
  storeFact,
  supersedeFacts,
} from './queries.ts'
import { firstWindow, MOST_ROWS, type Window } from './window.ts'

/** Facts that the model compares a window with. */
const MOST_KNOWN = 20
const MOST_COMPARED = 500
const MOST_TERMS = 100
/** Of one call. A window takes three at most, within its lease. */
const CALL_MS = 90_000

/** The claim is not held any more, or its session is gone: nothing was written. */
export class ClaimLostError extends Error {
  override name = 'ClaimLostError'
}

export interface DrawOptions extends MeterOptions {
  readonly db: Database
  readonly model: ModelProvider
  /** Is told of new texts. */
  readonly embeddings?: Pick<Embeddings, 'noticed'> | undefined
}

/** The next stretch of the session that the model is to read; undefined if there is none. */
export async function nextWindow(db: Database, claim: Claim): Promise<Window | undefined> {
  const unread = await readUnread(db, claim)
  return firstWindow(unread, await readEarlier(db, claim), unread.length < MOST_ROWS)
}

/** Asks the model what a window says. Fails with a `ModelError` or `BudgetSpentError`, or as `signal` is aborted. */
export async function drawFacts(
  options: DrawOptions,
  claim: Claim,
  window: Window,
  signal: AbortSignal,
): Promise<DrawnFacts> {
  if (window.messages.length === 0) return { facts: [], dropped: 0 }
  const known = await comparableFacts(options.db, claim, window)
  const { model } = options
  const answer = await askForJson(
    (request) =>
      completeMetered(
        options,
        claim,
        { purpose: 'facts', model },
        request,
        AbortSignal.any([signal, AbortSignal.timeout(CALL_MS)]),
      ),
    factsQuestion(window, known),
  )
  return acceptFacts(claim, answer, window, known)
}

/** Facts of the partition that may be repeated or contradicted: those that share words with the window, then the newest. */
async function comparableFacts(db: Database, claim: Claim, { messages }: Window): Promise<KnownFact[]> {
  const terms = termsToCompare(messages.map(({ text }) => text))
  const query = bothQueries(anyTermQuery([partitionTerm(claim)]), anyTermQuery(terms))
  const limits = { most: MOST_KNOWN, mostCompared: MOST_COMPARED }
  const close = terms.length > 0 ? await closestFacts(db, claim, query, limits) : []
  if (close.length === MOST_KNOWN) return close
  const ids = new Set(close.map(({ id }) => id))
  const newest = await newestFacts(db, claim, MOST_KNOWN)
  return [...close, ...newest.filter(({ id }) => !ids.has(id))].slice(0, MOST_KNOWN)
}

/** Some words of each text, so that a long one does not leave out the others. */
function termsToCompare(texts: readonly string[]): string[] {
  const share = Math.max(5, Math.floor(MOST_TERMS / Math.max(1, texts.length)))
  const chosen = new Set<string>()
  for (const text of texts) {
    const words = new Set(documentTerms(text).flatMap(({ term, kind }) => (kind === 'word' ? [term] : [])))
    for (const word of [...words].slice(0, share)) if (chosen.size < MOST_TERMS) chosen.add(word)
  }
  return [...chosen]
}

/** Stores what was drawn from a window together with how far the session is read. `ClaimLostError` if somebody else has it by now, or it was forgotten. */
export async function storeFacts(
  { db, embeddings }: DrawOptions,
  claim: Claim,
  window: Window,
  facts: readonly DrawnFact[],
): Promise<void> {
  const rows = facts.map((fact) => ({ fact, terms: termsOf(fact, claim, embeddings !== undefined) }))
  await inTransaction(db, async (tx) => {
    // First, as it locks the session: whoever forgets it deletes this row before its facts.
    if (!(await advanceSession(tx, claim, window.through)))
      throw new ClaimLostError('The session is not claimed any more.')
    for (const { fact, terms } of rows) await storeFact(tx, claim, fact, terms)
    for (const { fact } of rows) await supersede(tx, claim, fact)
  })
  if (rows.length > 0)
    await embeddings?.noticed(
      claim,
      rows.flatMap(({ terms }) => terms.contentHash ?? []),
    )
}

/** Whatever order sessions are read in, the newer statement holds. */
async function supersede(tx: Database, claim: Claim, fact: DrawnFact): Promise<void> {
  const older = fact.replaces.filter(({ timestamp }) => timestamp <= fact.timestamp)
  const newer = fact.replaces.find(({ timestamp }) => timestamp > fact.timestamp)
  const ids = older.map(({ id }) => id)
  if (ids.length > 0) await supersedeFacts(tx, claim, ids, fact.id)
  if (newer) await supersedeFacts(tx, claim, [fact.id], newer.id)
}

function termsOf(fact: DrawnFact, claim: Claim, isEmbedded: boolean): FactTerms {
  const { text, speaker } = fact
  const body = documentTerms(text)
  const subject = firstWords(text)
  return {
    subject,
    length: body.length,
    terms: textVector(
      scopeTerms(claim, fact, Date.now()),
      { title: [], speaker: documentTerms(speaker), body },
      signsOf(text),
    ),
    termsVersion: TERMS_VERSION,
    ...(isEmbedded && {
      contentHash: contentHash(embeddedText({ kind: 'fact', speaker, subject, body: text }, undefined)),
    }),
  }
}
