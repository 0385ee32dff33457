/** Provinces and communes in force, as the server has them. Each list is asked for once. */

import { callJson } from './client';

export interface Unit {
  code: string;
  name: string;
}

const PATH = '/v1/administrative-units';
const known: Record<string, Unit[]> = {};

/** The provinces or, below a province, its communes. */
export async function units(province = ''): Promise<Unit[]> {
  const have = known[province];
  if (have !== undefined) {
    return have;
  }
  const path = province === '' ? PATH : `${PATH}?parent=${encodeURIComponent(province)}`;
  const list = await callJson<Unit[]>(path);
  known[province] = list;
  return list;
}
