//! Why a dossier is sent back or rejected: stable codes, and what the citizen reads.

/// A reason an officer may give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// Stable code.
    pub code: &'static str,
    /// What the citizen reads: what is wrong, then what to do.
    pub vi: &'static str,
    /// The same in English.
    pub en: &'static str,
    /// May be given for a supplement.
    pub supplement: bool,
    /// May be given for a rejection.
    pub reject: bool,
}

impl Reason {
    /// The reason of this code.
    pub fn of(code: &str) -> Option<&'static Reason> {
        REASONS.iter().find(|reason| reason.code == code)
    }
}

const fn supplement(code: &'static str, vi: &'static str, en: &'static str) -> Reason {
    Reason {
        code,
        vi,
        en,
        supplement: true,
        reject: false,
    }
}

const fn reject(code: &'static str, vi: &'static str, en: &'static str) -> Reason {
    Reason {
        code,
        vi,
        en,
        supplement: false,
        reject: true,
    }
}

const fn either(code: &'static str, vi: &'static str, en: &'static str) -> Reason {
    Reason {
        code,
        vi,
        en,
        supplement: true,
        reject: true,
    }
}

/// Every reason.
pub const REASONS: &[Reason] = &[
    supplement(
        "image-blurred",
        "Ảnh bị mờ. Chụp lại ở nơi đủ sáng.",
        "The photo is blurred. Take it again where there is enough light.",
    ),
    supplement(
        "image-glare",
        "Ảnh bị lóa, che mất chữ. Nghiêng thẻ và chụp lại.",
        "Glare hides the text. Tilt the card and take the photo again.",
    ),
    supplement(
        "image-cropped",
        "Ảnh thiếu góc thẻ. Đặt đủ 4 góc trong khung.",
        "A corner of the card is missing. Put all four corners into the frame.",
    ),
    supplement(
        "image-wrong-side",
        "Ảnh chụp nhầm mặt thẻ. Lật thẻ và chụp lại.",
        "The photo shows the other side of the card. Turn it over and take the photo again.",
    ),
    either(
        "image-copy",
        "Cần ảnh chụp thẻ thật, không dùng bản photo hay ảnh màn hình.",
        "The photo must show the card itself, not a copy or a screen.",
    ),
    supplement(
        "name-mismatch",
        "Họ tên chưa giống trên thẻ. Sửa lại cho đúng từng dấu.",
        "The name is not as on the card. Correct it, with every mark.",
    ),
    supplement(
        "number-mismatch",
        "Số Căn cước đã nhập khác số trên thẻ. Sửa lại cho đúng.",
        "The number entered is not the one on the card. Correct it.",
    ),
    supplement(
        "field-mismatch",
        "Thông tin này chưa giống trên thẻ. Sửa lại cho đúng.",
        "This is not as on the card. Correct it.",
    ),
    supplement(
        "address-unclear",
        "Địa chỉ chưa rõ. Ghi số nhà, đường hoặc thôn, chọn đúng xã, phường.",
        "The address is not clear. Give house number and street or hamlet, and choose the right commune.",
    ),
    supplement(
        "face-unclear",
        "Ảnh khuôn mặt chưa rõ. Chụp lại hoặc đến quầy.",
        "The face is not clear. Take the photo again, or come to the desk.",
    ),
    reject(
        "face-mismatch",
        "Chưa xác minh được khuôn mặt từ xa. Mời đến quầy với thẻ gốc.",
        "The face could not be verified from afar. Please come to the desk with the card.",
    ),
    reject(
        "card-expired",
        "Thẻ Căn cước đã hết hạn. Làm thẻ mới rồi đăng ký lại.",
        "The identity card has expired. Get a new one, then enrol again.",
    ),
    reject(
        "already-active",
        "Đã có chữ ký số đang hoạt động. Bấm “Đổi điện thoại” nếu muốn dùng máy mới.",
        "There is an active signature already. Choose “Change phone” to use another phone.",
    ),
    reject(
        "phone-shared",
        "Số điện thoại này đang dùng cho nhiều hồ sơ. Mời dùng số của chính mình.",
        "This phone number is used for several enrolments. Please use your own.",
    ),
    reject(
        "out-of-campaign",
        "Gói miễn phí không dành cho địa bàn này. Có thể chọn gói khác.",
        "The free plan is not for this area. Another plan can be chosen.",
    ),
    reject(
        "suspected-fraud",
        "Hồ sơ cần kiểm tra trực tiếp. Mời đến quầy với thẻ gốc.",
        "The enrolment has to be checked in person. Please come to the desk with the card.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_one_code_and_two_texts_that_say_what_to_do() {
        for (index, reason) in REASONS.iter().enumerate() {
            assert!(
                REASONS[..index]
                    .iter()
                    .all(|other| other.code != reason.code),
                "{}",
                reason.code
            );
            assert!(
                reason
                    .code
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'-')
            );
            assert!(reason.supplement || reason.reject);
            for text in [reason.vi, reason.en] {
                assert!(text.ends_with('.') && !text.contains('!'), "{text}");
            }
        }
        assert!(Reason::of("image-blurred").is_some() && Reason::of("IMAGE").is_none());
    }
}
