/** Writes `errors.md` from the one table of refusals: `npm run docs:errors`. A test fails while the two differ. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ProblemKind } from '../src/platform/http/problem.ts'
import { problems } from '../src/problems.ts'

export const errorsFile = join(import.meta.dirname, 'errors.md')

const introduction = `# Errors

Every refusal is \`application/problem+json\` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) with a \`code\` that
does not change. Read the code, not the title. \`429\` and \`503\` carry \`Retry-After\` in seconds.

\`\`\`json
${JSON.stringify(bodyOf('seat-taken'), undefined, 2)}
\`\`\`

Which calls give which codes is in the OpenAPI document of a running service (\`/docs\`, \`/openapi.json\`).

`

function bodyOf(code: keyof typeof problems): Record<string, unknown> {
  const { status, title, example }: ProblemKind = problems[code]
  return { type: `urn:problem:${code}`, title, status, code, ...example }
}

/** The page's text. */
export function errorsPage(): string {
  const kinds: [string, ProblemKind][] = Object.entries(problems)
  const rows = kinds
    .toSorted(([, a], [, b]) => a.status - b.status)
    .map(([code, { status, title, example }]) => {
      const members = example ? `\`${JSON.stringify(example).slice(1, -1)}\`` : ''
      return `| ${status} | \`${code}\` | ${title} | ${members} |`
    })
  return `${introduction}| status | code | meaning | more members |\n|---|---|---|---|\n${rows.join('\n')}\n`
}

if (import.meta.main) await writeFile(errorsFile, errorsPage())
