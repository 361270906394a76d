import Type from 'typebox'
import { httpProblem } from './problem.ts'

/** Fields that many calls share. */
export const uuid = (options: { description?: string } = {}) => Type.String({ format: 'uuid', ...options })
export const time = (options: { description?: string } = {}) =>
  Type.String({ format: 'date-time', ...options })
export const won = (options: { description?: string } = {}) => Type.Integer(options)
export const nextCursor = Type.Union([Type.String(), Type.Null()], {
  description: 'The `cursor` of the next page; null on the last.',
})

/** A line of text for people: at least one visible character, and none that controls a terminal or ends a string. */
export const line = (maxLength: number, options: { description?: string } = {}) =>
  Type.String({
    minLength: 1,
    maxLength,
    pattern: '^[^\\u0000-\\u001f\\u007f]*[^\\s\\u0000-\\u001f\\u007f][^\\u0000-\\u001f\\u007f]*$',
    ...options,
  })

/**
 * Reads a time whose form was checked. A leap second has that form and is still no time; one whose year in UTC is
 * not of four digits could be kept and never answered.
 */
export function readTime(text: string, field: string): Date {
  const read = new Date(text)
  const year = read.getUTCFullYear()
  if (!(year >= 1 && year <= 9999)) {
    throw httpProblem('invalid-request', { faults: [{ field, message: 'must be a time that exists' }] })
  }
  return read
}
