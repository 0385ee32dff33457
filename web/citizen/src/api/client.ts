/**
 * The wire: one place that knows how the application speaks to the server. Same origin only, JSON, RFC 9457 problems; who calls is
 * said by a cookie that no script can read. Every call is bounded in time; what has no answer is {@link Offline}, never a
 * guess about what happened.
 */

import type { ProblemDocument } from './types';

/** Longest wait for an answer. Uploads get more. */
const PATIENCE_MS = 20_000;
const UPLOAD_PATIENCE_MS = 120_000;
/** A phone's clock that is off by less is left alone: `Date` counts in seconds. */
const SKEW_TOLERATED_MS = 5_000;

/** The server refused, and says why. */
export class Refused extends Error {
  readonly problem: ProblemDocument;
  readonly retryAfterSeconds: number | undefined;

  constructor(problem: ProblemDocument, retryAfterSeconds?: number) {
    super(problem.code);
    this.problem = problem;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** No answer came: the network is away, or the server. Whether the call was carried out is not known. */
export class Offline extends Error {}

export interface Call {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  json?: unknown;
  body?: Blob;
  /** Whether the browser may keep the answer, and ask whether it is still the same. */
  isKept?: boolean;
}

let skewMs = 0;

/** The server's time as far as this phone knows it: phones' clocks are wrong, and statements are dated. */
export function now(): number {
  return Date.now() + skewMs;
}

export async function callJson<T>(path: string, call: Call = {}): Promise<T> {
  const response = await send(path, call);
  return (response.status === 204 ? undefined : await read(response.json())) as T;
}

export async function callBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await send(path, {});
  return new Uint8Array(await read(response.arrayBuffer()));
}

/** A page of a document as a picture. */
export interface PagePicture {
  picture: Blob;
  /** Pages of the document. */
  pages: number;
}

export async function callPicture(path: string): Promise<PagePicture> {
  const response = await send(path, { isKept: true });
  const pages = Number(response.headers.get('x-page-count'));
  return { picture: await read(response.blob()), pages: pages > 0 ? pages : 1 };
}

async function send(path: string, { method, json, body, isKept }: Call): Promise<Response> {
  // The server takes cookies only with a header that no page of another site can add.
  const headers: Record<string, string> = {
    accept: 'application/json, application/pdf, image/*',
    'x-kyso-app': '1',
  };
  if (json !== undefined) {
    headers['content-type'] = 'application/json';
  } else if (body !== undefined) {
    headers['content-type'] = body.type;
  }
  const sent = fetch(path, {
    method: method ?? 'GET',
    headers,
    body: json === undefined ? body : JSON.stringify(json),
    cache: isKept === true ? 'no-cache' : 'no-store',
    credentials: 'same-origin',
    redirect: 'error',
  });
  const response = await read(bounded(sent, body === undefined ? PATIENCE_MS : UPLOAD_PATIENCE_MS));
  learnTime(response.headers.get('date'));
  if (response.ok) {
    return response;
  }
  throw await refusal(response);
}

/** A failure of the network, whatever the engine calls it, is {@link Offline}. */
async function read<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (cause) {
    throw cause instanceof Offline ? cause : new Offline('no usable answer');
  }
}

/** AbortController is younger than our oldest engines; an answer that comes too late is dropped. */
function bounded<T>(work: Promise<T>, patienceMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Offline('no answer in time')), patienceMs);
    const settle = () => clearTimeout(timer);
    work.then(resolve, reject).then(settle, settle);
  });
}

async function refusal(response: Response): Promise<Error> {
  try {
    const problem = (await response.json()) as ProblemDocument;
    if (typeof problem.code === 'string') {
      const after = Number(response.headers.get('retry-after'));
      return new Refused(problem, after > 0 ? after : undefined);
    }
  } catch {
    // Not one of ours: a proxy that answers for a server that is away.
  }
  return new Offline(`status ${response.status}`);
}

function learnTime(date: string | null): void {
  const server = date === null ? Number.NaN : Date.parse(date);
  if (!Number.isNaN(server)) {
    const skew = server - Date.now();
    skewMs = Math.abs(skew) > SKEW_TOLERATED_MS ? skew : 0;
  }
}
