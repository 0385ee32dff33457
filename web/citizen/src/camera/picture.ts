/** Pictures: from a video or a file to a JPEG of bounded size without metadata, and what can be said of their quality. */

export const LONG_SIDE_MAX = 1600;
/** The server takes nothing smaller. */
export const LONG_SIDE_MIN = 600;
const JPEG_QUALITY = 0.88;
/** Quality is judged on a small copy: fast on a slow phone, and the same measure for every camera. */
const JUDGED_WIDTH = 320;

export interface Quality {
  isDark: boolean;
  hasGlare: boolean;
  isBlurred: boolean;
}

/** The file is no picture that this phone can open. */
export class Unreadable extends Error {}

type Drawable = HTMLVideoElement | HTMLImageElement | HTMLCanvasElement;

function sizeOf(source: Drawable): { width: number; height: number } {
  if (source instanceof HTMLVideoElement) {
    return { width: source.videoWidth, height: source.videoHeight };
  }
  return source instanceof HTMLImageElement
    ? { width: source.naturalWidth, height: source.naturalHeight }
    : { width: source.width, height: source.height };
}

/** A copy whose longer side is at most `longSideMax`. */
export function drawn(source: Drawable, longSideMax: number): HTMLCanvasElement {
  const { width, height } = sizeOf(source);
  const scale = Math.min(1, longSideMax / Math.max(width, height, 1));
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.getContext('2d')?.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** JPEG as a canvas writes it: pixels only, no place, no time, no thumbnail. */
export function jpeg(canvas: HTMLCanvasElement): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => (blob === null ? reject(new Unreadable('no JPEG')) : resolve(blob)),
      'image/jpeg',
      JPEG_QUALITY,
    );
  });
}

export function pictureOf(file: Blob): Promise<HTMLImageElement> {
  return new Promise((resolve, reject) => {
    const url = URL.createObjectURL(file);
    const image = new Image();
    image.onload = () => {
      URL.revokeObjectURL(url);
      resolve(image);
    };
    image.onerror = () => {
      URL.revokeObjectURL(url);
      reject(new Unreadable('no picture'));
    };
    image.src = url;
  });
}

export function pixels(canvas: HTMLCanvasElement): ImageData | undefined {
  const { width, height } = canvas;
  return width === 0 || height === 0 ? undefined : canvas.getContext('2d')?.getImageData(0, 0, width, height);
}

export function judgePicture(source: Drawable): Quality {
  const data = pixels(drawn(source, JUDGED_WIDTH));
  return data === undefined
    ? { isDark: true, hasGlare: false, isBlurred: true }
    : judge(data.data, data.width, data.height);
}

/**
 * Dark: mean luminance below 55 of 255. Glare: more than 3 % of the middle lies in burnt-out areas; the small
 * white squares of a QR code are none. Blurred: the variance of the
 * Laplacian, the usual measure of sharpness, is below 40. Bounds are hints for a person, not a judgement: nobody is stopped.
 */
export function judge(rgba: ArrayLike<number>, width: number, height: number): Quality {
  const light = new Float32Array(width * height);
  let sum = 0;
  let burnt = 0;
  let middle = 0;
  const isBurnt = (at: number) => (light[at] ?? 0) > 252;
  for (let at = 0; at < light.length; at++) {
    const value =
      0.299 * (rgba[at * 4] ?? 0) + 0.587 * (rgba[at * 4 + 1] ?? 0) + 0.114 * (rgba[at * 4 + 2] ?? 0);
    light[at] = value;
    sum += value;
  }
  for (let at = 0; at < light.length; at++) {
    const x = (at % width) / width;
    const y = Math.floor(at / width) / height;
    if (x > 0.15 && x < 0.85 && y > 0.15 && y < 0.85) {
      middle++;
      const around = [at, at - 4, at + 4, at - 4 * width, at + 4 * width];
      burnt += around.every(isBurnt) ? 1 : 0;
    }
  }
  let edges = 0;
  let squares = 0;
  let count = 0;
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const at = y * width + x;
      const edge =
        (light[at - 1] ?? 0) +
        (light[at + 1] ?? 0) +
        (light[at - width] ?? 0) +
        (light[at + width] ?? 0) -
        4 * (light[at] ?? 0);
      edges += edge;
      squares += edge * edge;
      count++;
    }
  }
  const variance = count === 0 ? 0 : squares / count - (edges / count) ** 2;
  return {
    isDark: light.length === 0 || sum / light.length < 55,
    hasGlare: middle > 0 && burnt / middle > 0.03,
    isBlurred: variance < 40,
  };
}
