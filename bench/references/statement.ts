import postgres from 'postgres'
import { listen } from './listen.ts'

// A server of node:http that makes one prepared statement for each request, on the database that follows: reads a row by its key, or, at a path that ends in
// `/add`, commits one. Its table has so many rows that they are not all the same.

const ROWS = 1_000
const sql = postgres(process.argv[2] ?? '', { max: 10, onnotice: () => {} })
await sql`create table if not exists bench_rows (id bigint generated always as identity primary key, body jsonb not null)`
await sql`truncate bench_rows restart identity`
await sql`insert into bench_rows (body) select jsonb_build_object('text', repeat('a row of the benchmark ', 40)) from generate_series(1, ${ROWS})`

let turn = 0
listen((incoming, outgoing) => {
  incoming.resume()
  const rows = incoming.url?.endsWith('/add')
    ? sql`insert into bench_rows (body) values (${sql.json({ text: 'a message of the benchmark' })}) returning id`
    : sql`select id, body from bench_rows where id = ${1 + (turn++ % ROWS)}`
  rows.then(
    (found) => {
      const text = JSON.stringify({ rows: found })
      outgoing.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
      outgoing.end(text)
    },
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`)
      outgoing.writeHead(500).end()
    },
  )
})
