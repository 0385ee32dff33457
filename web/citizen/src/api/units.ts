/**
 * Provinces and communes in force since 1 July 2025. The server has them all but no operation that lists them yet; until then
 * these are the ones it is seeded with (crates/registration/src/unit/seed.rs), loaded when the form is opened.
 */

export interface Unit {
  code: string;
  name: string;
}

const SEED = `01 Thành phố Hà Nội;04 Tỉnh Cao Bằng;08 Tỉnh Tuyên Quang;11 Tỉnh Điện Biên;12 Tỉnh Lai Châu;14 Tỉnh Sơn La;15 Tỉnh Lào Cai;19 Tỉnh Thái Nguyên;20 Tỉnh Lạng Sơn;22 Tỉnh Quảng Ninh;24 Tỉnh Bắc Ninh;25 Tỉnh Phú Thọ;31 Thành phố Hải Phòng;33 Tỉnh Hưng Yên;37 Tỉnh Ninh Bình;38 Tỉnh Thanh Hóa;40 Tỉnh Nghệ An;42 Tỉnh Hà Tĩnh;44 Tỉnh Quảng Trị;46 Thành phố Huế;48 Thành phố Đà Nẵng;51 Tỉnh Quảng Ngãi;52 Tỉnh Gia Lai;56 Tỉnh Khánh Hòa;66 Tỉnh Đắk Lắk;68 Tỉnh Lâm Đồng;75 Tỉnh Đồng Nai;79 Thành phố Hồ Chí Minh;80 Tỉnh Tây Ninh;82 Tỉnh Đồng Tháp;86 Tỉnh Vĩnh Long;91 Tỉnh An Giang;92 Thành phố Cần Thơ;96 Tỉnh Cà Mau`;

const COMMUNES: Record<string, string> = {
  '01': '00004 Phường Ba Đình;00070 Phường Hoàn Kiếm',
  '79': '27154 Phường Bàn Cờ;26743 Phường Bến Thành;26758 Phường Cầu Ông Lãnh;27343 Phường Chợ Lớn;27169 Phường Diên Hồng;27163 Phường Hòa Hưng;27142 Phường Nhiêu Lộc;26740 Phường Sài Gòn;26737 Phường Tân Định;27190 Phường Vườn Lài;27139 Phường Xuân Hòa;27553 Xã Củ Chi;26732 Đặc khu Côn Đảo',
  '92': '31120 Phường Cái Khế;31135 Phường Ninh Kiều',
  '96': '31825 Phường Bạc Liêu',
};

function read(list: string): Unit[] {
  return list
    .split(';')
    .map((line) => ({ code: line.split(' ', 1)[0] ?? '', name: line.slice(line.indexOf(' ') + 1) }));
}

export const provinces = (): Unit[] => read(SEED);

export function communes(province: string): Unit[] {
  const list = COMMUNES[province];
  return list === undefined ? [] : read(list);
}
