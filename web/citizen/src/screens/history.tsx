/** S22 and S23: what was asked and what became of it; the signed file; its place in the ledger, checked on this phone. */

import { useEffect, useState } from 'preact/hooks';
import * as citizen from '../api/citizen';
import { Offline, Refused } from '../api/client';
import type { RequestDocument, SignatureProof, SignatureRequest } from '../api/types';
import { checkProof } from '../device/ledger';
import { moment, words } from '../messages';
import { withSession } from '../state/session';
import { Icon } from '../ui/icons';
import { Page } from '../ui/page';
import { Alert, Busy, Button, ButtonLink, Choices, Facts, Notice } from '../ui/parts';
import { FaultAlert, useLook, useWork } from '../ui/work';

const PAGE = 20;

type Filter = 'all' | 'signed' | 'unsigned';

const STATES: Record<Filter, readonly string[]> = {
  all: ['signed', 'delivered', 'refused', 'withdrawn', 'expired', 'failed'],
  signed: ['signed', 'delivered'],
  unsigned: ['refused', 'withdrawn', 'expired', 'failed'],
};

/** S23. */
export function HistoryScreen() {
  const t = words.value.history;
  const [filter, setFilter] = useState<Filter>('all');
  return (
    <Page title={t.title} back="/home">
      <Choices<Filter>
        id="filter"
        legend={t.filter}
        isLegendHidden
        isRow
        value={filter}
        onInput={setFilter}
        options={[
          { value: 'all', text: t.all },
          { value: 'signed', text: t.signed },
          { value: 'unsigned', text: t.unsigned },
        ]}
      />
      <Listed key={filter} filter={filter} />
    </Page>
  );
}

/** A list that grows by a page at a time. */
function Listed({ filter }: { filter: Filter }) {
  const t = words.value.history;
  const [list, setList] = useState<SignatureRequest[]>([]);
  const [isWhole, setWhole] = useState(false);
  const work = useWork();
  const load = () =>
    work.run(async () => {
      const last = list[list.length - 1]?.id;
      const page = await withSession(() => citizen.requests(STATES[filter], PAGE, last));
      setList(list.concat(page));
      setWhole(page.length < PAGE);
    });
  useEffect(() => void load(), []);
  return (
    <>
      {list.length > 0 && (
        <ul class="rows">
          {list.map((request) => (
            <li key={request.id}>
              <a href={`/history/${request.id}`}>
                <span>
                  <span class={`chip ${request.state}`}>{t.states[request.state]}</span>
                  <b>{askerOf(request)}</b>
                  {request.description !== undefined && <span class="row-text">{request.description}</span>}
                  <span class="soft">{moment(request.signed_at ?? request.created_at)}</span>
                </span>
                <Icon name="forward" />
              </a>
            </li>
          ))}
        </ul>
      )}
      {work.isBusy && <Busy text={words.value.busy} />}
      <FaultAlert fault={work.fault} />
      {isWhole && list.length === 0 && (
        <p class="empty">{filter === 'unsigned' ? t.noneUnsigned : t.empty}</p>
      )}
      {!work.isBusy && (work.fault !== undefined || !isWhole) && (
        <Button kind="second" onClick={load}>
          {work.fault === undefined ? t.more : words.value.retry}
        </Button>
      )}
    </>
  );
}

function askerOf(request: SignatureRequest): string {
  return request.kind === 'acceptance' ? words.value.acceptance.asks : request.portal_name;
}

/** One request: what was signed, when, the file, the proof. */
export function RecordScreen({ id }: { id: string }) {
  const t = words.value.history;
  const [request, setRequest] = useState<SignatureRequest | undefined>(undefined);
  const work = useWork();
  const load = () => work.run(async () => setRequest(await withSession(() => citizen.request(id))));
  useEffect(() => void load(), [id]);
  if (request === undefined) {
    return (
      <Page title={t.title} back="/history">
        {work.isBusy && <Busy text={words.value.busy} />}
        <FaultAlert fault={work.fault} />
        {work.fault !== undefined && <Button onClick={load}>{words.value.retry}</Button>}
      </Page>
    );
  }
  const isSigned = request.state === 'signed' || request.state === 'delivered';
  return (
    <Page
      title={askerOf(request)}
      back="/history"
      lead={
        <p>
          <span class={`chip ${request.state}`}>{t.states[request.state]}</span>
        </p>
      }
    >
      {request.description !== undefined && <p class="purpose">{request.description}</p>}
      <Facts
        of={[
          request.signed_at === undefined
            ? [t.askedAt, moment(request.created_at)]
            : [t.signedAt, moment(request.signed_at)],
          [words.value.confirm.code, <span class="mono">{request.code}</span>],
          [t.requestId, <span class="mono">{request.id}</span>],
        ]}
      />
      <h2>{t.documents}</h2>
      {request.documents.map((document) => (
        <section class="document" key={document.position}>
          <div class="document-head">
            <span class="sheet">
              <Icon name="document" size={34} />
            </span>
            <div>
              <h3 class="file-name">{document.doc_id ?? document.name}</h3>
              {document.pages !== undefined && (
                <p class="soft">{words.value.document.pages(document.pages)}</p>
              )}
            </div>
          </div>
          {isSigned && document.format === 'pdf' && <SignedFile request={request} document={document} />}
          {isSigned && document.format === 'digest' && <p class="soft">{t.atPortal}</p>}
        </section>
      ))}
      {isSigned && <Proof request={request} />}
      {isSigned && request.kind !== 'acceptance' && (
        <section class="panel">
          <h2>{t.notMe}</h2>
          <p>{t.notMeText}</p>
          <ButtonLink href="/lock" kind="danger" icon="lock">
            {words.value.homeScreen.lock}
          </ButtonLink>
        </section>
      )}
    </Page>
  );
}

/** The signed file: fetched when it is wanted, then kept or opened by the phone. */
function SignedFile({ request, document }: { request: SignatureRequest; document: RequestDocument }) {
  const t = words.value.history;
  const [url, setUrl] = useState<string | undefined>(undefined);
  const work = useWork();
  const load = () =>
    work.run(async () => {
      const bytes = await withSession(() => citizen.signedDocument(request.id, document.position));
      setUrl(URL.createObjectURL(new Blob([bytes], { type: 'application/pdf' })));
    });
  useReleased(url);
  if (url === undefined) {
    return (
      <>
        <FaultAlert fault={work.fault} />
        <Button kind="second" icon="document" onClick={load} isBusy={work.isBusy}>
          {t.fetch}
        </Button>
      </>
    );
  }
  return (
    <>
      <a class="button second" href={url} download={signedName(document.name)}>
        <Icon name="down" />
        <span>{t.save}</span>
      </a>
      <a class="button plain" href={url} target="_blank" rel="noopener">
        <span>{t.open}</span>
      </a>
    </>
  );
}

/** `To khai.pdf` becomes `To khai (da ky).pdf`, in letters that every file system takes. */
export function signedName(name: string): string {
  const stem = name.replace(/\.pdf$/i, '').replace(/[/\\:*?"<>|]/g, '-');
  return `${stem} (${words.value.history.fileWord}).pdf`;
}

type Found = SignatureProof | 'unsealed' | 'mismatch' | 'unchecked';

const SEAL_LOOK_MS = 2_000;

/** Its place in the ledger: fetched, and computed anew here. */
function Proof({ request }: { request: SignatureRequest }) {
  const t = words.value.proof;
  const [found, setFound] = useState<Found | undefined>(undefined);
  useLook(
    async () => {
      try {
        const proof = await withSession(() => citizen.proof(request.id));
        if (proof.position === undefined) {
          setFound('unsealed');
        } else {
          setFound((await checkProof(proof, request)) ? proof : 'mismatch');
        }
      } catch (cause) {
        if (cause instanceof Offline || cause instanceof Refused) {
          setFound('unchecked');
          return;
        }
        setFound('mismatch');
      }
    },
    SEAL_LOOK_MS,
    found === undefined || found === 'unsealed',
  );
  return (
    <section class="panel proof">
      <h2>{t.title}</h2>
      {found === undefined && <Busy text={t.checking} />}
      {found === 'unsealed' && <Busy text={t.unsealed} />}
      {found === 'unchecked' && (
        <>
          <p>{t.unchecked}</p>
          <Button kind="second" onClick={() => setFound(undefined)}>
            {words.value.retry}
          </Button>
        </>
      )}
      {found === 'mismatch' && <Alert>{t.mismatch}</Alert>}
      {typeof found === 'object' && <Proved proof={found} request={request} />}
    </section>
  );
}

function Proved({ proof, request }: { proof: SignatureProof; request: SignatureRequest }) {
  const t = words.value.proof;
  const [url, setUrl] = useState<string | undefined>(undefined);
  useEffect(() => {
    const text = `${JSON.stringify(proof, null, 2)}\n`;
    setUrl(URL.createObjectURL(new Blob([text], { type: 'application/json' })));
  }, [proof]);
  useReleased(url);
  const note = proof.checkpoint?.split('\n') ?? [];
  return (
    <>
      <p>{t.line(proof.position ?? 0)}</p>
      <p class="verified">
        <Icon name="check" size={22} /> <span>{t.checked}</span>
      </p>
      <Notice>{t.means}</Notice>
      <details>
        <summary>{t.details}</summary>
        <Facts
          of={[
            ...request.documents.map(
              (document) =>
                [document.name, <span class="mono">{document.document_digest.value}</span>] as const,
            ),
            [t.ledger, <span class="mono">{note[0]}</span>],
            [t.size, <span class="mono">{note[1]}</span>],
            [t.head, <span class="mono">{note[2]}</span>],
          ]}
        />
      </details>
      {url !== undefined && (
        <a class="button second" href={url} download={`${t.fileName}-${request.code}.json`}>
          <Icon name="down" />
          <span>{t.save}</span>
        </a>
      )}
    </>
  );
}

/** Gives the bytes behind an address of this page back when it is no longer shown. */
function useReleased(url: string | undefined): void {
  useEffect(
    () => () => {
      if (url !== undefined) {
        URL.revokeObjectURL(url);
      }
    },
    [url],
  );
}
