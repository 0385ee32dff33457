/** Which screen is shown where. */

import { useEffect, useState } from 'preact/hooks';
import { go, match, path } from './router';
import { ConfirmScreen } from './screens/confirm';
import { HomeScreen, LockScreen, UnboundScreen } from './screens/home';
import { Ended, Gate, inAppBrowser, Landing, Mine, Missing, PlanScreen, Resume } from './screens/landing';
import { ChangePinScreen } from './screens/pin';
import { ScanScreen } from './screens/scan';
import { enrolment, ticket } from './state/enrolment';
import { isBound } from './state/session';
import { Cover, useIdle } from './ui/cover';
import { lazy } from './ui/lazy';

const enrol = lazy(() => import('./screens/enrol'));
const later = lazy(() => import('./screens/later'));

type Screen = (rest: string) => preact.JSX.Element;

/** Anybody. */
const OPEN: Record<string, Screen> = {
  '/': () => <Landing onReady={enrol.prepare} />,
  '/c/*': (code) => <Landing code={code} key={code} onReady={enrol.prepare} />,
  '/enrol': () => <Resume />,
  '/enrol/plan': () => <PlanScreen />,
  '/enrol/phone': () => enrol.show('PhoneScreen'),
  '/mine': () => <Mine />,
  '/resume': () => enrol.show('ResumeByPhoneScreen'),
  '/verify': () => later.show('VerifyScreen'),
  '/settings': () => later.show('SettingsScreen'),
  '/change-device': () => later.show('ChangeDevice'),
  '/unlock': () => later.show('UnlockScreen'),
  '/lock': () => <LockScreen />,
  '/khoa': () => <LockScreen />,
  '/unbound': () => <UnboundScreen />,
};

/** Whoever has an enrolment under way on this phone, once its row is known. */
const ENROLLING: Record<string, Screen> = {
  '/enrol/code': () => enrol.show('CodeScreen'),
  '/enrol/card': () => enrol.show('CardScreen'),
  '/enrol/details': () => enrol.show('DetailsScreen'),
  '/enrol/payment': () => enrol.show('PaymentScreen'),
  '/enrol/photos': () => enrol.show('PhotosScreen'),
  '/enrol/contract': () => enrol.show('ContractScreen'),
  '/enrol/submit': () => enrol.show('SubmitScreen'),
  '/enrol/waiting': () => enrol.show('WaitingScreen'),
  '/enrol/supplement': () => enrol.show('SupplementScreen'),
  '/enrol/ended': () => <Ended />,
  '/enrol/pin': () => enrol.show('PinScreen'),
  '/enrol/acceptance': () => enrol.show('AcceptanceScreen'),
};

/** Whoever's phone is bound. */
const BOUND: Record<string, Screen> = {
  '/home': () => <HomeScreen />,
  '/scan': () => <ScanScreen />,
  '/history': () => later.show('HistoryScreen'),
  '/history/*': (id) => later.show('RecordScreen', { id, key: id }),
  '/change-pin': () => <ChangePinScreen />,
  '/requests/*': (id) => <ConfirmScreen id={id} key={id} />,
};

export function App() {
  const at = path.value;
  const [isGateLeft, setGateLeft] = useState(false);
  const isIdle = useIdle();
  const app = inAppBrowser(navigator.userAgent);
  useEffect(() => {
    if (at === '/' && isBound.value && ticket.value === undefined) {
      go('/home', true);
    }
  }, [at]);
  if (app !== undefined && !isGateLeft) {
    return <Gate app={app} onStay={() => setGateLeft(true)} />;
  }
  const open = screen(OPEN, at);
  if (open !== undefined) {
    return open;
  }
  const enrolling = screen(ENROLLING, at);
  const bound = screen(BOUND, at);
  if (isIdle && (enrolling ?? bound) !== undefined) {
    return <Cover />;
  }
  if (enrolling !== undefined) {
    return ticket.value !== undefined && enrolment.value !== undefined ? (
      enrolling
    ) : (
      <Resume at={at} key={at} />
    );
  }
  if (bound !== undefined) {
    return isBound.value ? bound : <Mine />;
  }
  return <Missing />;
}

function screen(screens: Record<string, Screen>, at: string): preact.JSX.Element | undefined {
  for (const [pattern, show] of Object.entries(screens)) {
    const rest = match(pattern, at);
    if (rest !== undefined) {
      return show(rest);
    }
  }
  return undefined;
}
