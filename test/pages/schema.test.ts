import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { makeSchema, readDocument, schemaFile } from '../../web/make-api.ts'

/** As the formatter leaves it: only the spaces differ. */
const words = (text: string) => text.replaceAll(/[\s;,|]+/g, '')

test('the pages call the service as its OpenAPI document says (else: npm run web:api)', async () => {
  expect(words(await readFile(schemaFile, 'utf8'))).toBe(words(makeSchema(await readDocument())))
})
