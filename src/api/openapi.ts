// The OpenAPI 3.1 document, derived from the contract as the routes are: neither can have what the other lacks.

import { z } from 'zod'
import { catalogue, type ErrorCode } from '../contract/errors.ts'
import { apiBase, Problem, tunnelPath } from '../contract/http.ts'
import type { Operation } from '../contract/operation.ts'
import { sparseType } from '../contract/sparse.ts'
import { softwareVersion } from '../wire/protocol.ts'
import { jsonSchemaOf } from './json-schema.ts'
import { problemType } from './problem.ts'
import { type Route, routes } from './routes.ts'

type Json = Record<string, unknown>

const everywhere: readonly ErrorCode[] = [
  'input.invalid',
  'auth.required',
  'auth.invalid',
  'auth.forbidden',
  'auth.origin',
  'internal',
]
const withBody: readonly ErrorCode[] = ['http.media_type', 'http.body_too_large']
const ofHosts: readonly ErrorCode[] = [
  'host.unknown',
  'host.offline',
  'wire.closed',
  'wire.overloaded',
  'call.deadline',
  'operation.unknown',
]

export function openApiDocument(): Json {
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    const path = route.place.path.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.place.method.toLowerCase()]: describeRoute(route) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Muster',
      version: softwareVersion,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description: `Every operation of a hub and of its hosts. Nodes dial the WebSocket ${tunnelPath} (docs/protocol.md).`,
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    paths: { ...paths, ...systemDocument },
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: jsonSchemaOf(Problem, 'output') },
    },
  }
}

function describeRoute(route: Route): Json {
  const { operation, asks } = route
  return {
    operationId: operation.name,
    summary: operation.summary,
    tags: [asks === 'hub' ? 'hub' : 'host'],
    'x-muster-scope': operation.scope,
    parameters: parametersOf(route),
    ...requestBodyOf(route),
    responses: { ...successOf(operation), ...errorsOf(route) },
  }
}

function parametersOf({ operation, asks, place }: Route): Json[] {
  const { properties, required } = inputSchema(operation)
  const host = { name: 'host', in: 'path', required: true, description: 'A host, by name or id.', schema: { type: 'string' } }
  const inPath = place.pathFields.map((name) => ({ name, in: 'path', required: true, schema: properties[name] ?? {} }))
  const inQuery =
    place.restIn === 'body'
      ? []
      : Object.keys(properties)
          .filter((name) => !place.pathFields.includes(name))
          .map((name) => ({ name, in: 'query', required: required.includes(name), schema: properties[name] ?? {} }))
  return [...(asks === 'host' ? [host] : []), ...inPath, ...inQuery, ...headersOf(operation)]
}

function headersOf({ kind, input }: Operation): Json[] {
  const optional = (name: string, description: string) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string' },
  })
  if (kind === 'items' && 'after' in input.shape) return [optional('Last-Event-ID', 'As `after`; the greater of the two counts.')]
  if (kind === 'bytes' && 'offset' in input.shape)
    return [optional('Range', '`bytes=N-` or `bytes=N-M`: as `offset` and `limit`.')]
  return []
}

const anyBytes = { schema: { type: 'string', format: 'binary' } }
/** As they are, or with their zeros told (docs/api.md). */
const binary = { 'application/octet-stream': anyBytes, [sparseType]: anyBytes }

function requestBodyOf({ operation, place }: Route): Json {
  if (operation.kind === 'upload') {
    return {
      requestBody: { required: true, content: binary },
    }
  }
  if (place.restIn !== 'body') return {}
  const { properties, required } = inputSchema(operation)
  const names = Object.keys(properties).filter((name) => !place.pathFields.includes(name))
  const schema = {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(names.map((name) => [name, properties[name]])),
    required: names.filter((name) => required.includes(name)),
  }
  return { requestBody: { required: schema.required.length > 0, content: { 'application/json': { schema } } } }
}

function successOf({ kind, output, input, numberedBy, reports }: Operation): Json {
  if (kind === 'bytes') {
    return {
      200: { description: 'The bytes.', content: binary },
      ...('offset' in input.shape && { 206: { description: 'The bytes of the range.', content: binary } }),
    }
  }
  const schema = jsonSchemaOf(output, 'output')
  if (kind !== 'items')
    return { 200: { description: 'The answer.', content: { 'application/json': { schema }, ...progressOf(reports) } } }
  return {
    200: {
      description: `The items. As events: \`event: item\` with \`id:\` = ${numberedBy ?? 'none'}, then \`event: end\`, or \`event: error\` with a Problem.`,
      headers: {
        'Muster-Truncated': {
          description: '`true` when an array was cut at 10,000 items or 16 MiB.',
          schema: { type: 'string' },
        },
      },
      content: {
        'application/json': { schema: { type: 'array', items: schema } },
        'application/x-ndjson': { schema },
        'text/event-stream': { schema: { type: 'string' } },
      },
    },
  }
}

/** `event: progress` each, then `event: answer`. */
function progressOf(reports: Operation['reports']): Json {
  return reports ? { 'text/event-stream': { schema: { type: 'string' } } } : {}
}

function errorsOf(route: Route): Json {
  const { operation, asks, place } = route
  const codes = new Set<ErrorCode>([
    ...everywhere,
    ...operation.errors,
    ...(asks === 'host' ? ofHosts : []),
    ...(place.restIn === 'body' ? withBody : []),
    ...(operation.kind === 'upload' ? (['http.media_type'] as const) : []),
    ...(operation.kind === 'bytes' && 'offset' in operation.input.shape ? (['http.range'] as const) : []),
  ])
  const byStatus = Map.groupBy(codes, (code) => catalogue[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => [
      status,
      {
        description: ofStatus.map((code) => `\`${code}\``).join(', '),
        content: {
          [problemType]: {
            schema: {
              allOf: [{ $ref: '#/components/schemas/Problem' }, { type: 'object', properties: { code: { enum: ofStatus } } }],
            },
          },
        },
      },
    ]),
  )
}

function inputSchema(operation: Operation): { properties: Json; required: string[] } {
  const { properties = {}, required = [] } = jsonSchemaOf(operation.input, 'input') as { properties?: Json; required?: string[] }
  return { properties, required }
}

const answersText = (summary: string, operationId: string, type: string, open: boolean): Json => ({
  get: {
    operationId,
    summary,
    tags: ['system'],
    ...(open && { security: [] }),
    responses: {
      200: {
        description: 'The answer.',
        content: { [type]: { schema: jsonSchemaOf(type.endsWith('json') ? z.looseObject({}) : z.string(), 'output') } },
      },
      default: { description: 'A problem.', content: { [problemType]: { schema: { $ref: '#/components/schemas/Problem' } } } },
    },
  },
})

const systemDocument: Record<string, Json> = {
  '/': answersText('A page that says how to drive the hub.', 'system.page', 'text/html', true),
  '/healthz': answersText('Whether the process answers.', 'system.health', 'application/json', true),
  '/readyz': answersText('Whether the hub can do its work.', 'system.ready', 'application/json', true),
  '/metrics': answersText('Figures for Prometheus; needs the scope read.', 'system.metrics', 'text/plain', false),
  [`${apiBase}/openapi.json`]: answersText('This document.', 'system.openapi', 'application/json', false),
  [`${apiBase}/schemas/workflow.json`]: answersText(
    'The JSON Schema of workflow files.',
    'system.workflow_schema',
    'application/schema+json',
    false,
  ),
}
