//! Invented people, places and businesses for the demo and the tests. Nobody here exists.

use crate::{
    AcceptanceFields, Attachment, Business, ContractFields, Date, DossierFields, Member, Plan,
    Provider, Subscriber, Trade,
};

/// An invented provider.
pub fn provider() -> Provider {
    Provider {
        name: "TRUNG TÂM CHỨNG THỰC CHỮ KÝ SỐ AN BÌNH".into(),
        service: "KySo".into(),
        address: "Số 1, đường Thử Nghiệm, Phường Vườn Lài, Thành phố Hồ Chí Minh".into(),
        tax_number: "0399999999".into(),
        licence: "Giấy phép thử nghiệm số 00/GP-TN (không dùng cho dịch vụ thật)".into(),
        representative: "Lê Thị Minh Chứng".into(),
        position: "Giám đốc".into(),
        hotline: "1900 0000".into(),
        email: "hotro@kyso.example".into(),
        policy_url: "https://kyso.example/cps".into(),
    }
}

/// An invented citizen.
pub fn subscriber() -> Subscriber {
    Subscriber {
        full_name: "Nguyễn Thị Ngọc Ánh".into(),
        birth_date: day(1985, 3, 7),
        sex: "Nữ".into(),
        nationality: "Việt Nam".into(),
        identity_kind: "CCCD".into(),
        identity_number: "079185000001".into(),
        identity_issued_on: day(2022, 8, 15),
        identity_issuer: "Cục Cảnh sát quản lý hành chính về trật tự xã hội".into(),
        address: "Số 12/3, đường Hoa Giấy, Phường Vườn Lài, Thành phố Hồ Chí Minh".into(),
        email: "ngoc.anh@example.vn".into(),
        phone: "0900000001".into(),
    }
}

/// Twelve free months by campaign.
pub fn plan() -> Plan {
    Plan {
        name: "Cá nhân 12 tháng".into(),
        months: 12,
        price_vnd: 0,
        signatures: None,
        campaign: "Phường Vườn Lài ký số cùng người dân 2026".into(),
    }
}

/// A contract between the two.
pub fn contract() -> ContractFields {
    ContractFields {
        number: "HD790000000001".into(),
        made_on: day(2026, 11, 22),
        made_at: "Thành phố Hồ Chí Minh".into(),
        provider: provider(),
        subscriber: subscriber(),
        plan: plan(),
    }
}

/// The acceptance of that contract.
pub fn acceptance() -> AcceptanceFields {
    AcceptanceFields {
        contract_number: "HD790000000001".into(),
        contract_made_on: day(2026, 11, 22),
        made_on: day(2026, 11, 22),
        made_at: "Thành phố Hồ Chí Minh".into(),
        provider: provider(),
        subscriber: subscriber(),
        plan: plan(),
        certificate_serial: "4F1D2A90C37B5E6688A1B2C3D4E5F607".into(),
        certificate_subject: vec![
            "Nguyễn Thị Ngọc Ánh".into(),
            "Số CCCD 079185000001".into(),
            "Phường Vườn Lài, Thành phố Hồ Chí Minh, Việt Nam".into(),
        ],
        certificate_issuer: vec![
            "An Binh Remote Signing CA".into(),
            "Trung tâm chứng thực chữ ký số An Bình".into(),
        ],
        certificate_key: "RSA 2048 bit".into(),
        not_before: 1_795_314_240_000,
        not_after: 1_826_850_240_000,
    }
}

/// A dossier; another `n` is another business of the same citizen.
pub fn dossier(n: u32) -> DossierFields {
    let street = 10 + n;
    DossierFields {
        number: format!("H29.25.10-261122-{n:04}"),
        made_on: day(2026, 11, 22),
        commune: "Phường Vườn Lài".into(),
        province: "Thành phố Hồ Chí Minh".into(),
        applicant: subscriber(),
        business: Business {
            name: format!("HỘ KINH DOANH TIỆM BÁNH NGỌC ÁNH {n}"),
            address: format!("Số {street}, đường Hoa Giấy, Phường Vườn Lài, Thành phố Hồ Chí Minh"),
            capital_vnd: 150_000_000 + u64::from(n) * 1_000_000,
            employees: 4,
            opens_on: day(2026, 12, 15),
        },
        trades: trades(),
        members: members(),
        attachments: attachments(),
    }
}

fn trades() -> Vec<Trade> {
    [
        ("1071", "Sản xuất các loại bánh từ bột"),
        (
            "4721",
            "Bán lẻ lương thực, thực phẩm và bánh kẹo trong các cửa hàng chuyên doanh",
        ),
        (
            "4723",
            "Bán lẻ đồ uống không cồn trong các cửa hàng chuyên doanh",
        ),
        ("5610", "Nhà hàng và các dịch vụ ăn uống phục vụ lưu động"),
        ("5630", "Dịch vụ phục vụ đồ uống"),
        (
            "4791",
            "Bán lẻ theo yêu cầu đặt hàng qua bưu điện hoặc internet",
        ),
    ]
    .map(|(code, name)| Trade {
        code: code.into(),
        name: name.into(),
    })
    .into()
}

fn members() -> Vec<Member> {
    [
        (
            "Trần Quốc Dũng",
            day(1983, 11, 2),
            "079083000002",
            "Chồng",
            50_000_000,
        ),
        (
            "Nguyễn Hữu Phước",
            day(1958, 1, 19),
            "079058000003",
            "Cha ruột",
            20_000_000,
        ),
        (
            "Nguyễn Đặng Khánh Quỳnh",
            day(1990, 6, 30),
            "079190000004",
            "Em ruột",
            30_000_000,
        ),
    ]
    .map(
        |(name, birth_date, number, relation, contribution_vnd)| Member {
            full_name: name.into(),
            birth_date,
            identity_number: number.into(),
            relation: relation.into(),
            contribution_vnd,
        },
    )
    .into()
}

fn attachments() -> Vec<Attachment> {
    [
        (
            "Biên bản họp thành viên hộ gia đình về việc thành lập hộ kinh doanh",
            "Bản điện tử có chữ ký số",
            2,
        ),
        (
            "Văn bản ủy quyền của thành viên hộ gia đình cho chủ hộ",
            "Bản điện tử có chữ ký số",
            1,
        ),
        (
            "Hợp đồng thuê địa điểm kinh doanh",
            "Bản sao điện tử từ bản chính",
            6,
        ),
        (
            "Giấy xác nhận kiến thức an toàn thực phẩm",
            "Bản sao điện tử từ bản chính",
            1,
        ),
    ]
    .map(|(name, form, pages)| Attachment {
        name: name.into(),
        form: form.into(),
        pages,
    })
    .into()
}

fn day(year: i32, month: u8, day: u8) -> Date {
    Date::new(year, month, day).expect("the samples use days of the calendar")
}
