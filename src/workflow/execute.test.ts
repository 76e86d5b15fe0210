import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { failure } from '../contract/errors.ts'
import type { EventBody, RunEvent } from '../contract/event.ts'
import type { Run, RunSpecInput } from '../contract/run.ts'
import { checkWorkflow } from './check.ts'
import type { Dispatcher } from './dispatcher.ts'
import { executeWorkflow } from './execute.ts'
import { resolveInputs } from './inputs.ts'
import type { WorkflowResult, WorkflowWork } from './work.ts'

interface Outcome {
  readonly code: number
  readonly stdout?: string
  /** Ends only when it is cancelled. */
  readonly hangs?: boolean
}

/** The fleet as a model: a run happens once, whoever submits it how often; its outcome depends on its argv. */
function modelFleet(outcomeOf: (argv: string[], host: string) => Outcome = () => ({ code: 0 })) {
  const runs = new Map<
    string,
    { spec: string; host: string; submissions: number; ended: Promise<{ run: Run; stdout: string }>; cancel: () => void }
  >()
  const log = { live: 0, peak: 0, starts: [] as string[], cancels: [] as string[] }

  function start(run: string, host: string, spec: RunSpecInput) {
    const argv = spec.kind === 'command' ? spec.argv : []
    const { code, stdout = '', hangs = false } = outcomeOf(argv, host)
    const { promise: cancelled, resolve: cancel } = Promise.withResolvers<void>()
    log.peak = Math.max(log.peak, ++log.live)
    log.starts.push(run)
    const ended = (async () => {
      const wasCancelled = await Promise.race([
        cancelled.then(() => true),
        hangs ? new Promise<never>(() => {}) : turns(1 + (argv.join('').length % 4)),
      ])
      log.live--
      return {
        run: runRow(run, host, wasCancelled === true ? 'cancelled' : code === 0 ? 'succeeded' : 'failed', code, stdout),
        stdout,
      }
    })()
    return { spec: JSON.stringify(spec), host, submissions: 1, ended, cancel }
  }

  const dispatcher: Dispatcher = {
    async submit({ run, host, spec }) {
      await turn()
      if (host.startsWith('offline')) throw failure('host.offline', { host, reason: 'it is switched off' })
      const known = runs.get(run)
      if (!known) runs.set(run, start(run, host, spec))
      else if (known.spec !== JSON.stringify(spec) || known.host !== host) throw failure('run.conflict', { run })
      else known.submissions++
    },
    async finished({ run }, signal) {
      const known = runs.get(run)
      return Promise.race([known?.ended ?? new Promise<never>(() => {}), aborted(signal)])
    },
    async cancel({ run }) {
      log.cancels.push(run)
      const known = runs.get(run)
      if (!known) throw failure('run.unknown', { run })
      known.cancel()
    },
  }
  return { dispatcher, runs, log }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

async function turns(count: number): Promise<false> {
  for (let i = 0; i < count; i++) await turn()
  return false
}

function runRow(id: string, host: string, state: Run['state'], code: number, stdout: string): Run {
  return {
    id,
    host,
    kind: 'command',
    state,
    title: id,
    parent: null,
    createdAt: '2026-01-01T00:00:00.000Z',
    startedAt: '2026-01-01T00:00:00.000Z',
    endedAt: '2026-01-01T00:00:01.500Z',
    pid: 1,
    exit: { code, signal: null },
    error: null,
    output: { stdout: Buffer.byteLength(stdout), stderr: 0 },
    lastEvent: 3,
    unreachableSince: null,
  }
}

/** A log that numbers events; after `lives` of them the process is dead: nothing is stored and nothing answers any more. */
function eventLog(history: readonly RunEvent[] = [], lives = Infinity) {
  const events: RunEvent[] = [...history]
  const { promise: died, resolve: die } = Promise.withResolvers<'died'>()
  const emit = async (body: EventBody) => {
    await turn()
    if (events.length >= lives) {
      die('died')
      return new Promise<never>(() => {})
    }
    events.push({ ...body, seq: events.length + 1, at: '2026-01-01T00:00:00.000Z' } as RunEvent)
    return undefined
  }
  return { events, emit, died }
}

type Fleet = ReturnType<typeof modelFleet>

async function perform(
  source: string | object,
  fleet: Fleet,
  options: {
    inputs?: Record<string, unknown>
    log?: ReturnType<typeof eventLog>
    history?: RunEvent[]
    signal?: AbortSignal
    work?: Partial<WorkflowWork>
  } = {},
) {
  const plan = checkWorkflow(typeof source === 'string' ? source : JSON.stringify(source), 'f.yaml')
  const log = options.log ?? eventLog(options.history)
  const lines: string[] = []
  const result = await Promise.race([
    log.died,
    executeWorkflow({
      plan,
      inputs: resolveInputs(plan, options.inputs ?? {}),
      run: 'W',
      defaultHost: 'local',
      history: [...log.events],
      dispatcher: fleet.dispatcher,
      emit: log.emit,
      write: async (_stream, text) => {
        lines.push(text)
      },
      signal: options.signal ?? new AbortController().signal,
      ...options.work,
    }),
  ])
  return {
    result: result as WorkflowResult,
    events: log.events,
    output: lines.join(''),
    ended: (step: string) => endOf(log.events, step),
  }
}

function endOf(events: readonly RunEvent[], step: string) {
  return events.find((event) => event.type === 'step.ended' && event.step === step)
}

const echo = (argv: string[]): Outcome => ({ code: 0, stdout: `${argv.slice(1).join(' ')}\n` })

describe('a workflow', () => {
  it('runs its steps in order and hands results on', async () => {
    const fleet = modelFleet(echo)
    const { result, events } = await perform(
      `
name: x
inputs: { who: { default: you } }
steps:
  - { id: a, run: [echo, "{{ inputs.who }}"] }
  - { id: b, run: [echo, "{{ steps.a.stdout }} {{ steps.a.exit_code }} {{ steps.a.state }} {{ run.id }}"], cwd: /tmp, env: { A: "{{ steps.a.stdout }}" }, timeout: 2s }
`,
      fleet,
    )
    expect(result).toEqual({ state: 'succeeded' })
    expect(events.map((event) => event.type)).toEqual([
      'step.started',
      'unit.started',
      'unit.ended',
      'step.ended',
      'step.started',
      'unit.started',
      'unit.ended',
      'step.ended',
    ])
    expect(JSON.parse(fleet.runs.get('W.b')?.spec ?? '')).toEqual({
      kind: 'command',
      argv: ['echo', 'you 0 succeeded W'],
      env: { A: 'you' },
      cwd: '/tmp',
      timeoutMs: 2000,
    })
    expect(events[2]).toMatchObject({ run: 'W.a', host: 'local', state: 'succeeded', stdout: 'you\n', durationMs: 1500 })
  })

  it('stores that a unit starts before it submits it', async () => {
    const fleet = modelFleet()
    const log = eventLog()
    const stored: boolean[] = []
    const submit: Dispatcher['submit'] = async (unit) => {
      stored.push(log.events.some((event) => event.type === 'unit.started' && event.run === unit.run))
      await fleet.dispatcher.submit(unit)
    }
    await perform(
      'name: x\nsteps: [{ id: a, run: [a] }, { id: b, for_each: [1, 2], run: [b] }]',
      { ...(await fleet), dispatcher: { ...fleet.dispatcher, submit } },
      { log },
    )
    expect(stored).toEqual([true, true, true])
  })

  it('gives a shell line to /bin/sh as it stands', async () => {
    const fleet = modelFleet()
    await perform('name: x\nsteps: [{ id: a, shell: "echo $A; ls", env: { A: "1; rm x" } }]', fleet)
    expect(JSON.parse(fleet.runs.get('W.a')?.spec ?? '')).toMatchObject({
      argv: ['/bin/sh', '-c', 'echo $A; ls'],
      env: { A: '1; rm x' },
    })
  })

  it('spreads units over hosts in turn and attributes each', async () => {
    const fleet = modelFleet(echo)
    const { events } = await perform(
      `
name: x
inputs: { hosts: { type: list, default: [a, b] } }
steps:
  - id: s
    for_each: [1, 2, 3, 4, 5]
    distribute: { hosts: ["{{ inputs.hosts }}", c] }
    run: [echo, "{{ item }}/{{ loop.index }}/{{ loop.length }}/{{ loop.last }}"]
  - { id: t, run: [echo, '{{ steps.s.results | map: "host" | join: "," }}', "{{ steps.s.results.first.stdout }}", "{{ steps.s.failed.size }}"] }
`,
      fleet,
    )
    const starts = events.flatMap((event) =>
      event.type === 'unit.started' && event.step === 's' ? [[event.index, event.host, event.run]] : [],
    )
    expect(starts.sort()).toEqual([
      [0, 'a', 'W.s.0'],
      [1, 'b', 'W.s.1'],
      [2, 'c', 'W.s.2'],
      [3, 'a', 'W.s.3'],
      [4, 'b', 'W.s.4'],
    ])
    expect(JSON.parse(fleet.runs.get('W.t')?.spec ?? '').argv).toEqual(['echo', 'a,b,c,a,b', '1/1/5/false', '0'])
  })

  it.each([
    ['lines of a text', 'one\ntwo\n\n  \r\nthree\n', ['one', 'two', 'three']],
    ['a JSON array', '["a b", 2, {"k": 1}]', ['a b', '2', '{"k":1}']],
    ['text that only looks like one', '[oops', ['[oops']],
    ['nothing', '', []],
  ])('makes items of %s', async (_what, stdout, items) => {
    const fleet = modelFleet((argv) => (argv[0] === 'list' ? { code: 0, stdout } : echo(argv)))
    const { result, events } = await perform(
      'name: x\nsteps: [{ id: a, run: [list] }, { id: b, for_each: "{{ steps.a.stdout }}", run: [echo, "{{ item }}"] }]',
      fleet,
    )
    expect(result.state).toBe('succeeded')
    expect(events.flatMap((event) => (event.type === 'unit.started' && event.step === 'b' ? [event.item] : []))).toEqual(items)
  })

  it('keeps a list a list, and fields of its entries usable', async () => {
    const fleet = modelFleet(echo)
    await perform(
      'name: x\nsteps: [{ id: a, for_each: [{ n: 1, host: h }], host: "{{ item.host }}", run: [echo, "{{ item.n }}"] }]',
      fleet,
    )
    expect(fleet.runs.get('W.a.0')).toMatchObject({ host: 'h' })
  })

  it.each([
    [1, 1],
    [2, 2],
    [undefined, 4],
  ])('with max_parallel %s never runs more than %s units at once', async (maxParallel, most) => {
    const fleet = modelFleet(echo)
    await perform(
      {
        name: 'x',
        steps: [
          { id: 'a', for_each: Array.from({ length: 20 }, (_, i) => i), run: ['e', '{{ item }}'], max_parallel: maxParallel },
        ].map((step) => JSON.parse(JSON.stringify(step))),
      },
      fleet,
    )
    expect(fleet.log.peak).toBe(most)
    expect(fleet.log.starts).toHaveLength(20)
  })

  it('skips a step whose when is false, and says so', async () => {
    const fleet = modelFleet(() => ({ code: 3 }))
    const { result, ended } = await perform(
      `
name: x
steps:
  - { id: a, run: [a], continue_on_error: true }
  - { id: b, run: [b], when: steps.a.exit_code == 0 }
  - { id: c, run: ["{{ steps.b.state }}"], when: 'steps.b.state == "skipped" && steps.a.failed.size() == 1', continue_on_error: true }
`,
      fleet,
    )
    expect(result.state).toBe('succeeded')
    expect(ended('b')).toMatchObject({ state: 'skipped', reason: 'when is false' })
    expect(fleet.log.starts).toEqual(['W.a', 'W.c'])
  })

  it('does not send anybody to the output of what never ran', async () => {
    const { result } = await perform('name: x\nsteps: [{ id: a, host: offline, run: [e] }]', modelFleet())
    expect(result.error?.message).toContain('it is switched off')
    expect(result.error?.hint).toContain('`muster host show offline`')
  })

  it('starts nothing new after a failure, lets running units end, and fails', async () => {
    const fleet = modelFleet((argv) => ({ code: argv[1] === '2' ? 7 : 0 }))
    const { result, ended, events } = await perform(
      {
        name: 'x',
        steps: [
          { id: 'a', for_each: Array.from({ length: 50 }, (_, i) => i), max_parallel: 3, run: ['e', '{{ item }}'] },
          { id: 'b', run: ['b'] },
        ],
      },
      fleet,
    )
    expect(result).toMatchObject({ state: 'failed', error: { code: 'workflow.step_failed' } })
    expect(result.error?.message).toMatch(
      /^Step a failed: 1 of 50 units failed, the first of them unit 3 on local: it exited with 7\.$/,
    )
    expect(result.error?.hint).toContain('muster run logs W.a.2')
    expect(ended('a')).toMatchObject({ state: 'failed' })
    expect(fleet.log.starts.length).toBeLessThan(10)
    expect(events.filter((event) => event.type === 'unit.ended')).toHaveLength(fleet.log.starts.length)
    expect(fleet.log.starts).not.toContain('W.b')
  })

  it('goes on after failures where the step says so, and lists them', async () => {
    const fleet = modelFleet((argv) =>
      argv[0] === 'e' ? { code: argv[1] === 'bad' ? 1 : 0, stdout: `${argv[1]}\n` } : echo(argv),
    )
    const { result, ended } = await perform(
      `
name: x
steps:
  - { id: a, for_each: [good, bad, fine], run: [e, "{{ item }}"], continue_on_error: true }
  - { id: b, run: [echo, '{{ steps.a.failed | map: "item" | join: "," }}', "{{ steps.a.state }}"] }
`,
      fleet,
    )
    expect(result.state).toBe('succeeded')
    expect(ended('a')).toMatchObject({ state: 'succeeded' })
    expect(JSON.parse(fleet.runs.get('W.b')?.spec ?? '').argv).toEqual(['echo', 'bad', 'succeeded'])
  })

  it("counts a host that cannot be reached as its unit's failure", async () => {
    const fleet = modelFleet()
    const { result, events } = await perform(
      'name: x\nsteps: [{ id: a, for_each: [1, 2], distribute: { hosts: [offline-1, b] }, run: [e], continue_on_error: true }]',
      fleet,
    )
    expect(result.state).toBe('succeeded')
    expect(
      events
        .filter((event) => event.type === 'unit.ended')
        .map((event) => event.type === 'unit.ended' && [event.host, event.state, event.error?.code])
        .sort(),
    ).toEqual([
      ['b', 'succeeded', undefined],
      ['offline-1', 'failed', 'host.offline'],
    ])
  })

  it.each([
    [
      'an item without the field',
      'for_each: [{ a: 1 }, { b: 1 }], run: [e, "{{ item.a }}"], continue_on_error: true',
      'run[1] cannot be evaluated',
    ],
    [
      'a host that is no name',
      'for_each: [""], host: "{{ item }}", run: [e], continue_on_error: true',
      'host cannot be evaluated',
    ],
    ['an empty program', 'for_each: [""], run: ["{{ item }}"], continue_on_error: true', 'argv'],
  ])("counts %s as its unit's failure", async (_what, fields, message) => {
    const { result, events } = await perform(`name: x\nsteps: [{ id: a, ${fields} }]`, modelFleet())
    expect(result.state).toBe('succeeded')
    expect(events.flatMap((event) => (event.type === 'unit.ended' && event.error ? [event.error.message] : [])).join()).toContain(
      message,
    )
  })

  it.each([
    ['hosts that are none', 'for_each: [1], distribute: { hosts: "{{ inputs.l }}" }, run: [a]', 'distribute.hosts names no host'],
    ['items that are no list', 'for_each: "{{ inputs.n }}", run: [a]', 'for_each gave 5'],
    ['too many items', 'for_each: "{{ (1..10001) }}", run: [a]', 'gave 10001 items'],
    ['a condition that breaks', 'when: inputs.o > 3, run: [a]', 'when cannot be evaluated: no such overload'],
    ['a condition without end', 'when: "inputs.s.matches(\'^(a+)+$\')", run: [a]', 'it did not end within 1000 ms'],
  ])('fails the step for %s', async (_what, fields, message) => {
    const source = `name: x
inputs: { l: { type: list, default: [] }, n: { type: integer, default: 5 }, o: {}, s: { default: ${'a'.repeat(60)}b } }
steps: [{ id: a, ${fields} }]`
    const { result } = await perform(source, modelFleet())
    expect(result).toMatchObject({ state: 'failed', error: { code: 'workflow.step_failed' } })
    expect(result.error?.message).toContain(message)
    expect(result.error?.hint).toContain('docs/workflows.md')
  })

  it('does not let cut output pass for the whole', async () => {
    const fleet = modelFleet(() => ({ code: 0, stdout: 'ä'.repeat(40_000) }))
    const { result, events } = await perform(
      'name: x\nsteps: [{ id: a, run: [a] }, { id: b, for_each: "{{ steps.a.stdout }}", run: [b] }]',
      fleet,
    )
    const end = events.find((event) => event.type === 'unit.ended')
    expect(end).toMatchObject({ stdoutCut: true, stdout: 'ä'.repeat(32_768) })
    expect(result.error?.message).toContain('longer than the 64 KiB')
  })

  it('cancels live units, waits for them, and starts nothing more', async () => {
    const fleet = modelFleet(() => ({ code: 0, hangs: true }))
    const stop = new AbortController()
    const running = perform(
      'name: x\nsteps: [{ id: a, for_each: [1, 2, 3, 4, 5], max_parallel: 2, run: [e] }, { id: b, run: [b] }]',
      fleet,
      { signal: stop.signal },
    )
    while (fleet.log.live < 2) await turn()
    stop.abort(failure('call.cancelled'))
    const { result, ended, events } = await running
    expect(result).toEqual({ state: 'cancelled' })
    expect(ended('a')).toMatchObject({ state: 'cancelled' })
    expect(fleet.log).toMatchObject({ live: 0, cancels: ['W.a.0', 'W.a.1'] })
    expect(events.filter((event) => event.type === 'unit.ended')).toHaveLength(2)
  })

  it('is timed out where that is why it was stopped', async () => {
    const fleet = modelFleet(() => ({ code: 0, hangs: true }))
    const stop = new AbortController()
    const running = perform('name: x\nsteps: [{ id: a, run: [e] }]', fleet, { signal: stop.signal })
    while (fleet.log.live < 1) await turn()
    stop.abort(failure('run.timed_out', { run: 'W', ms: 5 }))
    expect((await running).result).toMatchObject({ state: 'timed_out', error: { code: 'run.timed_out' } })
  })

  it('gives up a cancelled unit that does not end', async () => {
    const fleet = modelFleet(() => ({ code: 0, hangs: true }))
    const deaf: Fleet = { ...(await fleet), dispatcher: { ...fleet.dispatcher, cancel: async () => {} } }
    const stop = new AbortController()
    const running = perform('name: x\nsteps: [{ id: a, run: [e] }]', deaf, { signal: stop.signal, work: { cancelWaitMs: 20 } })
    while (fleet.log.live < 1) await turn()
    stop.abort(failure('call.cancelled'))
    const { result, events } = await running
    expect(result.state).toBe('cancelled')
    expect(events.find((event) => event.type === 'unit.ended')).toMatchObject({
      state: 'cancelled',
      error: { code: 'call.deadline' },
    })
  })

  it('only lets go when its host stops', async () => {
    const fleet = modelFleet(() => ({ code: 0, hangs: true }))
    const stop = new AbortController()
    const log = eventLog()
    const running = perform('name: x\nsteps: [{ id: a, run: [e] }]', fleet, { signal: stop.signal, log })
    while (fleet.log.live < 1) await turn()
    const rejected = expect(running).rejects.toMatchObject({ code: 'host.stopped' })
    stop.abort(failure('host.stopped'))
    await rejected
    expect(fleet.log.cancels).toEqual([])
    expect(log.events.map((event) => event.type)).toEqual(['step.started', 'unit.started'])
  })

  it('ends as failed, with live units cancelled, when an event cannot be stored', async () => {
    const fleet = modelFleet((argv) => ({ code: 0, hangs: argv[1] !== '0' }))
    const log = eventLog()
    const emit = (body: EventBody) =>
      body.type === 'unit.ended' && body.index === 0 ? Promise.reject(new Error('disk full')) : log.emit(body)
    const { result } = await perform('name: x\nsteps: [{ id: a, for_each: [0, 1, 2], run: [e, "{{ item }}"] }]', fleet, {
      log,
      work: { emit },
    })
    expect(result).toMatchObject({ state: 'failed', error: { code: 'internal' } })
    expect(fleet.log.live).toBe(0)
  })

  it('makes valid run ids for its units whatever its own id is', async () => {
    for (const run of ['a.', 'x'.repeat(128)]) {
      const { events } = await perform('name: x\nsteps: [{ id: a, run: [e] }]', modelFleet(), { work: { run } })
      const unit = events.find((event) => event.type === 'unit.started')
      expect(unit?.type === 'unit.started' && unit.run).toMatch(/^[0-9a-f]{32}\.a$/)
    }
  })

  it('writes lines that no item can break or colour', async () => {
    const { output } = await perform(
      { name: 'x', steps: [{ id: 'a', for_each: ['\u001b[31mred\nline'], run: ['e', 'x'] }] },
      modelFleet(),
    )
    expect(output.trimEnd().split('\n')).toEqual([
      'a: 1 unit on local',
      'a 1 ( [31mred line) on local: started',
      'a 1 ( [31mred line) on local: succeeded after 1.5 s',
      'a: succeeded',
    ])
  })
})

describe('a resumed workflow', () => {
  const step = fc.record({
    fan: fc.constantFrom('none', 'list', 'lines', 'results'),
    keepGoing: fc.boolean(),
    when: fc.constantFrom('none', 'state', 'failed'),
    parallel: fc.integer({ min: 1, max: 3 }),
    hosts: fc.integer({ min: 1, max: 3 }),
    salt: fc.integer({ min: 0, max: 30 }),
  })

  function workflowOf(steps: { fan: string; keepGoing: boolean; when: string; parallel: number; hosts: number; salt: number }[]) {
    return {
      name: 'x',
      steps: steps.map(({ fan, keepGoing, when, parallel, hosts, salt }, i) => {
        const before = steps[i - 1]
        const list = Array.from({ length: salt % 5 }, (_, item) => item)
        const items = {
          none: undefined,
          list,
          lines: before?.fan === 'none' ? `{{ steps.s${i - 1}.stdout }}` : 'one\ntwo',
          results: before ? `{{ steps.s${i - 1}.results | map: "stdout" }}` : list,
        }[fan]
        return {
          id: `s${i}`,
          run: ['work', String(salt), ...(items === undefined ? [] : ['{{ item }}'])],
          continue_on_error: keepGoing,
          ...(items !== undefined && {
            for_each: items,
            max_parallel: parallel,
            distribute: { hosts: ['a', 'b', 'c'].slice(0, hosts) },
          }),
          ...(before &&
            when !== 'none' && {
              when: when === 'state' ? `steps.s${i - 1}.state == "succeeded"` : `steps.s${i - 1}.failed.size() == 0`,
            }),
        }
      }),
    }
  }

  const outcome = (argv: string[]): Outcome => {
    const sum = [...argv.join(' ')].reduce((total, char) => (total * 31 + char.charCodeAt(0)) % 1009, 7)
    return { code: sum % 11 === 0 ? 1 : 0, stdout: `${sum}\n${sum + 1}\n` }
  }
  const stepEnds = (events: readonly RunEvent[]) =>
    events.flatMap((event) => (event.type === 'step.ended' ? [[event.step, event.state]] : []))
  const unitEnds = (events: readonly RunEvent[]) =>
    events
      .flatMap((event) => (event.type === 'unit.ended' ? [[event.run, event.host, event.state, event.stdout].join()] : []))
      .sort()

  it('after a crash at any event reaches the same result, and runs nothing twice', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 4 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (steps, part) => {
          const source = workflowOf(steps)
          const whole = await perform(source, modelFleet(outcome))

          const fleet = modelFleet(outcome)
          const log = eventLog([], Math.floor(part * whole.events.length))
          await perform(source, fleet, { log })
          const stored = log.events.slice()
          const submissions = new Map([...fleet.runs].map(([run, { submissions: count }]) => [run, count]))
          const resumed = await perform(source, fleet, { history: stored })

          expect(resumed.result.state).toBe(whole.result.state)
          expect(stepEnds(resumed.events)).toEqual(stepEnds(whole.events))
          // With a failure, how many other units had started by then is a matter of chance.
          if (whole.result.state === 'succeeded') expect(unitEnds(resumed.events)).toEqual(unitEnds(whole.events))
          expect(new Set(fleet.log.starts).size).toBe(fleet.log.starts.length)
          for (const event of stored) {
            if (event.type === 'unit.ended') expect(fleet.runs.get(event.run)?.submissions).toBe(submissions.get(event.run))
          }
          const started = resumed.events.flatMap((event) => (event.type === 'unit.started' ? [event.run] : []))
          expect(new Set(started).size).toBe(started.length)
        },
      ),
      { numRuns: 150 },
    )
  })

  it('from every prefix of its whole history ends with the same history', async () => {
    const source = workflowOf([
      { fan: 'none', keepGoing: true, when: 'none', parallel: 1, hosts: 1, salt: 1 },
      { fan: 'lines', keepGoing: true, when: 'none', parallel: 2, hosts: 2, salt: 4 },
      { fan: 'results', keepGoing: true, when: 'state', parallel: 3, hosts: 3, salt: 9 },
    ])
    const whole = await perform(source, modelFleet(outcome))
    for (let length = 0; length <= whole.events.length; length++) {
      const resumed = await perform(source, modelFleet(outcome), { history: whole.events.slice(0, length) })
      expect(resumed.result).toEqual(whole.result)
      expect(unitEnds(resumed.events)).toEqual(unitEnds(whole.events))
    }
  })

  it('that is cancelled cancels what was under way and submits nothing', async () => {
    const source = 'name: x\nsteps: [{ id: a, for_each: [1, 2, 3], max_parallel: 2, run: [e, "{{ item }}"] }]'
    const fleet = modelFleet(() => ({ code: 0, hangs: true }))
    const log = eventLog([], 3)
    const first = perform(source, fleet, { log })
    while (fleet.log.live < 1) await turn()
    void first
    const { result, events } = await perform(source, fleet, {
      history: log.events.slice(0, 3),
      signal: AbortSignal.abort(failure('call.cancelled')),
    })
    expect(result.state).toBe('cancelled')
    expect(fleet.log.starts.length).toBeLessThanOrEqual(2)
    expect(
      events.filter((event) => event.type === 'unit.ended').map((event) => event.type === 'unit.ended' && event.state),
    ).toEqual(['cancelled', 'cancelled'])
  })

  it('refuses to go on with other units than it began with', async () => {
    const begun = await perform('name: x\nsteps: [{ id: a, for_each: [1, 2], run: [e] }]', modelFleet())
    const { result } = await perform('name: x\nsteps: [{ id: a, for_each: [1, 2, 3], run: [e] }]', modelFleet(), {
      history: begun.events.slice(0, 2),
    })
    expect(result).toMatchObject({ state: 'failed', error: { code: 'internal' } })
  })
})
