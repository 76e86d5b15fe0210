// How a connector is asked for on the command line: the flags of `muster host add` that make the `[connector]` part of a record.
// Each connector declares its own in flags.ts of its folder; src/connectors/flags.ts is the list of them.

export interface ConnectorFlag {
  /** `--port <port>`; without a value in it, a flag that is there or not. */
  readonly flags: string
  /** The field of the record that it gives. */
  readonly field: string
  readonly description: string
  /** What the value is. `file`: made absolute, for the hub's directory is another. Default: a text, or a switch without a value. */
  readonly value?: 'count' | 'file'
  /** What is said when it is given: what it risks. */
  readonly warning?: string
}

export interface ConnectorFlags {
  readonly kind: string
  /** The flag that chooses this connector. */
  readonly way: ConnectorFlag
  readonly others: readonly ConnectorFlag[]
  /** Whether the host wants to be shown a token. */
  readonly takesToken: boolean
}
