import { describe, expect, it } from 'vitest';
import type { LedgerLine, SignatureProof, SignatureRequest } from '../src/api/types';
import {
  type Bytes,
  concat,
  fromBase64url,
  fromHex,
  sha256,
  toBase64url,
  toHex,
  utf8,
} from '../src/device/bytes';
import { canonical } from '../src/device/canonical';
import { seal, sealWith } from '../src/device/hpke';
import { checkProof } from '../src/device/ledger';
import { jwkOfPoint, pointOfKey, pointOfSpki, spkiOfPoint } from '../src/device/p256';
import { isPin, isWeakPin } from '../src/device/pin';
import { approval, binding, documentCode, isSameMatter, pinChange, session } from '../src/device/statement';

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const hex = (digits: string) => fromHex(digits) as Bytes;

describe('canonical JSON', () => {
  it('sorts names by UTF-16 code units, as in RFC 8785, section 3.2.3', () => {
    const names = {
      '€': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '😀': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      ö: 'Latin Small Letter O With Diaeresis',
    };
    expect(Object.values(JSON.parse(canonical(names)))).toHaveLength(7);
    expect(canonical(names)).toBe(
      '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"Latin Small Letter O With Diaeresis",' +
        '"€":"Euro Sign","😀":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
    );
  });

  it('writes strings as ECMAScript does', () => {
    expect(canonical('€$\u000F\nA\'B"\\\\"/')).toBe('"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"');
  });

  it('refuses what is no integer', () => {
    for (const number of [0.5, Number.NaN, 2 ** 60]) {
      expect(() => canonical(number)).toThrow(RangeError);
    }
  });
});

describe('statements', () => {
  it('a binding has exactly these bytes', () => {
    expect(text(binding('enr_1', '__4', 'n', 1))).toBe(
      '{"device_key":"__4","enrolment":"enr_1","expires_at":240001,"issued_at":1,"nonce":"n","purpose":"enrol",' +
        '"type":"kyso.binding.v1"}',
    );
  });

  it('a change of PIN has exactly these bytes', () => {
    expect(text(pinChange('cred_1', '__4', 'n', 1))).toBe(
      '{"credential":"cred_1","device_key":"__4","expires_at":240001,"issued_at":1,"nonce":"n","purpose":"change-pin",' +
        '"type":"kyso.binding.v1"}',
    );
  });

  it('a session has exactly these bytes', () => {
    expect(text(session('dev_1', 'n', 1))).toBe(
      '{"device":"dev_1","issued_at":1,"nonce":"n","type":"kyso.session.v1"}',
    );
  });

  it('an approval has exactly these bytes', () => {
    const request = {
      id: 'req_1',
      credential: 'cred_1',
      portal: 'portal_1',
      code: '7K4Q-0000',
      nonce: 'n0',
      documents: [
        {
          name: 'Tờ khai "A"\n\u000f/€.pdf',
          preview: 'previewed',
          document_digest: { algorithm: 'sha-256', value: 'ab' },
          to_be_signed: { algorithm: 'sha-384', value: 'cd' },
        },
      ],
    } as unknown as SignatureRequest;
    expect(text(approval(request, 'qr', 1000))).toBe(
      '{"channel":"qr","code":"7K4Q-0000","count":1,"credential":"cred_1","documents":[' +
        '{"digest_algorithm":"sha-384","document_digest":"ab","name":"Tờ khai \\"A\\"\\n\\u000f/€.pdf",' +
        '"preview":"previewed","to_be_signed":"cd"}],"expires_at":241000,"issued_at":1000,"nonce":"n0",' +
        '"portal":"portal_1","request":"req_1","type":"kyso.approval.v1","version":1}',
    );
  });

  it('a request that comes back is the same matter only if every word but the nonce is', () => {
    const document = {
      position: 0,
      name: 'Tờ khai.pdf',
      preview: 'previewed',
      document_digest: { algorithm: 'sha-256', value: 'ab' },
      to_be_signed: { algorithm: 'sha-256', value: 'cd' },
    };
    const shown = {
      id: 'req_1',
      credential: 'cred_1',
      portal: 'portal_1',
      code: '7K4Q-0000',
      nonce: 'n0',
      documents: [document],
    } as unknown as SignatureRequest;
    const back = (change: object) => ({ ...shown, nonce: 'n1', ...change }) as SignatureRequest;
    expect(isSameMatter(shown, back({ tries_left: 4 }))).toBe(true);
    for (const change of [
      { portal: 'portal_2' },
      { code: '7K4Q-0001' },
      { documents: [] },
      { documents: [document, document] },
      { documents: [{ ...document, document_digest: { algorithm: 'sha-256', value: 'ac' } }] },
      { documents: [{ ...document, to_be_signed: { algorithm: 'sha-256', value: 'ce' } }] },
      { documents: [{ ...document, preview: 'blind' }] },
      { documents: [{ ...document, name: 'Khác.pdf' }] },
    ]) {
      expect(isSameMatter(shown, back(change)), JSON.stringify(change)).toBe(false);
    }
  });

  it('the document code follows from the digests', async () => {
    // printf abcd | xxd -r -p | sha256sum = 123d4c7ef2d1600a1b3a0f6addc60a10f05a3495c9409f2ecbf4cc095d000a6b
    const of = (...values: string[]) => documentCode(values.map((value) => ({ document_digest: { value } })));
    expect(await of('ab', 'cd')).toBe('28YM-RZQJ');
    expect(await of('cd', 'ab')).not.toBe('28YM-RZQJ');
    expect(await of('xy')).toBeUndefined();
    expect(await of('')).toBeUndefined();
    expect(await of()).toBeUndefined();
  });
});

describe('HPKE', () => {
  // RFC 9180, appendix A.3.1: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode.
  const receiver = hex(
    '04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0',
  );
  const info = hex('4f6465206f6e2061204772656369616e2055726e');
  const plaintext = hex('4265617574792069732074727574682c20747275746820626561757479');
  const aad = hex('436f756e742d30');
  const enc =
    '04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4';

  it('meets the vector of the RFC', async () => {
    const jwk = jwkOfPoint(hex(enc));
    const d = toBase64url(hex('4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb'));
    const algorithm = { name: 'ECDH', namedCurve: 'P-256' };
    const pair = {
      publicKey: await crypto.subtle.importKey('jwk', jwk, algorithm, true, []),
      privateKey: await crypto.subtle.importKey('jwk', { ...jwk, d }, algorithm, false, ['deriveBits']),
    };
    const sealed = await sealWith(pair, receiver, info, aad, plaintext);
    expect(toHex(sealed.enc)).toBe(enc);
    expect(toHex(sealed.ciphertext)).toBe(
      '5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434',
    );
  });

  it('uses a fresh key each time', async () => {
    const [one, other] = [
      await seal(receiver, info, aad, plaintext),
      await seal(receiver, info, aad, plaintext),
    ];
    expect(toHex(one.enc)).not.toBe(toHex(other.enc));
    expect(one.ciphertext).toHaveLength(plaintext.length + 16);
  });

  it('refuses a point that is not on the curve', async () => {
    const off = receiver.slice();
    off[64] = (off[64] ?? 0) ^ 1;
    await expect(seal(off, info, aad, plaintext)).rejects.toThrow();
  });
});

describe('keys and bytes', () => {
  it('a public key survives the way to SubjectPublicKeyInfo and back, and WebCrypto reads it', async () => {
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
    const pair = (await crypto.subtle.generateKey(algorithm, false, ['sign', 'verify'])) as CryptoKeyPair;
    const spki = spkiOfPoint(await pointOfKey(pair.publicKey));
    expect(toHex(spki)).toBe(toHex(new Uint8Array(await crypto.subtle.exportKey('spki', pair.publicKey))));
    expect(pointOfSpki(spki)).toEqual(await pointOfKey(pair.publicKey));
    expect(pointOfSpki(spki.slice(0, -1))).toBeUndefined();
    expect(pointOfSpki(spki.slice().fill(0, 0, 5))).toBeUndefined();
  });

  it('base64url has no padding and no letters a URL would change', () => {
    const bytes = Uint8Array.of(0xfb, 0xff, 0xfe, 0x00);
    expect(toBase64url(bytes)).toBe('-__-AA');
    expect(fromBase64url('-__-AA')).toEqual(bytes);
    expect(fromHex('0g')).toBeUndefined();
    expect(fromHex('abc')).toBeUndefined();
  });

  it('a digest is SHA-256', async () => {
    expect(toHex(await sha256(utf8('abc')))).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
  });
});

describe('the PIN', () => {
  it('runs and repetitions are weak and the rest is not', () => {
    for (const weak of [
      '000000',
      '777777',
      '123456',
      '012345',
      '456789',
      '654321',
      '987654',
      '890123',
      '210987',
    ]) {
      expect(isWeakPin(weak), weak).toBe(true);
    }
    for (const fair of ['135792', '112233', '123455', '023456', '121212', '246802', '654322']) {
      expect(isWeakPin(fair), fair).toBe(false);
    }
  });

  it('is six digits', () => {
    expect(isPin('135792')).toBe(true);
    for (const other of ['', '13579', '1357924', '13579a', '１３５７９２']) {
      expect(isPin(other)).toBe(false);
    }
  });
});

describe('the proof that an approval is in the ledger', () => {
  const request = {
    id: 'req_1',
    documents: [{ document_digest: { value: 'aa'.repeat(32) } }],
  } as unknown as SignatureRequest;

  const hash = (...parts: Bytes[]) => sha256(concat(...parts));
  const integer = (value: number) => {
    const bytes = new Uint8Array(8);
    for (let at = 7, left = value; at >= 0; at -= 1, left = Math.floor(left / 256)) {
      bytes[at] = left % 256;
    }
    return bytes;
  };

  /** As crates/store makes it: the line stands at 7, and two others up to the checkpoint. */
  async function proved(statement: unknown, subject = 'req_1'): Promise<SignatureProof> {
    const bytes = utf8(JSON.stringify(statement));
    const detail = JSON.stringify({ statement: toHex(await hash(bytes)) });
    const line = {
      id: 'evt_1',
      kind: 'signing.request.approved',
      subject,
      actor: 'công dân',
      detail,
      at: 1_795_000_000_123,
    };
    const content = [utf8('kyso.ledger.line.v1\n')];
    for (const field of [line.id, line.kind, line.subject, line.actor, line.detail].map(utf8)) {
      content.push(integer(field.length), field);
    }
    const between = [await hash(utf8('one')), await hash(utf8('two'))];
    const previous = await hash(utf8('before'));
    let head = previous;
    let position = 7;
    for (const each of [await hash(...content, integer(line.at)), ...between]) {
      head = await hash(utf8('kyso.ledger.v1\n'), head, integer(position), each);
      position += 1;
    }
    const seal = btoa(String.fromCharCode(...Array.from(head)));
    return {
      statement: toBase64url(bytes),
      line,
      position: 7,
      previous: toHex(previous),
      between: between.map(toHex),
      checkpoint: `ky.example.vn/ledger\n9\n${seal}\n\n— ky.example.vn/ledger AAAA\n`,
    };
  }

  const statement = {
    type: 'kyso.approval.v1',
    request: 'req_1',
    documents: [{ document_digest: 'aa'.repeat(32) }],
  };

  it('comes out at the checkpoint', async () => {
    expect(await checkProof(await proved(statement), request)).toBe(true);
  });

  it('is refused when anything in it is another', async () => {
    const good = await proved(statement);
    const line = good.line as LedgerLine;
    const other = '00'.repeat(32);
    const [first, second] = good.between as [string, string];
    for (const bad of [
      await proved({ ...statement, request: 'req_2' }),
      await proved({ ...statement, type: 'kyso.binding.v1' }),
      await proved({ ...statement, documents: [{ document_digest: 'bb'.repeat(32) }] }),
      await proved({ ...statement, documents: [] }),
      await proved(statement, 'req_2'),
      { ...good, statement: (await proved({ ...statement, code: 'x' })).statement },
      { ...good, position: 8 },
      { ...good, previous: other },
      { ...good, between: [first] },
      { ...good, between: [second, first] },
      { ...good, line: { ...line, kind: 'signing.request.refused' } },
      { ...good, line: { ...line, actor: 'another' } },
      { ...good, line: { ...line, at: line.at + 1 } },
      { ...good, checkpoint: good.checkpoint?.replace('\n9\n', '\n10\n') },
      { ...good, checkpoint: undefined },
    ]) {
      expect(await checkProof(bad, request)).toBe(false);
    }
    await expect(checkProof({ ...good, previous: 'no hex' }, request)).rejects.toThrow();
  });
});
