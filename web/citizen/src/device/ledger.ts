/**
 * The proof that an approval is in the provider's ledger, computed anew on this phone: what it signed, the line about it, and the
 * chain of hashes from that line to a checkpoint, as crates/store/src/ledger makes them. Whose checkpoint it is cannot be known
 * from a page that the same provider serves: the proof is for whoever has another copy of the checkpoint.
 */

import type { LedgerLine, SignatureProof, SignatureRequest } from '../api/types';
import { type Bytes, concat, fromBase64url, fromHex, sha256, toHex, utf8 } from './bytes';

/** Whether the proof is of this request, of exactly these documents, and comes out at its checkpoint. */
export async function checkProof(proof: SignatureProof, request: SignatureRequest): Promise<boolean> {
  const { line, position, previous, between, checkpoint } = proof;
  if (line === undefined || position === undefined || previous === undefined || checkpoint === undefined) {
    return false;
  }
  const statement = fromBase64url(proof.statement);
  if (!isOf(request, JSON.parse(new TextDecoder().decode(statement)))) {
    return false;
  }
  const detail = JSON.parse(line.detail) as { statement?: unknown };
  const isOurs =
    line.kind === 'signing.request.approved' &&
    line.subject === request.id &&
    detail.statement === toHex(await sha256(statement));
  const contents = [await contentOf(line), ...(between ?? []).map(digestOf)];
  let hash = digestOf(previous);
  for (let at = 0; at < contents.length; at += 1) {
    hash = await sha256(
      concat(utf8('kyso.ledger.v1\n'), hash, integer(position + at), contents[at] ?? new Uint8Array()),
    );
  }
  const [, size, head] = checkpoint.split('\n');
  const covers = position + contents.length - 1;
  return isOurs && Number(size) === covers && head === btoa(String.fromCharCode(...Array.from(hash)));
}

/** Whether the statement approves this request and the documents as they are shown now. */
function isOf(request: SignatureRequest, statement: unknown): boolean {
  const { type, request: id, documents } = statement as Record<string, unknown>;
  const listed = Array.isArray(documents) ? (documents as { document_digest?: unknown }[]) : [];
  return (
    type === 'kyso.approval.v1' &&
    id === request.id &&
    listed.length === request.documents.length &&
    request.documents.every(
      ({ document_digest }, at) => listed[at]?.document_digest === document_digest.value,
    )
  );
}

/** SHA-256 over a word, every field behind its length, and the time. */
function contentOf(line: LedgerLine): Promise<Bytes> {
  const fields = [line.id, line.kind, line.subject, line.actor, line.detail].map(utf8);
  const parts = fields.reduce<Bytes[]>((list, field) => list.concat([integer(field.length), field]), []);
  return sha256(concat(utf8('kyso.ledger.line.v1\n'), ...parts, integer(line.at)));
}

/** 64 bits, the most significant first. */
function integer(value: number): Bytes {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(value / 2 ** 32));
  view.setUint32(4, value % 2 ** 32);
  return bytes;
}

function digestOf(hex: string): Bytes {
  const bytes = fromHex(hex);
  if (bytes === undefined || bytes.length !== 32) {
    throw new Error('not a digest');
  }
  return bytes;
}
