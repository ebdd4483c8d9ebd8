import { request as httpRequest } from 'node:http';

/** What the control endpoint answered. */
export interface ControlAnswer {
  readonly status: number;
  /** Undefined when there is none. */
  readonly body: unknown;
}

/** Calls a control endpoint with any headers, those of browsers included. */
export function callControl(
  endpoint: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<ControlAnswer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(new URL(path, endpoint), { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, body: text === '' ? undefined : (JSON.parse(text) as unknown) });
      });
    });
    request.on('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
