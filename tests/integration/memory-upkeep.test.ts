import { beforeAll, describe, expect, it } from 'vitest'
import { consolidateMemories } from '../../src/domain/memories/consolidate-memories.ts'
import { archiveMemories } from '../../src/domain/memories/delete-memories.ts'
import { forgetMemories } from '../../src/domain/memories/forget-memories.ts'
import { getMemory } from '../../src/domain/memories/get-memory.ts'
import { linkMemories } from '../../src/domain/memories/link-memories.ts'
import { listMemories } from '../../src/domain/memories/list-memories.ts'
import { memoryClusters } from '../../src/domain/memories/memory-clusters.ts'
import { memoryGraph } from '../../src/domain/memories/memory-graph.ts'
import { memoryHistory } from '../../src/domain/memories/memory-history.ts'
import { projectScope } from '../../src/domain/memories/memory-scope.ts'
import { memoryStats } from '../../src/domain/memories/memory-stats.ts'
import { tierOf } from '../../src/domain/memories/memory-tier.ts'
import { type PruneInput, pruneMemories } from '../../src/domain/memories/prune-memories.ts'
import type { MemoryRow } from '../../src/domain/memories/queries.ts'
import { recalculateImportance } from '../../src/domain/memories/recalculate-importance.ts'
import { recordFeedback } from '../../src/domain/memories/record-feedback.ts'
import { relinkMemories } from '../../src/domain/memories/relink-memories.ts'
import { runMaintenance } from '../../src/domain/memories/run-maintenance.ts'
import { summarizeMemories } from '../../src/domain/memories/summarize-memories.ts'
import { updateMemory } from '../../src/domain/memories/update-memory.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { daysAgo, rowOf, someone } from '../helpers/memories.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await sharedGateway()
})

type Someone = Awaited<ReturnType<typeof someone>>
const textsOf = async ({ ctx, scope }: Someone) =>
  (await listMemories(ctx, scope, {}, { limit: 200, order: 'asc' })).items.map(({ content }) => content)

describe('pruning', () => {
  const rules = { maxAgeDays: 90, minImportance: 0.1, maxMemories: 2 }
  async function five() {
    const who = await someone(gateway)
    await who.remember('Old and of no importance', { importance: 0.01 }, { row: { createdAt: daysAgo(91) } })
    await who.remember('Of no importance', { importance: 0.09 })
    await who.remember('The third newest', {}, { row: { createdAt: daysAgo(89) } })
    await who.remember('The second newest')
    await who.remember('The newest')
    return who
  }
  const prune = ({ ctx, scope }: Someone, more: Partial<PruneInput> = {}) =>
    pruneMemories(ctx, scope, { ...rules, archiveOnly: true, dryRun: false, ...more })

  it('counts each memory for the first rule that it breaks, and says the same on a dry run, which changes nothing', async () => {
    const who = await five()
    const counts = { evaluated: 5, byAge: 1, byImportance: 1, byCount: 1 }
    const dry = await prune(who, { dryRun: true })
    expect(dry).toMatchObject({ ...counts, archived: 0, deleted: 0 })
    expect(await textsOf(who)).toHaveLength(5)
    const done = await prune(who)
    expect(done).toMatchObject({ ...counts, archived: 3, deleted: 0 })
    expect(done.pruned).toEqual(dry.pruned)
    expect(await textsOf(who)).toEqual(['The second newest', 'The newest'])
  })

  it('keeps what it archives, and not what it deletes', async () => {
    const [kept, gone] = [await five(), await five()]
    const [archived] = (await prune(kept)).pruned
    expect((await rowOf(gateway, archived!))?.archivedAt).toBeInstanceOf(Date)
    const report = await prune(gone, { archiveOnly: false })
    expect(report).toMatchObject({ archived: 0, deleted: 3 })
    for (const id of report.pruned) expect(await rowOf(gateway, id)).toBeUndefined()
  })

  it('takes nothing twice when it is done several times at once, and leaves others alone', async () => {
    const who = await someone(gateway)
    const other = await someone(gateway, who, 'bob@example.com')
    await other.remember('Not mine to prune', { importance: 0 })
    for (let index = 0; index < 12; index++) await who.remember(`Number ${index}`, { importance: 0 })
    const reports = await Promise.all([1, 2, 3].map(() => prune(who, { archiveOnly: false, maxMemories: undefined })))
    expect(reports.reduce((sum, { deleted }) => sum + deleted, 0)).toBe(12)
    expect(await textsOf(other)).toHaveLength(1)
  })

  it('does what was asked with its answer in one transaction, however little there is to do', async () => {
    const who = await someone(gateway)
    const told: unknown[] = []
    await pruneMemories(who.ctx, who.scope, { ...rules, archiveOnly: true, dryRun: true }, async (_tx, report) => {
      told.push(report.evaluated)
    })
    expect(told).toEqual([0])
  })
})

describe('consolidation', () => {
  it('keeps the better of two that say the same, and archives the other, superseded', async () => {
    const who = await someone(gateway)
    const weak = await who.remember('User prefers dark mode', { confidence: 0.6 })
    const strong = await who.remember('The user prefers dark mode.', { confidence: 0.9 })
    await who.remember('The cat is called Miso')
    const ask = { similarityThreshold: 0.9, dryRun: true }
    const merges = [{ kept: strong.id, superseded: [weak.id] }]
    expect(await consolidateMemories(who.ctx, who.scope, ask)).toMatchObject({ duplicatesFound: 1, merged: 0, merges })
    expect(await textsOf(who)).toHaveLength(3)
    const done = await consolidateMemories(who.ctx, who.scope, { ...ask, dryRun: false })
    expect(done).toMatchObject({ compared: 3, duplicatesFound: 1, merged: 1, merges, complete: true })
    expect(await rowOf(gateway, weak.id)).toMatchObject({ supersededBy: strong.id, archivedAt: expect.any(Date) })
    const { edges } = await memoryGraph(who.ctx, who.scope, { limit: 10 })
    expect(edges).toEqual([])
    expect(await consolidateMemories(who.ctx, who.scope, { ...ask, dryRun: false })).toMatchObject({ merged: 0 })
  })

  it('keeps both of two memories of which one denies what the other says', async () => {
    const who = await someone(gateway)
    for (const text of ['User likes green tea', 'User does not like green tea']) await who.remember(text)
    const done = await consolidateMemories(who.ctx, who.scope, { similarityThreshold: 0.5, dryRun: false })
    expect(done).toMatchObject({ compared: 2, duplicatesFound: 0 })
  })

  it('goes as far as the threshold says', async () => {
    const who = await someone(gateway)
    for (const text of ['User prefers dark mode in the editor', 'User prefers dark mode']) await who.remember(text)
    const found = async (similarityThreshold: number) =>
      (await consolidateMemories(who.ctx, who.scope, { similarityThreshold, dryRun: true })).duplicatesFound
    expect([await found(0.9), await found(0.85)]).toEqual([0, 1])
  })

  it('never compares the memories of two users', async () => {
    const ada = await someone(gateway)
    const bob = await someone(gateway, ada, 'bob@example.com')
    for (const one of [ada, bob]) await one.remember('Prefers dark mode in the editor')
    const all = projectScope(ada.ctx)
    const done = await consolidateMemories(ada.ctx, all, { similarityThreshold: 0.5, dryRun: false })
    expect(done).toMatchObject({ compared: 2, duplicatesFound: 0 })
  })

  it('merges once, when it is done several times at once', async () => {
    const who = await someone(gateway)
    for (let index = 0; index < 4; index++) await who.remember('Prefers dark mode in the editor')
    const ask = { similarityThreshold: 0.9, dryRun: false }
    const reports = await Promise.all([1, 2, 3].map(() => consolidateMemories(who.ctx, who.scope, ask)))
    expect(reports.reduce((sum, { merged }) => sum + merged, 0)).toBe(3)
    expect(await textsOf(who)).toHaveLength(1)
  })
})

const editors = [
  'User writes code in the Zed editor at work',
  'User writes code in the Zed editor at home',
  'User writes code in the Zed editor on trains',
]

describe('summaries', () => {
  it('are made once of each group of related memories, which stay', async () => {
    const who = await someone(gateway)
    const sources = []
    for (const text of editors) sources.push(await who.remember(text, { tags: [text.slice(-4)] }))
    await who.remember('The cat is called Miso')
    const { summaries } = await summarizeMemories(who.ctx, who.scope, {})
    expect(summaries).toHaveLength(1)
    const [{ memory, of }] = summaries as [(typeof summaries)[0]]
    expect(of.toSorted()).toEqual(sources.map(({ id }) => id).toSorted())
    expect(memory).toMatchObject({ isSummary: true, tags: expect.arrayContaining(['work', 'home', 'ains']) })
    expect(memory.keyPoints.length).toBeGreaterThan(0)
    const { edges } = await memoryGraph(who.ctx, who.scope, { limit: 10, memoryId: memory.id })
    expect(edges.map(({ fromId, type }) => [fromId, type])).toEqual(of.map(() => [memory.id, 'summary_of']))
    expect(await textsOf(who)).toHaveLength(5)
    expect((await summarizeMemories(who.ctx, who.scope, {})).summaries).toEqual([])
  })

  it('are made once, when they are asked for several times at once', async () => {
    const who = await someone(gateway)
    for (const text of editors) await who.remember(text)
    const made = await Promise.all([1, 2, 3].map(() => summarizeMemories(who.ctx, who.scope, {})))
    expect(made.flatMap(({ summaries }) => summaries)).toHaveLength(1)
    expect(await listMemories(who.ctx, who.scope, { isSummary: true }, { limit: 9, order: 'asc' })).toMatchObject({
      items: [{ isSummary: true }],
    })
  })

  it('of given memories are repeated as they are, and refused for what is not there or of two users', async () => {
    const ada = await someone(gateway)
    const bob = await someone(gateway, ada, 'bob@example.com')
    const ids = [await ada.remember('Likes tea'), await ada.remember('Has a boat')].map(({ id }) => id)
    const first = await summarizeMemories(ada.ctx, ada.scope, { ids })
    const again = await summarizeMemories(ada.ctx, ada.scope, { ids: ids.toReversed() })
    expect(again.summaries[0]).toMatchObject({ isNew: false, memory: { id: first.summaries[0]!.memory.id } })
    const { id: foreign } = await bob.remember('Likes coffee')
    const summarize = (scope: typeof ada.scope, of: string[]) => summarizeMemories(ada.ctx, scope, { ids: of })
    await expect(summarize(ada.scope, [...ids, foreign])).rejects.toMatchObject({ code: 'not_found' })
    await expect(summarize(projectScope(ada.ctx), [...ids, foreign])).rejects.toMatchObject({ code: 'invalid_request' })
    await expect(summarize(ada.scope, [])).rejects.toMatchObject({ code: 'invalid_request' })
  })
})

describe('links', () => {
  it('of similar memories are rebuilt, and those that a caller made stay', async () => {
    const who = await someone(gateway)
    const [one, two] = [await who.remember(editors[0]!), await who.remember(editors[1]!)]
    const far = await who.remember('The cat is called Miso')
    await linkMemories(who.ctx, who.scope, { from: one.id, to: far.id, type: 'similar', confidence: 0.2 })
    expect(await relinkMemories(who.ctx, who.scope)).toMatchObject({ compared: 3, linksCreated: 1, linksRemoved: 0 })
    expect(await relinkMemories(who.ctx, who.scope)).toMatchObject({ linksCreated: 0, linksRemoved: 0 })
    const { nodes, edges } = await memoryGraph(who.ctx, who.scope, { limit: 10 })
    expect(nodes).toHaveLength(3)
    expect(edges).toHaveLength(2)
    await updateMemory(who.ctx, who.scope, two.id, { content: 'Has moved to Porto' })
    expect(await relinkMemories(who.ctx, who.scope)).toMatchObject({ linksCreated: 0, linksRemoved: 1 })
    expect((await memoryGraph(who.ctx, who.scope, { limit: 10 })).edges).toMatchObject([{ toId: far.id }])
  })

  it('join two memories of one user, once, and no memory with itself', async () => {
    const ada = await someone(gateway)
    const bob = await someone(gateway, ada, 'bob@example.com')
    const [one, two] = [await ada.remember('Cause'), await ada.remember('Effect')]
    const foreign = await bob.remember('Effect')
    const link = (to: string | number, scope = ada.scope) =>
      linkMemories(ada.ctx, scope, { from: one.number, to, type: 'caused_by', metadata: { a: 1 } })
    expect(await link(two.number)).toMatchObject({ fromId: one.id, toId: two.id, type: 'caused_by', confidence: null })
    await expect(link(two.id)).rejects.toMatchObject({ code: 'conflict' })
    await expect(link(one.id)).rejects.toMatchObject({ code: 'invalid_request' })
    await expect(link(foreign.id)).rejects.toMatchObject({ code: 'not_found' })
    await expect(link(foreign.id, projectScope(ada.ctx))).rejects.toMatchObject({ code: 'not_found' })
  })

  it('are followed from a memory as far as asked', async () => {
    const who = await someone(gateway)
    const chain: MemoryRow[] = []
    for (const text of ['one', 'two', 'three', 'four']) chain.push(await who.remember(text))
    for (const [index, { id }] of chain.slice(1).entries()) {
      await linkMemories(who.ctx, who.scope, { from: id, to: chain[index]!.id, type: 'extends' })
    }
    const reach = async (depth: number, limit = 10) =>
      (await memoryGraph(who.ctx, who.scope, { limit, memoryId: chain[0]!.id, depth })).nodes.length
    expect([await reach(1), await reach(2), await reach(3), await reach(3, 2)]).toEqual([2, 3, 4, 2])
  })

  it('make clusters of memories that are alike', async () => {
    const who = await someone(gateway)
    for (const text of [...editors, 'The cat is called Miso']) await who.remember(text)
    const { clusters, complete } = await memoryClusters(who.ctx, who.scope, { limit: 5 })
    expect(complete).toBe(true)
    expect(clusters).toHaveLength(1)
    expect(clusters[0]?.memories.map(({ content }) => content).toSorted()).toEqual(editors.toSorted())
    expect(clusters[0]?.words).toContain('zed')
  })
})

describe('importance', () => {
  it('grows with accesses, and shrinks while nobody asks; computing it again changes nothing', async () => {
    const who = await someone(gateway)
    const used = await who.remember('Often read', { importance: 0.5 }, { row: { accessCount: 50 } })
    const idle = await who.remember('Never read', { importance: 0.5 }, { row: { createdAt: daysAgo(90) } })
    const said = await who.remember('Said anew', { importance: 0.5 })
    await updateMemory(who.ctx, who.scope, said.id, { importance: 0.9 })
    expect(await recalculateImportance(who.ctx, who.scope)).toMatchObject({ evaluated: 3, changed: 2 })
    const now = async ({ id }: { id: string }) => (await rowOf(gateway, id))?.importance
    expect(await now(used)).toBeCloseTo(1 - 0.5 * 0.98 ** 50, 3)
    expect(await now(idle)).toBeCloseTo(0.5 * 0.75, 3)
    expect(await now(said)).toBeCloseTo(0.9, 3)
    expect(await recalculateImportance(who.ctx, who.scope)).toMatchObject({ evaluated: 3, changed: 0 })
  })

  it('follows feedback: signals that agree amplify each other, and none goes beyond the bounds', async () => {
    const who = await someone(gateway)
    const { id } = await who.remember('Useful', { importance: 0.5 })
    const say = (signal: 'positive' | 'negative') => recordFeedback(who.ctx, who.scope, id, { signal })
    const first = await say('positive')
    expect(first).toMatchObject({ totalSignals: 1, signalCounts: { positive: 1, negative: 0 } })
    expect(first.importanceAfter).toBeCloseTo(0.55, 5)
    const second = await say('positive')
    expect(second.adjustment).toBeGreaterThan(first.adjustment)
    expect(second.trend).toMatchObject({ momentum: 'positive', consistency: 1, count: 2 })
    for (let index = 0; index < 12; index++) await say('negative')
    const last = await say('negative')
    expect(last.importanceAfter).toBeCloseTo(0.05, 5)
    expect(last.adjustment).toBe(0)
    expect(last.trend).toMatchObject({ momentum: 'negative', count: 10 })
    await recalculateImportance(who.ctx, who.scope)
    expect((await rowOf(gateway, id))?.importance).toBeCloseTo(0.05, 5)
  })

  it('of a memory of somebody else cannot be moved', async () => {
    const ada = await someone(gateway)
    const bob = await someone(gateway, ada, 'bob@example.com')
    const { id } = await ada.remember('Mine')
    const theirs = recordFeedback(bob.ctx, bob.scope, id, { signal: 'negative' })
    await expect(theirs).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('maintenance', () => {
  it('does all its jobs in their order, and says what each did', async () => {
    const who = await someone(gateway)
    for (const text of editors) await who.remember(text)
    await who.remember('Of no importance', { importance: 0.01 })
    const done = await runMaintenance(who.ctx, who.scope, 'all')
    expect(done).toMatchObject([
      { job: 'pruning', report: { evaluated: 4, archived: 1 } },
      { job: 'summarization', report: { summaries: [{ isNew: true }] } },
      { job: 'link-optimization', report: { linksCreated: 3 } },
      { job: 'importance-recalculation', report: { evaluated: 4 } },
    ])
    for (const { durationMs } of done) expect(durationMs).toBeGreaterThanOrEqual(0)
    expect(await runMaintenance(who.ctx, who.scope, 'pruning')).toMatchObject([{ job: 'pruning' }])
  })
})

describe('statistics', () => {
  it('count what is there, by type and state', async () => {
    const who = await someone(gateway)
    const bob = await someone(gateway, who, 'bob@example.com')
    await who.remember('Likes tea', { type: 'preference', importance: 0.4, confidence: 0.8 })
    await who.remember('猫', { type: 'fact', importance: 0.6, confidence: 0.6 })
    const { id } = await who.remember('Gone', { type: 'fact' })
    await archiveMemories(who.ctx, who.scope, [id])
    await bob.remember('Likes coffee', { type: 'preference' })
    const own = await memoryStats(who.ctx, who.scope)
    expect(own).toMatchObject({ visible: 2, archived: 1, expired: 0, summaries: 0, users: 1, textBytes: 12, files: 0 })
    expect(own.byType).toEqual([
      { type: 'fact', count: 1 },
      { type: 'preference', count: 1 },
    ])
    expect(own.averageImportance).toBeCloseTo(0.5, 5)
    expect(own.averageConfidence).toBeCloseTo(0.7, 5)
    expect(own.oldestAt).toBeInstanceOf(Date)
    expect(own.index.ready + own.index.pending).toBe(2)
    expect(await memoryStats(who.ctx, projectScope(who.ctx))).toMatchObject({ visible: 3, users: 2 })
  })

  it('of nobody are none', async () => {
    const { ctx, scope } = await someone(gateway)
    const empty = { visible: 0, averageImportance: null, oldestAt: null, byType: [], fileBytes: 0 }
    expect(await memoryStats(ctx, scope)).toMatchObject(empty)
  })
})

describe('history', () => {
  it('begins with the creation, and says what changed', async () => {
    const who = await someone(gateway)
    const { id } = await who.remember('Lives in Lisbon', { tags: ['home'] })
    await updateMemory(who.ctx, who.scope, id, { content: 'Lives in Porto' })
    await updateMemory(who.ctx, who.scope, id, { tags: ['home', 'moved'] })
    const { total, entries, trackedFields } = await memoryHistory(who.ctx, who.scope, id, { limit: 10, offset: 0 })
    expect(total).toBe(3)
    expect(entries.map(({ revision, event, changedFields }) => [revision, event, changedFields])).toEqual([
      [0, 'created', []],
      [1, 'updated', ['content']],
      [2, 'updated', ['tags']],
    ])
    expect(entries[1]?.diff).toEqual({ content: { old: 'Lives in Lisbon', new: 'Lives in Porto' } })
    expect(entries[1]?.actor).toBe(who.ctx.service.keyId)
    expect(trackedFields).toContain('importance')
    const page = await memoryHistory(who.ctx, who.scope, id, { limit: 1, offset: 1 })
    expect(page).toMatchObject({ total: 3, entries: [{ revision: 1 }] })
  })
})

describe('forgetting', () => {
  it('takes all that the filter finds, and nothing on a dry run', async () => {
    const who = await someone(gateway)
    for (const source of ['chat', 'chat', 'mail']) await who.remember(`From ${source}`, { source, tags: [source] })
    const ask = { filter: { sources: ['chat'], tags: ['chat'] }, dryRun: true }
    const dry = await forgetMemories(who.ctx, who.scope, ask)
    expect(dry).toMatchObject({ matched: 2, deleted: 0, memories: [{ source: 'chat' }, { source: 'chat' }] })
    const done = await forgetMemories(who.ctx, who.scope, { ...ask, dryRun: false })
    expect(done).toMatchObject({ matched: 2, deleted: 2 })
    expect(done.memories).toHaveLength(2)
    expect(await textsOf(who)).toEqual(['From mail'])
  })
})

describe('a tier', () => {
  it('is what age and the last access say, for one memory as for a filter', async () => {
    const who = await someone(gateway)
    const rows = [
      await who.remember('New'),
      await who.remember('A week old', {}, { row: { createdAt: daysAgo(8) } }),
      await who.remember('Read last week', {}, { row: { createdAt: daysAgo(400), lastAccessedAt: daysAgo(10) } }),
      await who.remember('Long ago', {}, { row: { createdAt: daysAgo(61) } }),
    ]
    expect(rows.map((row) => tierOf(row))).toEqual(['hot', 'warm', 'warm', 'cold'])
    for (const tier of ['hot', 'warm', 'cold'] as const) {
      const { items } = await listMemories(who.ctx, who.scope, { tier }, { limit: 9, order: 'asc' })
      const expected = rows.filter((row) => tierOf(row) === tier).map(({ id }) => id)
      expect(items.map(({ id }) => id).toSorted()).toEqual(expected.toSorted())
    }
  })

  it('is read like others by number', async () => {
    const who = await someone(gateway)
    const one = await who.remember('By number')
    await who.remember('Another')
    expect(await getMemory(who.ctx, who.scope, one.number)).toMatchObject({ id: one.id })
    const { items } = await listMemories(who.ctx, who.scope, { numbers: [one.number] }, { limit: 9, order: 'asc' })
    expect(items).toMatchObject([{ id: one.id }])
  })
})
