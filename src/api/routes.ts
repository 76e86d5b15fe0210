// The API's routes: nothing but the contract's operations, each at the place that the contract derives for it.

import { type HttpPlace, httpPlace } from '../contract/http.ts'
import type { Operation } from '../contract/operation.ts'
import { hostOperations, hubOperations } from '../contract/operations.ts'

export interface Route {
  readonly operation: Operation
  /** Who is asked: the hub itself, or the host that the path names. */
  readonly asks: 'hub' | 'host'
  readonly place: HttpPlace
}

export const routes: readonly Route[] = [
  ...hubOperations.map((operation) => routeOf(operation, 'hub')),
  ...hostOperations.map((operation) => routeOf(operation, 'host')),
]

function routeOf(operation: Operation, asks: Route['asks']): Route {
  return { operation, asks, place: httpPlace(operation, asks) }
}
