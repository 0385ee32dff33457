/**
 * A document before it is signed: its pages as pictures, one at a time, and the very file for whoever wants it or whose page
 * cannot be drawn. It counts as seen when every page was on the screen, or when the file, whose digest was compared here with the
 * one that will be signed, was opened.
 */

import { useEffect, useRef, useState } from 'preact/hooks';
import type { PagePicture } from '../api/client';
import { Refused } from '../api/client';
import { type Bytes, sha256, toHex } from '../device/bytes';
import { words } from '../messages';
import { Icon } from './icons';
import { Alert, Busy, Button, Notice } from './parts';
import { FaultAlert, useWork } from './work';

/** Widths that the server draws; a page is asked for sharp enough to be enlarged. */
const WIDTHS = [720, 1080, 1440];

export interface DocumentProps {
  name: string;
  /** As far as they are known before the first page came. */
  pages?: number;
  /** Hex SHA-256 that the bytes must have. */
  digest: string;
  fetchBytes: () => Promise<Bytes>;
  fetchPage: (page: number, width: number) => Promise<PagePicture>;
  isSeen: boolean;
  onSeen: () => void;
}

export function DocumentCard({ name, pages, digest, fetchBytes, fetchPage, isSeen, onSeen }: DocumentProps) {
  const t = words.value.document;
  const [count, setCount] = useState(pages);
  const [isDrawn, setDrawn] = useState(true);
  return (
    <section class="document">
      <div class="document-head">
        <span class="sheet">
          <Icon name="document" size={34} />
        </span>
        <div>
          <h2>{name}</h2>
          {count !== undefined && <p class="soft">{t.pages(count)}</p>}
          {isSeen && (
            <p class="done-mark">
              <Icon name="check" size={20} /> {t.seen}
            </p>
          )}
        </div>
      </div>
      {isDrawn ? (
        <Pages
          key={digest}
          name={name}
          fetchPage={fetchPage}
          onCount={setCount}
          onSeen={onSeen}
          onFailure={() => setDrawn(false)}
        />
      ) : (
        <Notice kind="warning">{t.notShown}</Notice>
      )}
      <TheFile
        key={`file ${digest}`}
        digest={digest}
        fetchBytes={fetchBytes}
        isOnlyWay={!isDrawn}
        onOpen={onSeen}
      />
    </section>
  );
}

/** One page after the other; a phone with little memory holds one at a time. */
function Pages({
  name,
  fetchPage,
  onCount,
  onSeen,
  onFailure,
}: {
  name: string;
  fetchPage: (page: number, width: number) => Promise<PagePicture>;
  onCount: (count: number) => void;
  onSeen: () => void;
  onFailure: () => void;
}) {
  const t = words.value.document;
  const [page, setPage] = useState(1);
  const [count, setCount] = useState(0);
  const [url, setUrl] = useState<string | undefined>(undefined);
  const [isLarge, setLarge] = useState(false);
  const seen = useRef<Record<number, boolean>>({});
  const work = useWork();
  const load = () =>
    work.run(async () => {
      try {
        const answer = await fetchPage(page, widthHere());
        setCount(answer.pages);
        onCount(answer.pages);
        setUrl(URL.createObjectURL(answer.picture));
      } catch (cause) {
        if (cause instanceof Refused && cause.problem.code === 'page-not-renderable') {
          onFailure();
          return;
        }
        throw cause;
      }
    });
  useEffect(() => {
    setUrl(undefined);
    void load();
  }, [page]);
  useEffect(
    () => () => {
      if (url !== undefined) {
        URL.revokeObjectURL(url);
      }
    },
    [url],
  );
  const shown = () => {
    seen.current[page] = true;
    if (Object.keys(seen.current).length === count) {
      onSeen();
    }
  };
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboards */}
      <section class={isLarge ? 'page-frame large' : 'page-frame'} tabIndex={0} aria-label={name}>
        {url !== undefined && (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the button below does the same
          <img
            src={url}
            alt={t.pageOf(name, page, count)}
            onLoad={shown}
            onError={onFailure}
            onClick={() => setLarge(!isLarge)}
          />
        )}
        {work.isBusy && <Busy text={t.loading} />}
      </section>
      {work.fault !== undefined && (
        <>
          <FaultAlert fault={work.fault} />
          <Button kind="second" onClick={load}>
            {words.value.retry}
          </Button>
        </>
      )}
      {count > 1 && (
        <div class="page-turn">
          <Button kind="second" isOff={page === 1 || work.isBusy} onClick={() => setPage(page - 1)}>
            {t.previous}
          </Button>
          <p aria-live="polite">{t.page(page, count)}</p>
          <Button kind="second" isOff={page === count || work.isBusy} onClick={() => setPage(page + 1)}>
            {t.next}
          </Button>
        </div>
      )}
      <Button kind="plain" onClick={() => setLarge(!isLarge)}>
        {isLarge ? t.smaller : t.larger}
      </Button>
    </>
  );
}

/** The file itself, in the phone's own reader. */
function TheFile({
  digest,
  fetchBytes,
  isOnlyWay,
  onOpen,
}: {
  digest: string;
  fetchBytes: () => Promise<Bytes>;
  isOnlyWay: boolean;
  onOpen: () => void;
}) {
  const t = words.value.document;
  const [file, setFile] = useState<string | 'mismatch' | undefined>(undefined);
  const work = useWork();
  const load = () =>
    work.run(async () => {
      const bytes = await fetchBytes();
      const isRight = toHex(await sha256(bytes)) === digest;
      setFile(isRight ? URL.createObjectURL(new Blob([bytes], { type: 'application/pdf' })) : 'mismatch');
    });
  useEffect(
    () => () => {
      if (file !== undefined && file !== 'mismatch') {
        URL.revokeObjectURL(file);
      }
    },
    [file],
  );
  if (file === 'mismatch') {
    return <Alert>{t.mismatch}</Alert>;
  }
  if (file === undefined) {
    return (
      <>
        <FaultAlert fault={work.fault} />
        <Button kind={isOnlyWay ? 'primary' : 'plain'} onClick={load} isBusy={work.isBusy}>
          {t.file}
        </Button>
      </>
    );
  }
  return (
    <>
      <p class="verified">
        <Icon name="shield" size={22} /> <span>{t.verified}</span>
      </p>
      <a class="button second" href={file} target="_blank" rel="noopener" onClick={onOpen}>
        <Icon name="document" />
        <span>{t.open}</span>
      </a>
      <p class="hint">{t.opensIn}</p>
    </>
  );
}

/** As many pixels as this phone shows when the page is enlarged, of the widths there are. */
function widthHere(): number {
  const wanted = Math.min(window.innerWidth, 720) * Math.min(window.devicePixelRatio || 1, 2) * 1.5;
  return WIDTHS.find((width) => width >= wanted) ?? WIDTHS[WIDTHS.length - 1] ?? 1080;
}
