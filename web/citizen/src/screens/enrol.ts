/** The screens of an enrolment: one script of their own, so that a signature years later does not load them. */

export { AcceptanceScreen, PinScreen } from './binding';
export { CardScreen, DetailsScreen } from './card';
export { CodeScreen, PhoneScreen } from './contact';
export {
  ContractScreen,
  PaymentScreen,
  PhotosScreen,
  SubmitScreen,
  SupplementScreen,
  WaitingScreen,
} from './dossier';
export { ResumeByPhoneScreen } from './resume';
