/** S25: another PIN, with the one in force and this phone. */

import { useState } from 'preact/hooks';
import * as citizen from '../api/citizen';
import { Offline } from '../api/client';
import type { BindingChange } from '../api/types';
import { changePinOf } from '../device/act';
import { isWeakPin } from '../device/pin';
import { words } from '../messages';
import { deviceKey, withSession } from '../state/session';
import { Page } from '../ui/page';
import { Alert, Busy, ButtonLink, Notice } from '../ui/parts';
import { PinPad } from '../ui/pin_pad';
import { FaultAlert, useLook, useWork } from '../ui/work';

type Problem = { tries: number } | 'weak' | 'same' | 'differ' | 'unsure' | 'refused' | 'locked';

type Stage =
  | { at: 'current'; problem?: Problem }
  | { at: 'fresh'; current: string; problem?: Problem }
  | { at: 'again'; current: string; fresh: string }
  | { at: 'sending' }
  | { at: 'sent'; id: string }
  | { at: 'done' };

const LOOK_MS = 700;

export function ChangePinScreen() {
  const t = words.value.changePin;
  const [stage, setStage] = useState<Stage>({ at: 'current' });
  const work = useWork();
  const answer = ({ state, refusal, tries_left }: BindingChange) => {
    if (state === 'bound') {
      setStage({ at: 'done' });
    } else if (state === 'refused') {
      setStage({ at: 'current', problem: problemOf(refusal, tries_left) });
    }
  };
  useLook(
    async () => {
      if (stage.at === 'sent') {
        answer(await withSession(() => citizen.changeState(stage.id)));
      }
    },
    LOOK_MS,
    stage.at === 'sent',
  );
  const send = (current: string, fresh: string) =>
    work.run(async () => {
      setStage({ at: 'sending' });
      try {
        const key = deviceKey.value;
        if (key === undefined) {
          throw new Error('this phone has no device key');
        }
        const { id } = await withSession(citizen.credential);
        const approvalKey = await withSession(citizen.ownApprovalKey);
        const body = await changePinOf(id, key, current, fresh, approvalKey);
        const sent = await withSession(() => citizen.change(body));
        setStage({ at: 'sent', id: sent.id });
      } catch (cause) {
        if (cause instanceof Offline) {
          setStage({ at: 'current', problem: 'unsure' });
          return;
        }
        setStage({ at: 'current' });
        throw cause;
      }
    });
  const entered = (pin: string) => {
    work.clear();
    if (stage.at === 'current') {
      setStage({ at: 'fresh', current: pin });
    } else if (stage.at === 'fresh') {
      const { current } = stage;
      const problem = isWeakPin(pin) ? 'weak' : pin === current ? 'same' : undefined;
      setStage(
        problem === undefined ? { at: 'again', current, fresh: pin } : { at: 'fresh', current, problem },
      );
    } else if (stage.at === 'again') {
      const { current, fresh } = stage;
      if (fresh === pin) {
        void send(current, fresh);
      } else {
        setStage({ at: 'fresh', current, problem: 'differ' });
      }
    }
  };
  if (stage.at === 'done') {
    return (
      <Page title={t.done}>
        <Notice kind="good">{t.doneText}</Notice>
        <ButtonLink href="/home">{words.value.home}</ButtonLink>
      </Page>
    );
  }
  if (stage.at === 'sending' || stage.at === 'sent') {
    return (
      <Page title={t.title}>
        <Busy text={t.changing} />
      </Page>
    );
  }
  const titles = { current: t.current, fresh: words.value.pin.title, again: words.value.pin.again };
  const problem = 'problem' in stage ? stage.problem : undefined;
  return (
    <Page
      title={titles[stage.at]}
      back={stage.at === 'current' ? '/settings' : () => setStage({ at: 'current' })}
    >
      {problem !== undefined && <Alert>{textOf(problem)}</Alert>}
      <FaultAlert fault={work.fault} />
      {stage.at === 'fresh' && <p>{words.value.pin.text}</p>}
      <PinPad key={stage.at} onDone={entered} isBusy={work.isBusy} />
    </Page>
  );
}

function problemOf(refusal: string | null | undefined, tries: number | null | undefined): Problem {
  if (refusal === 'wrong-pin' && typeof tries === 'number' && tries > 0) {
    return { tries };
  }
  return refusal === 'wrong-pin' || refusal === 'pin-locked' ? 'locked' : 'refused';
}

function textOf(problem: Problem): string {
  const { changePin, confirm, pin } = words.value;
  if (typeof problem === 'object') {
    return confirm.wrongPin(problem.tries);
  }
  const texts = {
    weak: pin.weak,
    same: changePin.same,
    differ: pin.differ,
    unsure: changePin.unsure,
    refused: changePin.refused,
    locked: confirm.locked,
  };
  return texts[problem];
}
