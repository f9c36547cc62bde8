import { Readable } from 'node:stream'
import { createHash } from 'node:crypto'
import { createEmbeddedBackend } from './src/adapters/memory-backend/embedded/index.ts'
import { openTestDatabase } from './tests/helpers/test-database.ts'
const words = Array.from({length:5000},(_, i)=>'w'+(i*7919%100000).toString(36)+'ing')
const han = '天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调阳云腾致雨露结为霜金生丽水玉出昆冈剑号巨阙珠称夜光果珍李柰菜重芥姜海咸河淡鳞潜羽翔龙师火帝鸟官人皇始制文字乃服衣裳'
const zipf=()=>words[Math.floor(5000*Math.random()**4)]!
const sentence=(i:number)=> i%3? Array.from({length:30},zipf).join(' ') : Array.from({length:100},()=>han[Math.floor(han.length*Math.random()**2)]).join('')
const c = await openTestDatabase(); const b = createEmbeddedBackend({db:c.db})
const s={projectId:'p1',senderId:'u1',sessionId:'s1'}
let ts=0
const pct=(a:number[],p:number)=>a.toSorted((x,y)=>x-y)[Math.floor(a.length*p)]!.toFixed(1)
for (const n of [5000,15000]) {
  let t0=performance.now()
  for (let k=0;k<n;k+=500){ await b.add(s,Array.from({length:500},()=>({role:'user' as const,senderId:'u1',senderName:'Ada',timestamp:++ts,items:[{type:'text' as const,text:sentence(ts)}]}))); await b.flush(s)}
  console.log(c.kind, ts,'memories; add+flush/s',Math.round(n/(performance.now()-t0)*1000))
  const en:number[]=[],zh:number[]=[]
  for (let i=0;i<60;i++){ t0=performance.now(); await b.search({projectId:'p1',senderId:'u1',query:Array.from({length:8},zipf).join(' '),topK:10}); en.push(performance.now()-t0)
   t0=performance.now(); await b.search({projectId:'p1',senderId:'u1',query:sentence(0).slice(0,14),topK:10}); zh.push(performance.now()-t0)}
  console.log('search en p50/p95',pct(en,.5),pct(en,.95),'zh',pct(zh,.5),pct(zh,.95))
}
const doc=Buffer.from(Array.from({length:60000},(_,i)=>zipf()+(i%12?' ':'. ')).join(''))
const f={kind:'doc' as const,name:'big.txt',ext:'txt',mimeType:'text/plain',size:doc.length,sha256:createHash('sha256').update(doc).digest('hex'),open:()=>Promise.resolve(Readable.from([doc])),presign:()=>Promise.resolve(undefined)}
const s2={...s,sessionId:'s2'}
let t0=performance.now(); await b.add(s2,[{role:'user',senderId:'u1',senderName:'Ada',timestamp:1,items:[{type:'file',file:f}]}]); console.log('add big',doc.length,Math.round(performance.now()-t0))
let worst=0,last=performance.now(); const iv=setInterval(()=>{worst=Math.max(worst,performance.now()-last);last=performance.now()},1); t0=performance.now(); await b.flush(s2); console.log('flush big ms',Math.round(performance.now()-t0),'loop stall',Math.round(worst)); clearInterval(iv)
t0=performance.now(); await b.forget({projectId:'p1',senderId:'u1'}); console.log('forget all',Math.round(performance.now()-t0))
console.log('rss',Math.round(process.memoryUsage().rss/1e6)); await b.close(); await c.close()
