import { sql } from 'drizzle-orm'
import { createEmbeddedBackend } from './src/adapters/memory-backend/embedded/index.ts'
import { openTestDatabase } from './tests/helpers/test-database.ts'
const words = Array.from({length:5000},(_, i)=>'w'+(i*7919%100000).toString(36)+'ing')
const zipf=()=>words[Math.floor(5000*Math.random()**4)]!
const c = await openTestDatabase(); const b = createEmbeddedBackend({db:c.db})
await c.db.execute(sql`drop index engine_memories_terms_idx`)
const s={projectId:'p1',senderId:'u1',sessionId:'s1'}; let ts=0
for (let k=0;k<20000;k+=500){ if(k%1000===0) s.projectId='p'+(k/1000%4?1:2); await b.add(s,Array.from({length:500},()=>({role:'user' as const,senderId:'u1',senderName:'Ada',timestamp:++ts,items:[{type:'text' as const,text:Array.from({length:30},zipf).join(' ')}]}))); await b.flush(s)}
await c.db.execute(sql`update engine_memories set terms = terms || (''''||'='||project_id||''':1')::tsvector`)
await c.db.execute(sql`vacuum engine_memories`)
let t0=performance.now(); await c.db.execute(sql`create index engine_memories_terms_idx on engine_memories using gin (terms) with (fastupdate=off)`); console.log('index', performance.now()-t0)
const {queryTerms}=await import('./src/adapters/memory-backend/embedded/text/tokenise.ts')
const q=queryTerms(Array.from({length:8},zipf).join(' ')).map(t=>`'${t.term}'`)
const show=async(t:string,x:ReturnType<typeof sql>)=>{ const t0=performance.now(); let r=await c.db.execute(x) as unknown as any; r=r.rows??r; console.log(t,Math.round(performance.now()-t0)); for (const l of r) console.log('  ',l['QUERY PLAN']) }
for (const an of [false,true]) { if (an) await c.db.execute(sql`analyze engine_memories`)
const qs=q.map(t=>`'=p1' & ${t}`)
await show('holders unnest',sql`explain analyze select (with held as materialized (select project_id, sender_id from engine_memories where terms @@ asked.query::tsquery limit 2000) select count(*)::int from held where project_id='p1' and sender_id='u1') from unnest(${sql.param(qs)}::text[]) with ordinality as asked(query, place)`)
await show('holders const',sql`explain analyze select ${sql.join(qs.map(x=>sql`(with held as materialized (select project_id, sender_id from engine_memories where terms @@ ${x}::tsquery limit 2000) select count(*)::int from held where project_id='p1' and sender_id='u1')`),sql`,`)}`)
const cq=`'=p1' & (${q.slice(0,3).join(' | ')})`
await show('cand '+cq,sql`explain analyze with m as materialized (select * from engine_memories where terms @@ ${cq}::tsquery) select id from m where project_id='p1' and sender_id='u1' and timestamp>=0 and timestamp<=99999999 order by ts_rank('{0.1,0.4,0.3,1}'::real[],terms,${cq}::tsquery,1) desc limit 200`) }
await b.close(); await c.close()
