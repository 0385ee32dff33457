/** S8 to S10, S15 to S17: payment, photos, contract, handing in, waiting, repairing. */

import { useEffect, useRef, useState } from 'preact/hooks';
import * as api from '../api/enrolment';
import type { Enrolment, PhotoKind } from '../api/types';
import {
  drawn,
  jpeg,
  judgePicture,
  LONG_SIDE_MAX,
  LONG_SIDE_MIN,
  pictureOf,
  type Quality,
  Unreadable,
} from '../camera/picture';
import { day, language, said, words } from '../messages';
import { go } from '../router';
import { change, draft, enrolment, held, nextScreen, refresh, seen } from '../state/enrolment';
import { DocumentCard } from '../ui/document';
import { Icon } from '../ui/icons';
import { Page } from '../ui/page';
import { Alert, Busy, Button, ButtonLink, Facts, FileButton, Notice, Tick } from '../ui/parts';
import { Viewfinder } from '../ui/viewfinder';
import { FaultAlert, isCode, useLook, useWork } from '../ui/work';
import { CardPicture } from './card';

/** S8. */
export function PaymentScreen() {
  const t = words.value.payment;
  const work = useWork();
  const row = enrolment.value;
  const price = row?.price_vnd ?? 0;
  const pay = () =>
    work.run(async () => {
      go(nextScreen(seen(await api.pay(held()))));
    });
  return (
    <Page title={t.title} step={3} back="/enrol/details">
      <FaultAlert fault={work.fault} />
      {row !== undefined && (
        <section class="panel">
          <h2>{language.value === 'vi' ? row.plan.name : row.plan.name_en}</h2>
          <p class="price big">{words.value.money(price)}</p>
          <p>{price === 0 ? t.free : t.total(price)}</p>
        </section>
      )}
      {isCode(work.fault, 'payment-unavailable') && <p>{t.unavailable}</p>}
      <Button onClick={pay} isBusy={work.isBusy}>
        {t.confirm}
      </Button>
    </Page>
  );
}

const KINDS: readonly PhotoKind[] = ['front', 'back', 'face'];

/** S9 to S11: the first photo that is missing, after consent. */
export function PhotosScreen() {
  const t = words.value.photos;
  const [isAgreed, setAgreed] = useState(draft.value.photosConsented === true);
  const [error, setError] = useState<'consentNeeded' | undefined>(undefined);
  const row = enrolment.value;
  const wanted = KINDS.find((kind) => row?.next.includes(`photo:${kind}`));
  if (draft.value.photosConsented === true && wanted !== undefined) {
    return <Capture kind={wanted} key={wanted} />;
  }
  const start = () => {
    if (!isAgreed) {
      setError('consentNeeded');
      return;
    }
    change({ photosConsented: true });
    if (wanted === undefined && row !== undefined) {
      go(nextScreen(row));
    }
  };
  return (
    <Page title={t.title} step={4}>
      <p>{t.text}</p>
      <ol class="shots">
        {KINDS.map((kind) => (
          <li key={kind}>
            <Icon name={kind === 'face' ? 'face' : 'card'} size={30} />
            <span>{t[kind]}</span>
          </li>
        ))}
      </ol>
      <Tick
        id="consent"
        isOn={isAgreed}
        error={error && t[error]}
        onInput={(isOn) => {
          setAgreed(isOn);
          setError(undefined);
        }}
      >
        {t.consent}
      </Tick>
      <Button onClick={start}>{t.start}</Button>
    </Page>
  );
}

interface Shot {
  canvas: HTMLCanvasElement;
  quality: Quality;
}

/** S10 and S11: one photo: aim, take or choose, look at it, send it. */
function Capture({ kind }: { kind: PhotoKind }) {
  const t = words.value.photos;
  const [isOpen, setOpen] = useState(false);
  const [hint, setHint] = useState<'ready' | 'dark' | 'glare' | 'blurred' | undefined>(undefined);
  const [shot, setShot] = useState<Shot | undefined>(undefined);
  const [problem, setProblem] = useState<'small' | 'unreadable' | undefined>(undefined);
  const [video, setVideo] = useState<HTMLVideoElement | undefined>(undefined);
  const work = useWork();
  const isFace = kind === 'face';
  const look = async (shown: HTMLVideoElement) => {
    const { isDark, hasGlare, isBlurred } = judgePicture(shown);
    setHint(isDark ? 'dark' : hasGlare ? 'glare' : isBlurred ? 'blurred' : 'ready');
  };
  const keep = (source: HTMLVideoElement | HTMLImageElement) => {
    const canvas = drawn(source, LONG_SIDE_MAX);
    if (Math.max(canvas.width, canvas.height) < LONG_SIDE_MIN) {
      setProblem('small');
      return;
    }
    setProblem(undefined);
    setShot({ canvas, quality: judgePicture(canvas) });
    setOpen(false);
  };
  const choose = async (file: File | undefined) => {
    if (file === undefined) {
      return;
    }
    try {
      keep(await pictureOf(file));
    } catch (cause) {
      if (!(cause instanceof Unreadable)) {
        throw cause;
      }
      setProblem('unreadable');
    }
  };
  const send = () =>
    work.run(async () => {
      if (shot === undefined) {
        return;
      }
      await api.putPhoto(held(), kind, await jpeg(shot.canvas));
      const row = await refresh();
      if (!row.next.some((step) => step.startsWith('photo:'))) {
        go(nextScreen(row));
      }
    });
  const text = { front: t.frontText, back: t.backText, face: t.faceText }[kind];
  const openButton = (
    <Button
      icon="camera"
      onClick={() => {
        setProblem(undefined);
        setShot(undefined);
        setOpen(true);
      }}
    >
      {t.openCamera}
    </Button>
  );
  if (shot !== undefined) {
    const { isDark, hasGlare, isBlurred } = shot.quality;
    const warning = isDark ? t.warnDark : hasGlare ? t.warnGlare : isBlurred ? t.warnBlur : undefined;
    return (
      <Page title={t[kind]} step={4}>
        <FaultAlert fault={work.fault} />
        <Preview canvas={shot.canvas} />
        {warning === undefined ? (
          <p>{isFace ? t.reviewFace : t.review}</p>
        ) : (
          <Notice kind="warning">{warning}</Notice>
        )}
        {work.isBusy && <Busy text={t.sending} />}
        <div class="actions">
          <Button onClick={send} isBusy={work.isBusy}>
            {t.use}
          </Button>
          <Button
            kind="second"
            onClick={() => {
              work.clear();
              setShot(undefined);
            }}
          >
            {t.again}
          </Button>
        </div>
      </Page>
    );
  }
  return (
    <Page title={t[kind]} step={4}>
      {problem !== undefined && <Alert>{t[problem]}</Alert>}
      <p>{text}</p>
      {isOpen ? (
        <Viewfinder
          facing={isFace ? 'user' : 'environment'}
          shape={isFace ? 'face' : 'card'}
          hint={hint === undefined ? '' : t[hint]}
          everyMs={500}
          onLook={look}
          onReady={setVideo}
        />
      ) : isFace ? (
        <FacePicture />
      ) : (
        <CardPicture />
      )}
      <div class="actions">
        {!isOpen && openButton}
        {isOpen && video !== undefined && (
          <Button icon="camera" onClick={() => keep(video)}>
            {t.take}
          </Button>
        )}
        <FileButton label={t.choose} capture={isFace ? 'user' : 'environment'} onFile={choose} />
      </div>
    </Page>
  );
}

function Preview({ canvas }: { canvas: HTMLCanvasElement }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', words.value.photos.alt);
    place.current?.appendChild(canvas);
    return () => canvas.remove();
  }, [canvas]);
  return <div class="preview" ref={place} />;
}

function FacePicture() {
  return (
    <svg class="picture" viewBox="0 0 320 200" aria-hidden="true" focusable="false">
      <rect class="p-card" x="100" y="8" width="120" height="184" rx="16" />
      <ellipse class="p-aim" cx="160" cy="92" rx="42" ry="54" />
      <circle class="p-mid" cx="160" cy="84" r="24" />
      <path class="p-mid" d="M118 160c4-28 20-40 42-40s38 12 42 40z" />
    </svg>
  );
}

/** S15: the contract is read, then signed by an explicit act over exactly its bytes. */
export function ContractScreen() {
  const t = words.value.contract;
  const row = enrolment.value;
  const [isOpened, setOpened] = useState(false);
  const [isAgreed, setAgreed] = useState(false);
  const [error, setError] = useState<'agreeNeeded' | 'openFirst' | undefined>(undefined);
  const work = useWork();
  const contract = row?.contract;
  const prepare = () =>
    work.run(async () => {
      // The first look writes the contract; the row then names its number and digest.
      await api.contractPdf(held());
      await refresh();
    });
  useEffect(() => void prepare(), []);
  const sign = () => {
    if (contract === undefined || !isOpened || !isAgreed) {
      setError(isOpened ? 'agreeNeeded' : 'openFirst');
      return;
    }
    void work.run(async () => {
      try {
        go(nextScreen(seen(await api.signContract(held(), contract.sha256, contract.agreement))));
      } catch (cause) {
        if (isCode(cause, 'contract-changed')) {
          setOpened(false);
          setAgreed(false);
          await api.contractPdf(held());
          await refresh();
        }
        throw cause;
      }
    });
  };
  return (
    <Page title={t.title} step={5}>
      <FaultAlert fault={work.fault} />
      {contract === undefined ? (
        work.isBusy ? (
          <Busy text={words.value.document.loading} />
        ) : (
          <Button onClick={prepare}>{words.value.retry}</Button>
        )
      ) : (
        <>
          <section class="panel">
            <h2>{t.summary}</h2>
            <Facts
              of={[
                [t.number, contract.number],
                [t.plan, (language.value === 'vi' ? row?.plan.name : row?.plan.name_en) ?? ''],
                [t.price, words.value.money(row?.price_vnd ?? 0)],
                [t.term, words.value.plan.months(row?.plan.months ?? 0)],
                [t.stop, t.stopText],
              ]}
            />
            <p class="soft">{t.notInstead}</p>
          </section>
          <DocumentCard
            name={t.title}
            digest={contract.sha256}
            fetchBytes={() => api.contractPdf(held())}
            fetchPage={(page, width) => api.contractPage(held(), page, width)}
            isSeen={isOpened}
            onSeen={() => {
              setOpened(true);
              setError(undefined);
            }}
          />
          <Tick
            id="agree"
            isOn={isAgreed}
            error={error && t[error]}
            onInput={(isOn) => {
              setAgreed(isOn);
              setError(undefined);
            }}
          >
            <span lang="vi">{contract.agreement}</span>
          </Tick>
          <Button icon="pen" onClick={sign} isBusy={work.isBusy}>
            {t.sign}
          </Button>
        </>
      )}
    </Page>
  );
}

export function SubmitScreen() {
  const t = words.value.submit;
  const work = useWork();
  const send = () =>
    work.run(async () => {
      go(nextScreen(seen(await api.submit(held()))), true);
    });
  return (
    <Page title={t.title} step={6}>
      <FaultAlert fault={work.fault} />
      <p>{t.text}</p>
      <Button onClick={send} isBusy={work.isBusy}>
        {t.send}
      </Button>
    </Page>
  );
}

/** S16. Moves on by itself when the server does. */
export function WaitingScreen() {
  const t = words.value.waiting;
  const row = enrolment.value;
  useLook(async () => {
    const screen = nextScreen(await refresh());
    if (screen !== '/enrol/waiting') {
      go(screen, true);
    }
  }, 5_000);
  const isMaking = row?.state === 'approved';
  const at = isMaking ? 2 : 1;
  const stages = [t.received, t.checking, t.issuing, t.accepting];
  return (
    <Page title={t.title} step={6}>
      {row !== undefined && <p class="reference">{t.reference(row.reference)}</p>}
      <ol class="timeline">
        {stages.map((stage, index) => {
          const state = index < at ? 'done' : index === at ? 'now' : 'todo';
          return (
            <li key={stage} class={state} aria-current={state === 'now' ? 'step' : undefined}>
              <span class="stage-mark">{state === 'done' && <Icon name="check" size={18} />}</span>
              <span>
                {stage}
                <span class="soft stage-word">{t[state]}</span>
              </span>
            </li>
          );
        })}
      </ol>
      {isMaking ? (
        <p role="status">{t.making}</p>
      ) : (
        row?.queue_ahead !== undefined && <p role="status">{t.ahead(row.queue_ahead)}</p>
      )}
      <Notice>{t.canClose}</Notice>
    </Page>
  );
}

/** S17: each piece an officer named, with its reason and the way to repair it. */
export function SupplementScreen() {
  const t = words.value.supplement;
  const row = enrolment.value;
  const work = useWork();
  useEffect(() => void work.run(async () => void (await refresh())), []);
  const open = row?.supplement.filter((ask) => !ask.repaired) ?? [];
  const next = row?.next ?? [];
  const submit = () =>
    work.run(async () => {
      go(nextScreen(seen(await api.submit(held()))), true);
    });
  return (
    <Page title={open.length > 0 ? t.title(open.length) : words.value.submit.title} step={6}>
      <FaultAlert fault={work.fault} />
      {row?.supplement_until !== undefined && open.length > 0 && <p>{t.until(day(row.supplement_until))}</p>}
      {row?.supplement.map((ask) => (
        <section class="panel" key={ask.piece}>
          <h2>{t.pieces[ask.piece] ?? ask.piece}</h2>
          {ask.repaired ? (
            <p class="done-mark">
              <Icon name="check" size={20} /> {t.done}
            </p>
          ) : (
            <>
              <p>{said(ask)}</p>
              <ButtonLink
                href={ask.piece.startsWith('photo:') ? '/enrol/photos' : '/enrol/details'}
                kind="second"
              >
                {ask.piece.startsWith('photo:') ? t.photo : t.field}
              </ButtonLink>
            </>
          )}
        </section>
      ))}
      {open.length === 0 && <Rest next={next} row={row} onSubmit={submit} isBusy={work.isBusy} />}
    </Page>
  );
}

/** What follows from a repair: another code, the contract again, then handing in. */
function Rest({
  next,
  row,
  onSubmit,
  isBusy,
}: {
  next: string[];
  row: Enrolment | undefined;
  onSubmit: () => void;
  isBusy: boolean;
}) {
  const t = words.value;
  if (row === undefined) {
    return null;
  }
  if (next.includes('activation')) {
    return <ButtonLink href="/enrol/phone">{t.phone.send}</ButtonLink>;
  }
  if (next.includes('contract')) {
    return (
      <>
        <p>{t.supplement.contractText}</p>
        <ButtonLink href="/enrol/contract">{t.supplement.contract}</ButtonLink>
      </>
    );
  }
  return (
    <Button onClick={onSubmit} isBusy={isBusy}>
      {t.submit.send}
    </Button>
  );
}
