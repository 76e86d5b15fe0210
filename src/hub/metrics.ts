// The hub's figures in Prometheus text: hosts by status, jobs by state, the age of the oldest job that waits.

import { Gauge, Registry } from 'prom-client'
import { countJobs } from '../store/jobs/find.ts'
import type { Store } from '../store/store.ts'
import type { Fleet } from './fleet.ts'

export interface HubMetrics {
  text(): Promise<string>
}

export function hubMetrics({ store, fleet }: { store: Store; fleet: Fleet }): HubMetrics {
  const registry = new Registry()
  new Gauge({
    name: 'muster_hosts',
    help: 'Hosts by the status of their link.',
    labelNames: ['status'],
    registers: [registry],
    collect() {
      this.reset()
      for (const { connector } of fleet.all()) this.inc({ status: connector.state.status })
    },
  })
  new Gauge({
    name: 'muster_jobs',
    help: 'Jobs by state; ended ones are not counted.',
    labelNames: ['state'],
    registers: [registry],
    async collect() {
      this.reset()
      for (const { state, count } of await countJobs(store)) this.set({ state }, count)
    },
  })
  return { text: () => registry.metrics() }
}
