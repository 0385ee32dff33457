/**
 * A document before it is signed: fetched, its digest compared with the one that will be signed, then opened by the person.
 * Until the server renders pages, it opens in the phone's own PDF reader; here is the one place to change.
 */

import { useEffect, useState } from 'preact/hooks';
import { type Bytes, sha256, toHex } from '../device/bytes';
import { words } from '../messages';
import { Icon } from './icons';
import { Alert, Busy, Button } from './parts';
import { FaultAlert, useWork } from './work';

export interface DocumentProps {
  name: string;
  pages?: number;
  /** Hex SHA-256 that the bytes must have. */
  digest: string;
  fetchBytes: () => Promise<Bytes>;
  isOpened: boolean;
  onOpen: () => void;
}

export function DocumentCard({ name, pages, digest, fetchBytes, isOpened, onOpen }: DocumentProps) {
  const t = words.value.document;
  const [file, setFile] = useState<{ url: string; bytes: number } | 'mismatch' | undefined>(undefined);
  const work = useWork();
  const load = () =>
    work.run(async () => {
      const bytes = await fetchBytes();
      const isRight = toHex(await sha256(bytes)) === digest;
      const url = isRight ? URL.createObjectURL(new Blob([bytes], { type: 'application/pdf' })) : '';
      setFile(isRight ? { url, bytes: bytes.length } : 'mismatch');
    });
  useEffect(() => {
    setFile(undefined);
    void load();
  }, [digest]);
  useEffect(
    () => () => {
      if (typeof file === 'object') {
        URL.revokeObjectURL(file.url);
      }
    },
    [file],
  );
  if (file === 'mismatch') {
    return <Alert>{t.mismatch}</Alert>;
  }
  const size = typeof file === 'object' ? t.size(file.bytes) : undefined;
  const facts = [pages === undefined ? undefined : t.pages(pages), size].filter((part) => part !== undefined);
  return (
    <section class="document">
      <div class="document-head">
        <span class="sheet">
          <Icon name="document" size={34} />
        </span>
        <div>
          <h2>{name}</h2>
          {facts.length > 0 && <p class="soft">{facts.join(' · ')}</p>}
          {isOpened && (
            <p class="done-mark">
              <Icon name="check" size={20} /> {t.opened}
            </p>
          )}
        </div>
      </div>
      {work.isBusy && <Busy text={t.loading} />}
      {work.fault !== undefined && (
        <>
          <FaultAlert fault={work.fault} />
          <Button kind="second" onClick={load}>
            {words.value.retry}
          </Button>
        </>
      )}
      {typeof file === 'object' && (
        <>
          <p class="verified">
            <Icon name="shield" size={22} /> <span>{t.verified}</span>
          </p>
          <a
            class={isOpened ? 'button second' : 'button primary'}
            href={file.url}
            target="_blank"
            rel="noopener"
            onClick={onOpen}
          >
            <Icon name="document" />
            <span>{isOpened ? t.openAgain : t.open}</span>
          </a>
          <p class="hint">{t.opensIn}</p>
        </>
      )}
    </section>
  );
}
