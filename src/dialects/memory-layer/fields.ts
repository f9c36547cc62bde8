import { z } from 'zod'

/** A fault that only our own fields find; `params.type` is Pydantic's name for it. */
function refuse(ctx: z.RefinementCtx, type: string, message: string): never {
  ctx.addIssue({ code: 'custom', message, params: { type } })
  return z.NEVER
}

function inBounds(ctx: z.RefinementCtx, value: number, min: number, max: number): number {
  if (value < min) return refuse(ctx, 'greater_than_equal', `Input should be greater than or equal to ${min}`)
  if (value > max) return refuse(ctx, 'less_than_equal', `Input should be less than or equal to ${max}`)
  return value
}

/** A whole number, also as text, as in a query. */
export const integer = (min: number, max: number) =>
  z.unknown().transform((value, ctx): number => {
    if (typeof value === 'string') {
      if (!/^\s*[+-]?\d+(\.0+)?\s*$/.test(value)) {
        return refuse(ctx, 'int_parsing', 'Input should be a valid integer, unable to parse string as an integer')
      }
      return inBounds(ctx, Number(value), min, max)
    }
    if (typeof value !== 'number') return refuse(ctx, 'int_type', 'Input should be a valid integer')
    if (!Number.isInteger(value)) {
      return refuse(ctx, 'int_from_float', 'Input should be a valid integer, got a number with a fractional part')
    }
    return inBounds(ctx, value, min, max)
  })

/** A number, also as text, as in a query. */
export const float = (min: number, max: number) =>
  z.unknown().transform((value, ctx): number => {
    if (typeof value === 'string') {
      const number = value.trim() === '' ? Number.NaN : Number(value)
      if (!Number.isFinite(number)) {
        return refuse(ctx, 'float_parsing', 'Input should be a valid number, unable to parse string as a number')
      }
      return inBounds(ctx, number, min, max)
    }
    if (typeof value !== 'number') return refuse(ctx, 'float_type', 'Input should be a valid number')
    return inBounds(ctx, value, min, max)
  })

const TRUE = new Set(['true', '1', 'yes', 'y', 'on', 't'])
const FALSE = new Set(['false', '0', 'no', 'n', 'off', 'f'])

/** True or false, also as one of the words for them, as in a query. */
export const bool = z.unknown().transform((value, ctx): boolean => {
  if (typeof value === 'boolean') return value
  const word = String(value).toLowerCase()
  if ((typeof value === 'string' || typeof value === 'number') && (TRUE.has(word) || FALSE.has(word))) {
    return TRUE.has(word)
  }
  return refuse(ctx, 'bool_parsing', 'Input should be a valid boolean, unable to interpret input')
})
