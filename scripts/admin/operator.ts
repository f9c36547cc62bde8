/** A fault that its message alone explains. */
export class AdminError extends Error {}

/** A JSON object as the admin API answers it. */
export type Json = Record<string, unknown>

export interface Page extends Json {
  readonly next_cursor: string | null
}

type Query = Record<string, string | undefined>

/** What the commands stand on: a running gateway, or its database. Both take and give what the admin API does. */
export interface Operator extends AsyncDisposable {
  createAccount(input: Json): Promise<Json>
  listAccounts(query: Query): Promise<Page>
  getUsage(accountId: string, query: Query): Promise<Page>
  createKey(accountId: string, input: Json): Promise<Json>
  listKeys(accountId: string, query: Query): Promise<Page>
  rotateKey(accountId: string, keyId: string, input: Json): Promise<Json>
  revokeKey(accountId: string, keyId: string): Promise<void>
}

/** All pages of a list as one. */
export async function collect(field: string, ask: (cursor: string | undefined) => Promise<Page>): Promise<Json> {
  const all: unknown[] = []
  for (let cursor: string | undefined; ; ) {
    const { next_cursor: next, ...page } = await ask(cursor)
    all.push(...(page[field] as unknown[]))
    if (next === null) return { ...page, [field]: all }
    cursor = next
  }
}
