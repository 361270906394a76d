import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { keepSecrets } from './secrets.ts'

let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'frontrow secrets '))
})

afterEach(async () => {
  await rm(root, { recursive: true })
})

test('secrets are made once, each another, and only their user may read them', async () => {
  const folder = join(root, 'made', 'here')
  const made = await keepSecrets(folder)
  expect(await keepSecrets(folder)).toEqual(made)
  expect(new Set(Object.values(made)).size).toBe(3)
  for (const secret of Object.values(made)) expect(Buffer.from(secret, 'base64url')).toHaveLength(32)
  expect(await readdir(folder)).toEqual(['secrets.json'])
  expect((await stat(join(folder, 'secrets.json'))).mode & 0o777).toBe(0o600)
  expect((await stat(folder)).mode & 0o066).toBe(0)
})

test('first starts at the same moment agree', async () => {
  const all = await Promise.all(Array.from({ length: 8 }, () => keepSecrets(root)))
  expect(new Set(all.map((secrets) => JSON.stringify(secrets))).size).toBe(1)
  expect(await readdir(root)).toEqual(['secrets.json'])
})

test('an operator may choose the token', async () => {
  const file = join(root, 'secrets.json')
  const made = await keepSecrets(root)
  await writeFile(file, JSON.stringify({ ...made, operatorToken: 'sesame-open-the-sale' }))
  expect((await keepSecrets(root)).operatorToken).toBe('sesame-open-the-sale')
})

test.each([
  ['empty', ''],
  ['cut off', '{"tokenSecret": "abc'],
  ['without one of them', JSON.stringify({ tokenSecret: 'x'.repeat(43), operatorToken: 'x'.repeat(43) })],
  ['with a short one', JSON.stringify({ tokenSecret: 'x', operatorToken: 'x', databasePassword: 'x' })],
  ['null', 'null'],
])('a file that is %s stops the start, is named, and is not replaced', async (_, text) => {
  const file = join(root, 'secrets.json')
  await writeFile(file, text)
  await expect(keepSecrets(root)).rejects.toMatchObject({
    name: 'StartFailure',
    message: expect.stringContaining(`${file} is damaged`),
  })
  expect(await readFile(file, 'utf8')).toBe(text)
})

test('a file in the place of the folder is named', async () => {
  const folder = join(root, 'file')
  await writeFile(folder, '')
  await expect(keepSecrets(folder)).rejects.toMatchObject({
    name: 'StartFailure',
    message: expect.stringContaining(`${folder}: something else is in its place`),
  })
})
