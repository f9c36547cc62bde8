import { Column, is, SQL, Subquery } from 'drizzle-orm'

interface Decoder {
  mapFromDriverValue(value: unknown): unknown
}

/** Of a prepared statement of drizzle-orm: what it reads its rows by. */
interface Statement {
  readonly fields?: readonly { readonly path: readonly string[]; readonly field: unknown }[]
  customResultMapper?: (rows: readonly unknown[][]) => unknown[]
}

function decoderOf(field: unknown): Decoder {
  if (is(field, Column)) return field
  const { decoder } = (is(field, SQL)
    ? field
    : is(field, Subquery)
      ? field._.sql
      : (field as SQL.Aliased).sql) as unknown as {
    decoder: Decoder
  }
  return decoder
}

/**
 * Has a prepared statement find out once how each of its columns is read: drizzle-orm does it for each value, which takes as long as all the rest for
 * a statement of many rows. Rows with objects in them, as of joins, are left to drizzle-orm.
 */
export function readRowsQuickly<T extends object>(prepared: T): T {
  const statement = prepared as Statement
  const { fields } = statement
  if (!fields || statement.customResultMapper || fields.some(({ path }) => path.length !== 1)) return prepared
  const columns = fields.map(({ path: [name = ''], field }) => ({ name, decoder: decoderOf(field) }))
  statement.customResultMapper = (rows) =>
    rows.map((row) => {
      const read: Record<string, unknown> = {}
      for (const [index, { name, decoder }] of columns.entries()) {
        const value = row[index]
        read[name] = value === null ? null : decoder.mapFromDriverValue(value)
      }
      return read
    })
  return prepared
}
