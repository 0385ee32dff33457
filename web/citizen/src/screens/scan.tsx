/** The largest button of the home screen: the code on a portal's page is read, and with it proved that this phone was there. */

import { useState } from 'preact/hooks';
import { pictureOf } from '../camera/picture';
import { qrReader, type ReadQr } from '../camera/qr';
import { words } from '../messages';
import { go } from '../router';
import { openByProof, requestInQr } from '../state/opening';
import { Page } from '../ui/page';
import { Alert, Button, FileButton } from '../ui/parts';
import { Viewfinder } from '../ui/viewfinder';
import { isCode } from '../ui/work';

/** The picture changes each second: one that came too late is followed by the next, as often as this. */
const LATE_MAX = 4;

export function ScanScreen() {
  const t = words.value.scanToSign;
  const [isOpen, setOpen] = useState(false);
  const [problem, setProblem] = useState<'other' | 'notMine' | 'unread' | undefined>(undefined);
  const [memory] = useState<{ read?: Promise<ReadQr>; late: number }>({ late: 0 });
  const found = async (text: string, isLive: boolean) => {
    const seen = requestInQr(text, location.origin);
    if (seen === undefined) {
      setProblem('other');
      return;
    }
    const { id, proof } = seen;
    try {
      if (proof !== undefined) {
        await openByProof(id, proof);
      }
    } catch (cause) {
      if (isCode(cause, 'not-found')) {
        setProblem('notMine');
        return;
      }
      memory.late += 1;
      if (isLive && isCode(cause, 'screen-code-old') && memory.late < LATE_MAX) {
        return;
      }
      // The request itself says how it stands, and asks for the two digits.
    }
    go(`/requests/${id}`);
  };
  const look = async (video: HTMLVideoElement) => {
    memory.read ??= qrReader();
    const text = await (await memory.read)(video);
    if (text) {
      await found(text, true);
    }
  };
  const photo = async (file: File | undefined) => {
    try {
      const text = file && (await (await qrReader())(await pictureOf(file)));
      if (file !== undefined) {
        await found(text ?? '', false);
      }
    } catch {
      setProblem('unread');
    }
  };
  return (
    <Page title={t.title} back="/home">
      {problem !== undefined && (
        <Alert>{problem === 'unread' ? words.value.scan.photoUnread : t[problem]}</Alert>
      )}
      <p>{t.text}</p>
      {isOpen && (
        <Viewfinder
          facing="environment"
          shape="qr"
          hint={words.value.scan.looking}
          everyMs={250}
          onLook={look}
        />
      )}
      <div class="actions">
        {!isOpen && (
          <Button icon="camera" onClick={() => setOpen(true)}>
            {words.value.scan.open}
          </Button>
        )}
        <FileButton label={words.value.scan.photo} capture="environment" onFile={photo} />
      </div>
    </Page>
  );
}
