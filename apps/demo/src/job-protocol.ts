/** What the supervisor asks of the job. */
export interface JobOrder {
  readonly directory: string;
  readonly input: string;
  readonly maxBytes: number;
  /** About how many checkpoints the whole input takes. */
  readonly checkpoints: number;
  /** Where to stop and wait to be killed. */
  readonly killAt?: KillPoint;
}

/** At a position of the input; or behind a chunk of the first save at or after a position. */
export interface KillPoint {
  readonly bytes?: number;
  readonly insideSaveFrom?: number;
  readonly chunk?: number;
}

/** What the job tells the supervisor. */
export type JobMessage =
  | { readonly type: 'started'; readonly from: number; readonly checkpoint: number }
  | { readonly type: 'saved'; readonly checkpoint: number; readonly bytesDone: number }
  | { readonly type: 'kill-me'; readonly where: string }
  | { readonly type: 'failed'; readonly message: string }
  | JobResult;

export interface JobResult {
  readonly type: 'finished';
  /** The id of the last checkpoint. */
  readonly checkpoint: string;
  readonly words: number;
  /** Hex, over the serialized state. */
  readonly sha256: string;
  /** Of the serialized state. */
  readonly bytes: number;
}
