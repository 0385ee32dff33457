/** Which screen is shown where. */

import { useEffect, useState } from 'preact/hooks';
import { go, match, path } from './router';
import { AcceptanceScreen, PinScreen } from './screens/binding';
import { CardScreen, DetailsScreen } from './screens/card';
import { ConfirmScreen } from './screens/confirm';
import { CodeScreen, PhoneScreen } from './screens/contact';
import {
  ContractScreen,
  PaymentScreen,
  PhotosScreen,
  SubmitScreen,
  SupplementScreen,
  WaitingScreen,
} from './screens/dossier';
import {
  HistoryScreen,
  HomeScreen,
  LockScreen,
  NotHere,
  ScanScreen,
  SettingsScreen,
  UnboundScreen,
  VerifyScreen,
} from './screens/home';
import { Ended, Gate, inAppBrowser, Landing, Mine, Missing, PlanScreen, Resume } from './screens/landing';
import { enrolment, ticket } from './state/enrolment';
import { isBound } from './state/session';
import { Cover, useIdle } from './ui/cover';

type Screen = (rest: string) => preact.JSX.Element;

/** Anybody. */
const OPEN: Record<string, Screen> = {
  '/': () => <Landing />,
  '/c/*': (code) => <Landing code={code} key={code} />,
  '/enrol': () => <Resume />,
  '/enrol/plan': () => <PlanScreen />,
  '/enrol/phone': () => <PhoneScreen />,
  '/mine': () => <Mine />,
  '/verify': () => <VerifyScreen />,
  '/settings': () => <SettingsScreen />,
  '/change-device': () => <NotHere what="device" />,
  '/change-pin': () => <NotHere what="pin" />,
  '/lock': () => <LockScreen />,
  '/khoa': () => <LockScreen />,
  '/unbound': () => <UnboundScreen />,
};

/** Whoever has an enrolment under way on this phone, once its row is known. */
const ENROLLING: Record<string, Screen> = {
  '/enrol/code': () => <CodeScreen />,
  '/enrol/card': () => <CardScreen />,
  '/enrol/details': () => <DetailsScreen />,
  '/enrol/payment': () => <PaymentScreen />,
  '/enrol/photos': () => <PhotosScreen />,
  '/enrol/contract': () => <ContractScreen />,
  '/enrol/submit': () => <SubmitScreen />,
  '/enrol/waiting': () => <WaitingScreen />,
  '/enrol/supplement': () => <SupplementScreen />,
  '/enrol/ended': () => <Ended />,
  '/enrol/pin': () => <PinScreen />,
  '/enrol/acceptance': () => <AcceptanceScreen />,
};

/** Whoever's phone is bound. */
const BOUND: Record<string, Screen> = {
  '/home': () => <HomeScreen />,
  '/scan': () => <ScanScreen />,
  '/history': () => <HistoryScreen />,
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
