/** Smaller memory is cheaper left to the collector. */
const WORTH_FREEING = 65_536;
/**
 * The C library keeps what is freed for the next allocation only up to the
 * largest block that it has seen go; beyond that every allocation is new pages,
 * faulted in one by one. More than 32 MiB it would not learn from.
 */
const PRIMING_BYTES = 8_388_608;

type TransferableBuffer = ArrayBuffer & { readonly transfer?: (length: number) => ArrayBuffer };

/**
 * Gives large buffers back at once. The collector comes late for memory that is
 * not its own, and ciphertext at gigabytes a second would be new pages each time.
 */
export class BufferFreer {
  #detach: ((buffer: TransferableBuffer) => void) | undefined;

  /**
   * Frees the memory of `bytes`, which is then empty. Nobody may be using it:
   * neither JavaScript nor a read or write that is under way. What is small, or
   * shares its buffer with something else, stays as it is.
   */
  free(bytes: Uint8Array): void {
    const { buffer } = bytes;
    if (bytes.byteLength < WORTH_FREEING || bytes.byteLength !== buffer.byteLength || !(buffer instanceof ArrayBuffer)) return;
    this.#detach ??= prime(detacher(buffer));
    this.#detach(buffer);
  }
}

function detacher(sample: TransferableBuffer): (buffer: TransferableBuffer) => void {
  if (sample.transfer !== undefined) return (buffer) => buffer.transfer?.(0);
  // Node 20. Nobody receives what is posted to a closed port, so it is freed there and then.
  const { port1 } = new MessageChannel();
  port1.close();
  return (buffer) => {
    port1.postMessage(undefined, [buffer]);
  };
}

function prime(detach: (buffer: TransferableBuffer) => void): (buffer: TransferableBuffer) => void {
  // Not zeroed: once it has worked, such a block would be touched page by page.
  detach(Buffer.allocUnsafeSlow(PRIMING_BYTES).buffer);
  return detach;
}
