/** What the model says, whatever it is asked. */
const text = 'The harbour of Bergen is full of ships, and the fish market opens at nine. '

export const WHOLE = JSON.stringify({
  id: 'chatcmpl-bench',
  object: 'chat.completion',
  model: 'bench',
  choices: [{ index: 0, message: { role: 'assistant', content: text.repeat(8) }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 20, completion_tokens: 120, total_tokens: 140 },
})

export const EVENTS = [
  ...Array.from({ length: 60 }, (_, at) => ({
    delta: at === 0 ? { role: 'assistant', content: '' } : { content: text.slice(at % 60, (at % 60) + 14) },
    finish_reason: null,
  })),
  { delta: {}, finish_reason: 'stop' },
].map((choice) => {
  const chunk = { id: 'chatcmpl-bench', object: 'chat.completion.chunk', model: 'bench' }
  return `data: ${JSON.stringify({ ...chunk, choices: [{ index: 0, ...choice }] })}\n\n`
})

export const END = 'data: [DONE]\n\n'
export const STREAM = `${EVENTS.join('')}${END}`

/** A model of this name sends an event every 20 ms, and never ends. */
export const ENDLESS = 'endless'
/** One of this name sends an event every 10 ms. */
export const PACED = 'paced'
/** One of this name answers with the memories that mem0 asks it to draw from what was said. */
export const EXTRACTS = 'extracts'
