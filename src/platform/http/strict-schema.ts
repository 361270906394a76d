import type { FastifySchema, FastifySchemaCompiler, FastifySerializerCompiler } from 'fastify'
import { Compile } from 'typebox/compile'
import { httpProblem } from './problem.ts'

type JsonSchema = {
  type?: string
  properties?: Record<string, { type?: string }>
  minProperties?: number
  required?: string[]
}

const canonicalInteger = /^(0|-?[1-9][0-9]{0,15})$/

/** Faults told of at once: enough to mend a request, not a book. */
const faultsShown = 10

/**
 * Paths and queries arrive as text. Where the schema asks for an integer, text that is exactly how that integer is
 * written becomes it; `1e3`, `0x10` or ` 7` stay text, and are refused.
 */
function readIntegers(schema: JsonSchema, input: Record<string, unknown>): Record<string, unknown> {
  const output: Record<string, unknown> = { ...input }
  for (const [name, value] of Object.entries(input)) {
    const isInteger = schema.properties?.[name]?.type === 'integer'
    if (isInteger && typeof value === 'string' && canonicalInteger.test(value)) output[name] = Number(value)
  }
  return output
}

/** Compiles schemas that refuse wrong types and unknown fields; nothing is coerced, defaulted or removed. */
export const strictValidator: FastifySchemaCompiler<FastifySchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema as object)
  const json = schema as JsonSchema
  const isText = httpPart === 'params' || httpPart === 'querystring'
  const mayBeEmpty =
    httpPart === 'body' && json.type === 'object' && !json.required?.length && !json.minProperties
  return (data: unknown) => {
    if (mayBeEmpty && (data === undefined || data === null)) return { value: {} }
    const value = isText ? readIntegers(json, data as Record<string, unknown>) : data
    if (validator.Check(value)) return { value }
    const faults = validator
      .Errors(value)
      .filter((fault) => fault.keyword !== 'boolean')
      .slice(0, faultsShown)
      .map((fault) => {
        const unknown = 'additionalProperties' in fault.params ? fault.params.additionalProperties : undefined
        return {
          field: `${httpPart}${fault.instancePath}`,
          message: Array.isArray(unknown) ? `has unknown fields: ${unknown.join(', ')}` : fault.message,
        }
      })
    return { error: httpProblem('invalid-request', { faults }) }
  }
}

/**
 * Answers are checked, never rounded or trimmed: one that does not fit its schema is a bug and becomes `internal`
 * instead of a wrong amount.
 */
export const strictSerializer: FastifySerializerCompiler<FastifySchema> = ({ schema, url, httpStatus }) => {
  const validator = Compile(schema as object)
  return (data: unknown) => {
    const json = JSON.stringify(data)
    if (!validator.Check(data) && !validator.Check(JSON.parse(json))) {
      const [fault] = validator.Errors(JSON.parse(json))
      throw new Error(`answer ${httpStatus} of ${url}: ${fault?.instancePath} ${fault?.message}`)
    }
    return json
  }
}
