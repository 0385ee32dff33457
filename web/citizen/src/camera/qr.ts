/**
 * Reads a QR code from a picture: by the engine's own BarcodeDetector where it has one for QR, else by jsQR, which is loaded
 * only then.
 */

import { drawn, pixels } from './picture';

interface Detector {
  detect(source: CanvasImageSource): Promise<{ rawValue: string }[]>;
}

interface DetectorClass {
  new (options: { formats: string[] }): Detector;
  getSupportedFormats?: () => Promise<string[]>;
}

export type ReadQr = (source: HTMLVideoElement | HTMLImageElement) => Promise<string | undefined>;

/** Wide enough for a card's code (49 × 49 modules) at four pixels a module in less than half of the frame. */
const LIVE_SIDE = 800;
const PHOTO_SIDE = 1600;

export async function qrReader(): Promise<ReadQr> {
  const native = await nativeDetector();
  const { default: jsqr } = native === undefined ? await import('./jsqr') : { default: undefined };
  return async (source) => {
    if (native !== undefined) {
      const found = await native.detect(source);
      return found[0]?.rawValue;
    }
    const sides = source instanceof HTMLVideoElement ? [LIVE_SIDE] : [LIVE_SIDE, PHOTO_SIDE];
    for (const side of sides) {
      const data = pixels(drawn(source, side));
      const found = data && jsqr?.(data.data, data.width, data.height, { inversionAttempts: 'dontInvert' });
      if (found) {
        return new TextDecoder().decode(Uint8Array.from(found.binaryData));
      }
    }
    return undefined;
  };
}

async function nativeDetector(): Promise<Detector | undefined> {
  const Native = (window as { BarcodeDetector?: DetectorClass }).BarcodeDetector;
  try {
    const formats = (await Native?.getSupportedFormats?.()) ?? [];
    return Native !== undefined && formats.includes('qr_code')
      ? new Native({ formats: ['qr_code'] })
      : undefined;
  } catch {
    return undefined;
  }
}
