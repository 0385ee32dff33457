/** The shapes on the wire, as openapi/v1.json describes them; only what the application uses. Instants: ms since 1970. */

export interface FieldProblem {
  field: string;
  code: string;
  message_vi: string;
  message_en: string;
}

/** RFC 9457. */
export interface ProblemDocument {
  status: number;
  code: string;
  message_vi: string;
  message_en: string;
  retryable: boolean;
  errors?: FieldProblem[];
  tries_left?: number;
  /** Read to support. */
  instance: string;
}

export interface Plan {
  code: string;
  name: string;
  name_en: string;
  months: number;
  /** Absent: unlimited. */
  units?: number;
  price_vnd: number;
}

export interface Campaign {
  code: string;
  name: string;
  plan: Plan;
  price_vnd: number;
  starts_at: number;
  ends_at: number;
  places_left?: number;
  area: string[];
  desk_address: string;
  desk_hours: string;
  desk_helper: string;
  hotline: string;
  open: boolean;
}

export interface Owner {
  full_name: string;
  identity_kind: 'cccd';
  identity_number: string;
  issue_date: string;
  issue_place: string;
  birth_date: string;
  sex: string;
  nationality: string;
  phone: string;
  email: string;
  address: { province_code: string; commune_code: string; detail: string };
  source: 'typed' | 'qr' | 'qr-edited';
}

export interface OwnerView {
  full_name: string;
  identity_number: string;
  birth_date: string;
  issue_date: string;
  sex: 'male' | 'female';
  phone: string;
  email?: string;
  address: string;
}

export interface Code {
  channel: 'sms' | 'email';
  destination: string;
  expires_at: number;
  resend_at: number;
  tries_left: number;
}

/** A nonce for binding a phone; the code that goes with it is on its way to the citizen. */
export interface DeviceChallenge {
  /** Good until `expires_at`, once. */
  nonce: string;
  /** Whose key the phone is bound to. */
  credential: string;
  channel: 'sms' | 'email';
  destination: string;
  expires_at: number;
  resend_at: number;
}

export type PhotoKind = 'front' | 'back' | 'face';

export interface Evidence {
  kind: PhotoKind;
  sha256: string;
  width: number;
  height: number;
  version: number;
}

export interface Contract {
  number: string;
  sha256: string;
  agreement: string;
  signed_at?: number;
  sealed: boolean;
}

export interface Ask {
  piece: string;
  reason: string;
  message_vi: string;
  message_en: string;
  repaired: boolean;
}

export type EnrolmentState =
  | 'started'
  | 'submitted'
  | 'supplement'
  | 'vetted'
  | 'approved'
  | 'certified'
  | 'accepting'
  | 'complete'
  | 'closed'
  | 'rejected'
  | 'abandoned'
  | 'expired'
  | 'failed';

export interface Enrolment {
  id: string;
  reference: string;
  state: EnrolmentState;
  /** What to do next, in order. */
  next: string[];
  plan: Plan;
  campaign?: string;
  price_vnd: number;
  owner?: OwnerView;
  code?: Code;
  evidence: Evidence[];
  contract?: Contract;
  supplement: Ask[];
  supplement_until?: number;
  reasons: string[];
  queue_ahead?: number;
  credential?: string;
  /** `pending`, `bound`, or why it was refused. */
  binding?: string;
  device?: string;
  acceptance_request?: string;
}

export interface DeviceKeyWire {
  kind: 'webcrypto' | 'webauthn';
  public_key: string;
  credential_id?: string;
}

export interface DeviceSignatureWire {
  signature: string;
  authenticator_data?: string;
  client_data_json?: string;
}

export interface SealedPin {
  enc: string;
  ciphertext: string;
}

export interface ApprovalKey {
  key_id: string;
  public_key: string;
  /** The same, signed by the provider's seal; a page that the same server serves gains nothing by checking it. */
  signed: string;
}

/** A change of PIN or phone on its way, or how it ended. */
export interface BindingChange {
  id: string;
  state: 'pending' | 'bound' | 'refused';
  refusal?: string | null;
  tries_left?: number | null;
}

/** A session; what opens it is a cookie. */
export interface Session {
  device: string;
  credential: string;
  expires_at: number;
}

export interface Credential {
  id: string;
  state: 'opening' | 'active' | 'suspended' | 'revoked' | 'expired' | 'failed';
  serial?: string | null;
  /** DER, base64. */
  certificate?: string | null;
  not_before?: number | null;
  not_after?: number | null;
  /** Absent or null: unlimited. */
  units_left?: number | null;
  pin_locked: boolean;
}

/** A line of the ledger: the very texts that were hashed. */
export interface LedgerLine {
  id: string;
  kind: string;
  subject: string;
  actor: string;
  /** JSON. */
  detail: string;
  at: number;
}

/** What the citizen approved, and where it stands in the ledger; all but the statement come once the line is sealed. */
export interface SignatureProof {
  /** The approval's bytes, base64url. */
  statement: string;
  line?: LedgerLine;
  /** From 1. */
  position?: number;
  /** Hash of the line before, hex. */
  previous?: string;
  /** Digests of the lines after it that the checkpoint covers too, hex. */
  between?: string[];
  /** A signed note. */
  checkpoint?: string;
}

interface Digest {
  algorithm: string;
  value: string;
}

export interface RequestDocument {
  position: number;
  name: string;
  format: 'pdf' | 'digest';
  doc_id?: string;
  bytes: number;
  pages?: number;
  document_digest: Digest;
  to_be_signed: Digest;
  preview: 'previewed' | 'blind';
}

export type RequestState =
  | 'pending'
  | 'approved'
  | 'signed'
  | 'delivered'
  | 'refused'
  | 'withdrawn'
  | 'expired'
  | 'failed';

export interface SignatureRequest {
  id: string;
  kind: 'portal' | 'acceptance' | 'sp769';
  state: RequestState;
  portal: string;
  portal_name: string;
  credential: string;
  description?: string;
  return_url?: string;
  code: string;
  nonce: string;
  documents: RequestDocument[];
  /** Its portal shows it on a screen, in front of which this phone has to be. */
  on_screen: boolean;
  /** How it proved that. */
  channel?: 'same-device' | 'qr' | 'push';
  tries_left?: number;
  failure?: string;
  created_at: number;
  expires_at: number;
  signed_at?: number;
}
