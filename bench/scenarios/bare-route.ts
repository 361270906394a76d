import Fastify from 'fastify'

/**
 * The fastest that the service's framework can be: one route that answers `answer`, made beforehand, to
 * everyone. Says where it listens on its standard output.
 */
const answer = JSON.parse(process.argv[2] ?? '') as { headers: Record<string, string>; body: string }

const app = Fastify()
app.get('/v1/queue', (_request, reply) => reply.headers(answer.headers).send(answer.body))
process.stdout.write(`${await app.listen({ host: '127.0.0.1', port: 0 })}\n`)
process.once('SIGTERM', () => void app.close())
