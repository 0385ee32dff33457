/**
 * S21 and S22, the critical screens: who asks, what is signed, the code, then the secret.
 *
 * The PIN cannot be reached before every page of every document that can be shown was seen, the code was computed here and
 * agrees, and three seconds have passed. Refusing is one tap away from the first moment on. After the PIN was sent and no
 * answer came, the server is asked what happened; the person never is.
 */

import { useEffect, useRef, useState } from 'preact/hooks';
import * as citizen from '../api/citizen';
import { now, Offline, Refused } from '../api/client';
import type { Credential, SignatureRequest } from '../api/types';
import { approvalOf } from '../device/act';
import { documentCode, isSameMatter } from '../device/statement';
import { clock, day, moment, words } from '../messages';
import { go } from '../router';
import { enrolment, leave, refresh, ticket } from '../state/enrolment';
import { channelOf, isUnopened, openByDigits, openedRequest, proofInAddress } from '../state/opening';
import { deviceKey, withSession } from '../state/session';
import { DocumentCard } from '../ui/document';
import { Icon } from '../ui/icons';
import { InstallOffer } from '../ui/install';
import { Page } from '../ui/page';
import { Alert, Busy, Button, ButtonLink, Facts, Notice as NoticeBox, TextField } from '../ui/parts';
import { PinPad } from '../ui/pin_pad';
import { FaultAlert, isCode, useLook, useWork } from '../ui/work';

/** The least time between the first look at the documents and the PIN. */
const LOOK_MS = 3_000;
const POLL_MS = 700;

/** What became of the try before: kept as a fact, so that it is said in the language in use. */
type Notice = { wrongPin: number } | 'not-signed' | 'changed';

type Stage = 'who' | 'what' | 'secret' | 'sent' | 'refuse';

export function ConfirmScreen({ id }: { id: string }) {
  const t = words.value;
  const [request, setRequest] = useState<SignatureRequest | undefined>(undefined);
  const [credential, setCredential] = useState<Credential | undefined>(undefined);
  const [stage, setStage] = useState<Stage>('who');
  const [notice, setNotice] = useState<Notice | undefined>(undefined);
  const [isOld, setOld] = useState(false);
  const [isEndedByDigits, setEndedByDigits] = useState(false);
  const work = useWork();
  const proof = useRef<string | undefined>(undefined);
  const load = () =>
    work.run(async () => {
      proof.current = proofInAddress() ?? proof.current;
      const [opened, own] = await withSession(() =>
        Promise.all([openedRequest(id, proof.current), citizen.credential()]),
      );
      proof.current = undefined;
      const found = opened.request;
      setOld((was) => (was || opened.isOld) && isUnopened(found));
      setRequest(found);
      setCredential(own);
      // Sent by an earlier visit of this page and not answered yet.
      setStage(found.state === 'approved' ? 'sent' : 'who');
    });
  useEffect(() => {
    setRequest(undefined);
    void load();
  }, [id]);

  if (request === undefined) {
    return (
      <Page title={t.homeScreen.waiting} back="/home">
        {work.isBusy && <Busy text={t.busy} />}
        <FaultAlert fault={work.fault} />
        {work.fault !== undefined && <Button onClick={load}>{t.retry}</Button>}
      </Page>
    );
  }
  if (request.state !== 'pending' && request.state !== 'approved') {
    return <Result request={request} isEndedByDigits={isEndedByDigits} />;
  }
  if (stage === 'sent') {
    return (
      <Sent
        request={request}
        onAnswer={(answer) => {
          setRequest(answer);
          if (answer.state === 'pending' && !isSameMatter(answer, request)) {
            setNotice('changed');
            setStage('who');
          } else if (answer.state === 'pending') {
            const isWrong = answer.tries_left !== undefined && answer.nonce !== request.nonce;
            setNotice(isWrong ? { wrongPin: answer.tries_left ?? 0 } : 'not-signed');
            setStage('secret');
          }
        }}
      />
    );
  }
  if (stage === 'refuse') {
    return <Refuse request={request} onBack={() => setStage('who')} onDone={setRequest} />;
  }
  if (stage === 'secret' && isUnopened(request)) {
    return (
      <Digits
        request={request}
        onOver={load}
        onBack={() => setStage('what')}
        onRefuse={() => setStage('refuse')}
        onEnded={() => {
          setEndedByDigits(true);
          void load();
        }}
        onOpened={(opened) => {
          setRequest(opened);
          const isSame = isSameMatter(opened, request);
          setNotice(isSame ? undefined : 'changed');
          setStage(isSame ? 'secret' : 'who');
        }}
      />
    );
  }
  if (stage === 'secret') {
    return (
      <Secret
        request={request}
        notice={notice}
        onOver={load}
        onBack={() => setStage('what')}
        onRefuse={() => setStage('refuse')}
        onSent={() => setStage('sent')}
        onChanged={(changed) => {
          setRequest(changed);
          setNotice('changed');
          setStage('who');
        }}
      />
    );
  }
  if (stage === 'what') {
    return (
      <What
        request={request}
        onOver={load}
        onBack={() => setStage('who')}
        onRefuse={() => setStage('refuse')}
        onGo={() => {
          setNotice(undefined);
          setStage('secret');
        }}
      />
    );
  }
  return (
    <Who
      request={request}
      credential={credential}
      isChanged={notice === 'changed'}
      isOld={isOld}
      onOver={load}
      onSee={() => setStage('what')}
      onRefuse={() => setStage('refuse')}
    />
  );
}

interface Step {
  request: SignatureRequest;
}

interface Timed extends Step {
  /** The time to sign is over. */
  onOver: () => void;
}

/** 1. Who asks, by the register. The acceptance shows the certificate's own fields instead (S19). */
function Who({
  request,
  credential,
  isChanged,
  isOld,
  onSee,
  onRefuse,
  onOver,
}: Timed & {
  credential: Credential | undefined;
  isChanged: boolean;
  /** A code was read, but not of now: the digits are asked for, or it is read again. */
  isOld: boolean;
  onSee: () => void;
  onRefuse: () => void;
}) {
  const t = words.value.confirm;
  if (request.kind === 'acceptance') {
    return <CheckCertificate credential={credential} onRight={onSee} onWrong={onRefuse} />;
  }
  return (
    <Page title={t.asks(request.portal_name)} back="/home">
      {isChanged && <Alert>{t.changed}</Alert>}
      {isOld && <NoticeBox>{t.codeOld}</NoticeBox>}
      <p class="known">
        <Icon name="shield" size={22} /> <span>{t.known}</span>
      </p>
      {request.description !== undefined && (
        <section class="panel">
          <h2>{t.purpose}</h2>
          <p class="purpose">{request.description}</p>
          <p class="soft">
            {t.count(request.documents.length)} · {t.askedAt(moment(request.created_at))}
          </p>
        </section>
      )}
      {credential?.units_left === 0 && <Alert>{words.value.homeScreen.noUnits}</Alert>}
      <NoticeBox kind="warning" icon="call">
        {t.warning}
      </NoticeBox>
      <div class="actions">
        <Button onClick={onSee}>{t.see}</Button>
        <Button kind="danger" onClick={onRefuse}>
          {t.notMe}
        </Button>
      </div>
      <TimeLeft until={request.expires_at} onOver={onOver} />
    </Page>
  );
}

function CheckCertificate({
  credential,
  onRight,
  onWrong,
}: {
  credential: Credential | undefined;
  onRight: () => void;
  onWrong: () => void;
}) {
  const t = words.value.acceptance;
  const owner = enrolment.value?.owner;
  useEffect(() => {
    if (owner === undefined && ticket.value !== undefined) {
      void refresh().catch(() => undefined);
    }
  }, []);
  const number = owner?.identity_number ?? '';
  const until = credential?.not_after ?? undefined;
  return (
    <Page title={t.title} step={7}>
      <section class="panel">
        <Facts
          of={[
            [t.name, owner?.full_name ?? '…'],
            [t.number, `${number.slice(0, 3)}•••••${number.slice(8)}`],
            [t.until, until === undefined ? '…' : day(until)],
          ]}
        />
      </section>
      <p>{t.check}</p>
      <div class="actions">
        <Button onClick={onRight}>{t.right}</Button>
        <Button kind="second" onClick={onWrong}>
          {t.wrong}
        </Button>
      </div>
    </Page>
  );
}

/** 2. What is signed, and 3. the code that both screens show. */
function What({
  request,
  onBack,
  onRefuse,
  onGo,
  onOver,
}: Timed & { onBack: () => void; onRefuse: () => void; onGo: () => void }) {
  const t = words.value.confirm;
  const [opened, setOpened] = useState<readonly number[]>([]);
  const [code, setCode] = useState<string | undefined | false>(false);
  const [isTooSoon, setTooSoon] = useState(true);
  const [hint, setHint] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setTooSoon(false), LOOK_MS);
    return () => clearTimeout(timer);
  }, []);
  useEffect(() => {
    void documentCode(request.documents).then(setCode);
  }, [request]);
  const isBlind = request.documents.some(({ preview }) => preview === 'blind');
  const isRight = code === request.code;
  const isSeen = request.documents.every(
    ({ position, preview }) => preview === 'blind' || opened.includes(position),
  );
  const proceed = () => {
    if (isSeen && isRight && !isTooSoon) {
      onGo();
    } else {
      setHint(true);
    }
  };
  const isAcceptance = request.kind === 'acceptance';
  return (
    <Page title={isBlind ? t.blindTitle : t.whatTitle} back={onBack}>
      {isBlind && <NoticeBox kind="warning">{t.blindText(request.portal_name)}</NoticeBox>}
      {code !== false && !isRight && <Alert>{t.codeWrong}</Alert>}
      {request.documents.map((document) =>
        document.preview === 'blind' ? (
          <section class="document blind" key={document.position}>
            <h2>{document.doc_id ?? document.name}</h2>
            <p class="soft">{t.blindTitle}</p>
          </section>
        ) : (
          <DocumentCard
            key={document.position}
            name={document.name}
            pages={document.pages}
            digest={document.document_digest.algorithm === 'sha-256' ? document.document_digest.value : ''}
            fetchBytes={() => withSession(() => citizen.document(request.id, document.position))}
            fetchPage={(page, width) =>
              withSession(() => citizen.documentPage(request.id, document.position, page, width))
            }
            isSeen={opened.includes(document.position)}
            onSeen={() => {
              setOpened((before) => [...before, document.position]);
              setHint(false);
            }}
          />
        ),
      )}
      {!isAcceptance && isRight && (
        <section class="panel code-panel">
          <h2>{t.code}</h2>
          <p class="code">{request.code}</p>
          <p>{t.codeText}</p>
        </section>
      )}
      {hint && !isSeen && <Alert>{t.openAll}</Alert>}
      <div class="actions">
        {isBlind && (
          <Button kind="primary" onClick={onRefuse}>
            {t.refuse}
          </Button>
        )}
        {isRight && (
          <Button kind={isBlind ? 'second' : 'primary'} onClick={proceed} isOff={isSeen && isTooSoon}>
            {isBlind ? t.blindGo : t.go}
          </Button>
        )}
        {!isBlind && (
          <Button kind="danger" onClick={onRefuse}>
            {isAcceptance ? words.value.acceptance.wrong : t.refuse}
          </Button>
        )}
      </div>
      {!isAcceptance && <TimeLeft until={request.expires_at} onOver={onOver} />}
    </Page>
  );
}

/** 3. What came from the list: the digits that stand on the screen from which it was asked. */
function Digits({
  request,
  onBack,
  onRefuse,
  onOpened,
  onEnded,
  onOver,
}: Timed & {
  onBack: () => void;
  onRefuse: () => void;
  onOpened: (request: SignatureRequest) => void;
  onEnded: () => void;
}) {
  const t = words.value.confirm;
  const [digits, setDigits] = useState('');
  const [error, setError] = useState<'short' | { left: number } | undefined>(undefined);
  const work = useWork();
  const send = () => {
    if (digits.length !== 2) {
      setError('short');
      return;
    }
    void work.run(async () => {
      setError(undefined);
      try {
        onOpened(await openByDigits(request.id, digits));
      } catch (cause) {
        setDigits('');
        if (isCode(cause, 'digits-wrong') && cause instanceof Refused) {
          setError({ left: cause.problem.tries_left ?? 0 });
        } else if (isCode(cause, 'digits-refused')) {
          onEnded();
        } else if (isCode(cause, 'request-opened', 'request-state', 'request-expired')) {
          onOver();
        } else {
          throw cause;
        }
      }
    });
  };
  const said = error === 'short' ? t.digitsShort : error && t.digitsWrong(error.left);
  return (
    <Page title={t.digitsTitle} back={onBack}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <p>{t.digitsText(request.portal_name)}</p>
        <FaultAlert fault={work.fault} />
        <TextField
          id="digits"
          label={t.digits}
          error={said}
          inputMode="numeric"
          maxLength={2}
          isShort
          value={digits}
          onInput={(typed) => setDigits(typed.replace(/\D/g, ''))}
        />
        <NoticeBox kind="warning" icon="call">
          {t.digitsWarning}
        </NoticeBox>
        <div class="actions">
          <Button type="submit" isBusy={work.isBusy}>
            {words.value.next}
          </Button>
          <ButtonLink href="/scan" kind="second" icon="qr">
            {t.digitsScan}
          </ButtonLink>
          <Button kind="danger" onClick={onRefuse}>
            {t.refuse}
          </Button>
        </div>
      </form>
      <TimeLeft until={request.expires_at} onOver={onOver} />
    </Page>
  );
}

/** 4. The secret. Nothing is kept of it here: it is sealed at once. */
function Secret({
  request,
  notice,
  onBack,
  onRefuse,
  onSent,
  onChanged,
  onOver,
}: Timed & {
  notice: Notice | undefined;
  onBack: () => void;
  onRefuse: () => void;
  onSent: () => void;
  onChanged: (request: SignatureRequest) => void;
}) {
  const t = words.value.confirm;
  const work = useWork();
  const [said, setSaid] = useState(notice);
  const isAcceptance = request.kind === 'acceptance';
  const sign = (pin: string) =>
    work.run(async () => {
      setSaid(undefined);
      const key = deviceKey.value;
      if (key === undefined) {
        throw new Error('this phone has no device key');
      }
      const approvalKey = await withSession(citizen.ownApprovalKey);
      const body = await approvalOf(request, key, pin, channelOf(request), approvalKey);
      try {
        await withSession(() => citizen.approve(request.id, body));
      } catch (cause) {
        if (cause instanceof Offline) {
          onSent();
          return;
        }
        if (cause instanceof Refused && cause.problem.status === 409) {
          onChanged(await withSession(() => citizen.request(request.id)));
          return;
        }
        throw cause;
      }
      onSent();
    });
  return (
    <Page
      title={isAcceptance ? t.secretTitleAcceptance : t.secretTitle(request.documents.length)}
      back={onBack}
    >
      {!isAcceptance && <p class="soft">{request.portal_name}</p>}
      {said !== undefined && (
        <Alert>{typeof said === 'object' ? t.wrongPin(said.wrongPin) : t.notSigned}</Alert>
      )}
      <FaultAlert fault={work.fault} />
      {work.isBusy && <Busy text={t.signing} />}
      <PinPad onDone={sign} isBusy={work.isBusy} />
      <div class="actions">
        <Button kind="danger" onClick={onRefuse}>
          {isAcceptance ? words.value.acceptance.wrong : t.refuse}
        </Button>
      </div>
      {!isAcceptance && <TimeLeft until={request.expires_at} onOver={onOver} />}
    </Page>
  );
}

/** Asks the server until it knows: signed, wrong PIN, or never arrived. */
function Sent({ request, onAnswer }: Step & { onAnswer: (answer: SignatureRequest) => void }) {
  const t = words.value.confirm;
  const [isUnsure, setUnsure] = useState(false);
  const answered = useRef(onAnswer);
  answered.current = onAnswer;
  useEffect(() => {
    let isOver = false;
    let timer = 0;
    const ask = async () => {
      try {
        const answer = await withSession(() => citizen.request(request.id));
        if (answer.state !== 'approved') {
          if (!isOver) {
            answered.current(answer);
          }
          return;
        }
        setUnsure(false);
      } catch {
        setUnsure(true);
      }
      if (!isOver) {
        timer = window.setTimeout(ask, POLL_MS);
      }
    };
    timer = window.setTimeout(ask, 300);
    return () => {
      isOver = true;
      window.clearTimeout(timer);
    };
  }, [request.id]);
  return (
    <Page title={t.signing}>
      <Busy text={isUnsure ? t.unsure : t.signing} />
    </Page>
  );
}

function Refuse({
  request,
  onBack,
  onDone,
}: Step & { onBack: () => void; onDone: (request: SignatureRequest) => void }) {
  const t = words.value.confirm;
  const work = useWork();
  const refuse = (reason: 'not-me' | 'wrong-document' | 'other') =>
    work.run(async () => {
      onDone(await withSession(() => citizen.refuse(request.id, reason)));
    });
  if (request.kind === 'acceptance') {
    const a = words.value.acceptance;
    return (
      <Page title={a.wrongTitle} back={onBack}>
        <FaultAlert fault={work.fault} />
        <p>{a.wrongText}</p>
        <Button kind="danger" onClick={() => refuse('wrong-document')} isBusy={work.isBusy}>
          {a.wrongYes}
        </Button>
      </Page>
    );
  }
  return (
    <Page title={t.refuseTitle} back={onBack}>
      <FaultAlert fault={work.fault} />
      <p>{t.refuseText(request.portal_name)}</p>
      <div class="actions">
        <Button kind="danger" onClick={() => refuse('not-me')} isBusy={work.isBusy}>
          {t.refuseNotMe}
        </Button>
        <Button kind="second" onClick={() => refuse('wrong-document')} isBusy={work.isBusy}>
          {t.refuseWrong}
        </Button>
        <Button kind="second" onClick={() => refuse('other')} isBusy={work.isBusy}>
          {t.refuseOther}
        </Button>
      </div>
    </Page>
  );
}

/** S22, and the other ends of a request. */
function Result({ request, isEndedByDigits }: Step & { isEndedByDigits: boolean }) {
  const t = words.value.result;
  const who = request.portal_name;
  const isSigned = request.state === 'signed' || request.state === 'delivered';
  const isAcceptance = request.kind === 'acceptance';
  // The enrolment is over: what was typed for it is not kept any longer.
  useLook(
    async () => {
      if ((await refresh()).state === 'complete') {
        await leave();
      }
    },
    1_000,
    isAcceptance && isSigned && ticket.value !== undefined,
  );
  if (isSigned) {
    return (
      <Page
        title={isAcceptance ? t.acceptedTitle : t.signed(clock(request.signed_at ?? request.created_at))}
        isCover
        lead={<span class="big-mark">{<Icon name="check" size={44} />}</span>}
      >
        <p class="lead">{isAcceptance ? t.acceptedText : t.signedText(who)}</p>
        {isAcceptance && <InstallOffer />}
        <div class="actions">
          {isReturnable(request.return_url) && (
            <a class="button primary" href={request.return_url} rel="noopener">
              <span>{t.backTo(who)}</span>
            </a>
          )}
          <ButtonLink href="/home" kind={isReturnable(request.return_url) ? 'second' : 'primary'}>
            {words.value.home}
          </ButtonLink>
          <ButtonLink href={`/history/${request.id}`} kind="plain">
            {t.record}
          </ButtonLink>
        </div>
      </Page>
    );
  }
  const texts: Record<string, [string, string]> = {
    refused: [t.refused, isEndedByDigits ? t.refusedByDigits : t.refusedText(who)],
    expired: [t.expired, t.expiredText(who)],
    withdrawn: [t.withdrawn, t.withdrawnText(who)],
  };
  const failedText = request.failure === 'layout-changed' ? t.layoutChanged(who) : t.failedText;
  const [title, text] = texts[request.state] ?? [t.failed, failedText];
  const isLocked = request.failure === 'pin-locked';
  return (
    <Page title={title}>
      {isLocked ? <Alert>{words.value.confirm.locked}</Alert> : <p>{text}</p>}
      {request.state === 'failed' && <p class="small soft">{request.id}</p>}
      <div class="actions">
        {request.state === 'refused' && isAcceptance && ticket.value !== undefined && (
          <Button onClick={() => go('/enrol')}>{words.value.next}</Button>
        )}
        <ButtonLink href="/home">{words.value.home}</ButtonLink>
        {request.state === 'refused' && !isAcceptance && (
          <>
            <p>{t.refusedLock}</p>
            <ButtonLink href="/lock" kind="danger" icon="lock">
              {words.value.homeScreen.lock}
            </ButtonLink>
          </>
        )}
      </div>
    </Page>
  );
}

/** The server takes only places registered for the portal: pages, and apps by their scheme. Nothing that runs here is followed. */
export function isReturnable(url: string | undefined): url is string {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url ?? '')?.[1]?.toLowerCase();
  return scheme !== undefined && !['javascript', 'data', 'vbscript', 'blob', 'file'].includes(scheme);
}

function TimeLeft({ until, onOver }: { until: number; onOver: () => void }) {
  const [left, setLeft] = useState(until - now());
  const over = useRef(onOver);
  over.current = onOver;
  const isOver = left <= 0;
  useEffect(() => {
    if (!isOver) {
      return;
    }
    // The server's clock decides; it is asked until it has.
    over.current();
    const timer = setInterval(() => over.current(), 2_000);
    return () => clearInterval(timer);
  }, [isOver]);
  useEffect(() => {
    const timer = setInterval(() => setLeft(until - now()), 1000);
    return () => clearInterval(timer);
  }, [until]);
  const seconds = Math.max(0, Math.floor(left / 1000));
  const t = words.value;
  const text =
    seconds >= 600
      ? t.homeScreen.minutesLeft(Math.floor(seconds / 60))
      : `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  return (
    <p class="soft centre time-left">
      <Icon name="clock" size={20} /> {seconds >= 600 ? text : t.confirm.timeLeft(text)}
    </p>
  );
}
