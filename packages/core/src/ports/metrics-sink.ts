/** Label names and values; values are from small fixed sets. */
export type MetricLabels = Readonly<Record<string, string>>;

/** Takes measurements. Implementations must not throw; what they throw is dropped. */
export interface MetricsSink {
  /** Adds to a counter (names end in `_total`). */
  increment(name: string, labels: MetricLabels, by?: number): void;
  /** Adds an observation to a histogram; durations are in seconds. */
  observe(name: string, value: number, labels: MetricLabels): void;
}
