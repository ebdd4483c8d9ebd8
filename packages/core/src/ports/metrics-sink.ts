import { METRICS } from './metric-names.ts';

/** Label names and values; values are from small fixed sets, never ids or names of tenants. */
export type MetricLabels = Readonly<Record<string, string>>;

/** Takes measurements. What an implementation throws is dropped: measuring never fails the work. */
export interface MetricsSink {
  /** Adds to a counter (names end in `_total`). */
  increment(name: string, labels: MetricLabels, by?: number): void;
  /** Adds an observation to a histogram; durations are in seconds. */
  observe(name: string, value: number, labels: MetricLabels): void;
}

/** Core's side of a sink: names by meaning, the prefix in one place, and no throw. */
export class Meter {
  readonly #sink: MetricsSink | undefined;
  readonly #prefix: string;

  /** @param prefix default `heliosdb` */
  constructor(sink: MetricsSink | undefined, prefix = 'heliosdb') {
    this.#sink = sink;
    this.#prefix = prefix;
  }

  /** Adds one to a counter. */
  increment(metric: keyof typeof METRICS, labels: MetricLabels): void {
    this.#quietly((sink) => {
      sink.increment(`${this.#prefix}_${METRICS[metric]}`, labels);
    });
  }

  /** Adds an observation; durations in seconds. */
  observe(metric: keyof typeof METRICS, value: number, labels: MetricLabels): void {
    this.#quietly((sink) => {
      sink.observe(`${this.#prefix}_${METRICS[metric]}`, value, labels);
    });
  }

  #quietly(report: (sink: MetricsSink) => void): void {
    if (this.#sink === undefined) return;
    try {
      report(this.#sink);
    } catch {
      // Measuring never fails the work that is measured.
    }
  }
}
