import { invalidArgument } from './gcp-error.ts';

/** A message as protobufjs gives it as a plain object: what was not sent is missing. */
export type Plain = Readonly<Record<string, unknown>>;

/** Reads a decoded request. Proto3 tells no empty string or empty bytes from none at all. */
export class Fields {
  readonly #plain: Plain;

  constructor(plain: Plain) {
    this.#plain = plain;
  }

  text(name: string): string {
    const text = this.#plain[name];
    return typeof text === 'string' ? text : '';
  }

  /** @throws GcpError INVALID_ARGUMENT when it is empty */
  requiredText(name: string): string {
    const text = this.text(name);
    if (text === '') throw invalidArgument(`The request is missing the field ${name}.`);
    return text;
  }

  number(name: string): number {
    return Number(this.#plain[name] ?? 0);
  }

  flag(name: string): boolean {
    return this.#plain[name] === true;
  }

  bytes(name: string): Uint8Array {
    const bytes = this.#plain[name];
    return bytes instanceof Uint8Array ? bytes : new Uint8Array(0);
  }

  texts(name: string): readonly string[] {
    const list = this.#plain[name];
    return Array.isArray(list) ? list.map(String) : [];
  }

  /** A message inside, or undefined when none was sent. */
  message(name: string): Fields | undefined {
    const inner = this.#plain[name];
    return typeof inner === 'object' && inner !== null ? new Fields(inner as Plain) : undefined;
  }

  /** An Int64Value, or undefined when none was sent. */
  wrapped(name: string): number | undefined {
    return this.message(name)?.number('value');
  }

  /** A Duration or a Timestamp in milliseconds, or undefined when none was sent. */
  milliseconds(name: string): number | undefined {
    const time = this.message(name);
    return time === undefined ? undefined : time.number('seconds') * 1_000 + Math.floor(time.number('nanos') / 1_000_000);
  }

  /** A map of texts. */
  labels(name: string): Readonly<Record<string, string>> {
    return Object.fromEntries(Object.entries((this.#plain[name] ?? {}) as Plain).map(([key, value]) => [key, String(value)]));
  }
}

/** A Timestamp or Duration, as protobufjs takes it. */
export function seconds(ms: number): { readonly seconds: number; readonly nanos: number } {
  return { seconds: Math.floor(ms / 1_000), nanos: (ms % 1_000) * 1_000_000 };
}
