// The API's own figures beside the hub's, as Prometheus text. The registry is this API's, so that two can live in one process.

import { Counter, Histogram, Registry } from 'prom-client'

export interface HttpMetrics {
  /** `operation`: an operation's name, or a fixed one, so that the series stay few. */
  observe(answer: { operation: string; status: number; seconds: number }): void
  refused(reason: string): void
  text(): Promise<string>
}

export function httpMetrics(): HttpMetrics {
  const registry = new Registry()
  const seconds = new Histogram({
    name: 'muster_http_request_seconds',
    help: 'HTTP requests by operation and status; streams count until they end.',
    labelNames: ['operation', 'status'],
    registers: [registry],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
  })
  const refused = new Counter({
    name: 'muster_http_refused_upgrades_total',
    help: 'WebSocket upgrades refused, by error code.',
    labelNames: ['code'],
    registers: [registry],
  })
  return {
    observe: ({ operation, status, seconds: took }) => seconds.observe({ operation, status }, took),
    refused: (code) => refused.inc({ code }),
    text: () => registry.metrics(),
  }
}
