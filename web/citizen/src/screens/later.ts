/** Screens that no signature waits for: one script of their own. */

export { HistoryScreen, RecordScreen } from './history';
export { ChangeDevice, SettingsScreen, UnlockScreen, VerifyScreen } from './settings';
