//! Every problem code: status, whether the same request may succeed later, and a sentence in each language.
//!
//! Copy rule: what happened, then what to do; no blame, no jargon, no exclamation mark. docs/errors.md is printed from
//! this table and compared with it by a test.

/// One problem code.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Stable code.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Vietnamese.
    pub vi: &'static str,
    /// English.
    pub en: &'static str,
}

const fn entry(code: &'static str, status: u16, vi: &'static str, en: &'static str) -> Entry {
    Entry {
        code,
        status,
        retryable: matches!(status, 408 | 429 | 503),
        vi,
        en,
    }
}

/// What an unknown code falls back to.
pub const INTERNAL: &Entry = &ENTRIES[0];

/// The entry of a code.
pub fn find(code: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.code == code)
}

/// The sentences of a field rule, Vietnamese first. An unknown rule gets the general one.
pub fn field(code: &str) -> (&'static str, &'static str) {
    FIELD_RULES
        .iter()
        .find(|(rule, _, _)| *rule == code)
        .map_or(
            ("Giá trị chưa hợp lệ.", "The value is not acceptable."),
            |(_, vi, en)| (vi, en),
        )
}

/// docs/errors.md, as the code says it.
pub fn reference() -> String {
    let mut text = String::from(
        "# Problems\n\nPrinted from the code; do not edit.\n\n\
         Every refusal is an RFC 9457 document (`application/problem+json`) with a stable `code`, a sentence in each \
         language, `retryable`, and `instance`, the id to read to support. `type` is the address of a page about the \
         code, `/errors/{code}`. Fields that broke a rule are listed in `errors`, each with a code of its own and, \
         where it stands in a JSON body, its `pointer` (RFC 6901).\n\n\
         | code | status | retry | what happened and what to do |\n| --- | --- | --- | --- |\n",
    );
    for entry in ENTRIES {
        let retry = if entry.retryable { "yes" } else { "" };
        text.push_str(&format!(
            "| `{}` | {} | {retry} | {}<br>{} |\n",
            entry.code, entry.status, entry.en, entry.vi
        ));
    }
    text.push_str("\n## Rules of single fields\n\n| code | rule |\n| --- | --- |\n");
    for (code, vi, en) in FIELD_RULES {
        text.push_str(&format!("| `{code}` | {en}<br>{vi} |\n"));
    }
    text
}

/// Every code, grouped by what it is about.
pub const ENTRIES: &[Entry] = &[
    // ours
    entry(
        "internal",
        500,
        "Hệ thống có lỗi. Thử lại sau; nếu vẫn lỗi, đọc mã lỗi cho tổng đài.",
        "Something failed on our side. Try again later; if it stays, read the error id to support.",
    ),
    entry(
        "overloaded",
        503,
        "Hệ thống đang bận. Thử lại sau một phút.",
        "The service is busy. Try again in a minute.",
    ),
    entry(
        "timed-out",
        503,
        "Hệ thống trả lời quá lâu. Thử lại sau một phút.",
        "The service took too long. Try again in a minute.",
    ),
    entry(
        "database-unavailable",
        503,
        "Hệ thống đang bận. Thử lại sau một phút.",
        "The database cannot be reached. Try again in a minute.",
    ),
    entry(
        "database-full",
        503,
        "Hệ thống tạm ngừng nhận dữ liệu. Thử lại sau.",
        "There is no room to store anything. Try again later.",
    ),
    entry(
        "keystore-busy",
        503,
        "Hệ thống đang bận ký. Thử lại sau một phút.",
        "Too many signatures wait. Try again in a minute.",
    ),
    entry(
        "keystore-unavailable",
        503,
        "Thiết bị khóa tạm ngừng. Thử lại sau vài phút.",
        "The key device is away. Try again in a few minutes.",
    ),
    entry(
        "authority-not-ready",
        503,
        "Hệ thống chưa sẵn sàng cấp chứng thư.",
        "The authority has no keys yet: the operator holds a ceremony first.",
    ),
    entry(
        "approval-key-missing",
        503,
        "Hệ thống đang khởi động. Thử lại sau một phút.",
        "No worker has published its key yet. Try again in a minute.",
    ),
    // the request itself
    entry(
        "not-found",
        404,
        "Không tìm thấy.",
        "There is no such thing, or it is not yours to see.",
    ),
    entry(
        "method-not-allowed",
        405,
        "Địa chỉ này không nhận cách gọi đó.",
        "This address does not take that method.",
    ),
    entry(
        "body-malformed",
        400,
        "Dữ liệu gửi lên chưa đúng dạng. Xem từng mục bên dưới.",
        "The request body is not of the documented form; see the fields named.",
    ),
    entry(
        "query-malformed",
        400,
        "Tham số chưa đúng dạng. Xem từng mục bên dưới.",
        "A query parameter is not of the documented form; see the fields named.",
    ),
    entry(
        "page-not-renderable",
        422,
        "Trang này không hiện được thành ảnh. Mở tệp để xem.",
        "This page cannot be shown as a picture that says all it says. Open the file itself.",
    ),
    entry(
        "body-too-large",
        413,
        "Dữ liệu gửi lên quá lớn.",
        "The request body is too large.",
    ),
    entry(
        "media-type-unsupported",
        415,
        "Kiểu dữ liệu này chưa được nhận.",
        "This content type is not taken here.",
    ),
    entry(
        "unauthenticated",
        401,
        "Cần đăng nhập.",
        "Say who is calling: the Authorization header is missing or of another kind.",
    ),
    entry(
        "session-invalid",
        401,
        "Phiên làm việc đã hết. Mở lại để tiếp tục.",
        "The session is unknown or has ended; open a new one.",
    ),
    entry(
        "portal-credentials",
        401,
        "Mã cổng hoặc mật khẩu không đúng.",
        "The client id or secret is not valid.",
    ),
    entry(
        "portal-scope",
        403,
        "Cổng này chưa được phép gọi chức năng đó.",
        "This portal has not been given the scope for this; ask the provider.",
    ),
    entry(
        "officer-forbidden",
        403,
        "Vai trò của cán bộ chưa cho phép việc này.",
        "The officer's roles do not allow this.",
    ),
    entry(
        "too-many-pending",
        429,
        "Người ký đang có quá nhiều yêu cầu chờ. Chờ họ trả lời rồi gửi tiếp.",
        "Too many requests wait for this signer already; send more when some are answered.",
    ),
    entry(
        "request-too-slow",
        408,
        "Dữ liệu gửi lên quá chậm. Kiểm tra mạng rồi gửi lại.",
        "The body came too slowly. Check the connection and send it again.",
    ),
    entry(
        "rate-limited",
        429,
        "Gọi quá nhanh. Chờ một chút rồi thử lại.",
        "Too many requests; wait as long as Retry-After says.",
    ),
    entry(
        "proof-unavailable",
        409,
        "Chưa lập được bằng chứng cho lần ký này. Gọi hỗ trợ.",
        "This line of the ledger has no short way to a signed checkpoint; ask support.",
    ),
    entry(
        "conflict",
        409,
        "Dữ liệu vừa thay đổi. Tải lại rồi thử lại.",
        "It changed in the meantime; read it again and decide anew.",
    ),
    entry(
        "idempotency-mismatch",
        409,
        "Khóa chống lặp đã dùng cho một yêu cầu khác.",
        "The idempotency key was used for another body.",
    ),
    // signature requests
    entry(
        "signer-unknown",
        422,
        "Người này chưa có chữ ký số đang hoạt động.",
        "Nobody with a usable credential has this identity number or serial.",
    ),
    entry(
        "request-state",
        409,
        "Yêu cầu không còn chờ ký.",
        "The request is in a state that does not allow this.",
    ),
    entry(
        "request-expired",
        409,
        "Yêu cầu đã hết hạn. Quay lại cổng và tạo lại.",
        "The request has expired; the portal makes a new one.",
    ),
    entry(
        "document-count",
        422,
        "Số tài liệu trong một yêu cầu chưa hợp lệ.",
        "A request holds at least one document and no more than the limit.",
    ),
    entry(
        "document-too-large",
        413,
        "Tài liệu quá lớn.",
        "A document, or all together, are larger than allowed.",
    ),
    entry(
        "document-name",
        422,
        "Tên tài liệu chưa hợp lệ.",
        "A document name is empty, too long or has control characters.",
    ),
    entry(
        "document-refused",
        422,
        "Tài liệu này không ký được. Lý do ở mục bên dưới.",
        "This document cannot be signed; the field names the document and the rule it breaks.",
    ),
    entry(
        "digest-unsuited",
        422,
        "Khóa của người ký không ký được giá trị băm này.",
        "The signer's key cannot sign this digest.",
    ),
    entry(
        "transaction-taken",
        409,
        "Mã giao dịch đang được dùng.",
        "The transaction id is in use.",
    ),
    entry(
        "screen-token",
        401,
        "Trang này không còn được xem yêu cầu ký. Tải lại trang của cổng.",
        "The page's token is not valid, or its request is over; the portal gives another.",
    ),
    entry(
        "screen-code-old",
        422,
        "Mã trên màn hình đã đổi. Quét lại mã đang hiện, hoặc nhập hai số bên cạnh.",
        "The code or link is not of now; read the one that is shown.",
    ),
    entry(
        "screen-code-wrong",
        422,
        "Mã này không phải của yêu cầu ký. Chỉ quét mã trên trang của cổng.",
        "The code or link is not one of this request.",
    ),
    entry(
        "digits-wrong",
        422,
        "Số chưa giống trên màn hình kia. Xem lại rồi nhập lại.",
        "These are not the digits on the screen; tries_left says how many tries are left.",
    ),
    entry(
        "digits-refused",
        409,
        "Số không giống ba lần. Có thể là yêu cầu giả, đã từ chối.",
        "The digits were wrong three times; the request is refused.",
    ),
    entry(
        "request-opened",
        409,
        "Yêu cầu đã được mở trên điện thoại này.",
        "The request was opened already; show it again and go on.",
    ),
    entry(
        "request-unopened",
        409,
        "Quét mã trên màn hình kia, hoặc nhập hai số đang hiện, rồi mới ký.",
        "The request is on a screen; the phone opens it before it approves.",
    ),
    entry(
        "approval-refused",
        422,
        "Xác nhận ký không khớp với yêu cầu. Mở lại yêu cầu và ký lại.",
        "The approval does not fit the request; the field says which rule.",
    ),
    entry(
        "units-exhausted",
        402,
        "Đã hết lượt ký. Mua thêm rồi quay lại.",
        "No signatures are left in the plan.",
    ),
    // credentials and devices
    entry(
        "credential-state",
        409,
        "Chữ ký số đang ở trạng thái chưa cho phép việc này.",
        "The credential is in a state that does not allow this.",
    ),
    entry(
        "credential-live",
        409,
        "Người này đã có chữ ký số.",
        "This person already has a credential.",
    ),
    entry(
        "credential-unbound",
        409,
        "Chữ ký số chưa gắn với điện thoại nào.",
        "The credential is not bound to a phone yet.",
    ),
    entry(
        "certificate-state",
        409,
        "Chứng thư đang ở trạng thái chưa cho phép việc này.",
        "The certificate is in a state that does not allow this.",
    ),
    entry(
        "pin-locked",
        423,
        "Đã khóa vì nhập sai mã PIN 5 lần. Gọi hỗ trợ để được cấp chữ ký mới.",
        "The key is locked for good after five wrong PINs. Support can help you to a new signature.",
    ),
    entry(
        "pin-weak",
        422,
        "Mã PIN dễ đoán. Chọn 6 số khác, không liên tiếp, không giống nhau.",
        "The PIN is too easy to guess: six digits, no run, not all the same.",
    ),
    entry(
        "challenge-invalid",
        409,
        "Mã thử đã dùng hoặc quá cũ. Thử lại.",
        "The challenge is unknown, used or too old; take a new one.",
    ),
    entry(
        "device-signature",
        401,
        "Chữ ký của điện thoại không đúng.",
        "The device's signature does not verify.",
    ),
    entry(
        "device-unknown",
        401,
        "Điện thoại này chưa gắn với tài khoản nào.",
        "The device is not bound to an account.",
    ),
    entry(
        "device-taken",
        409,
        "Điện thoại này đã gắn với tài khoản khác.",
        "The device is bound to another account.",
    ),
    // enrolment
    entry(
        "fields-invalid",
        422,
        "Có mục cần sửa. Xem từng mục bên dưới.",
        "Some fields break a rule; all of them are named.",
    ),
    entry(
        "enrolment-state",
        409,
        "Hồ sơ đang ở bước chưa cho phép việc này.",
        "The enrolment is in a state that does not allow this.",
    ),
    entry(
        "steps-missing",
        409,
        "Còn bước chưa làm. Xem các bước bên dưới.",
        "Something else has to be done first; the fields name the steps.",
    ),
    entry(
        "piece-not-asked",
        409,
        "Chỉ sửa mục được yêu cầu bổ sung.",
        "Only what the officer asked for may change now.",
    ),
    entry(
        "person-taken",
        409,
        "Số Căn cước này đã có hồ sơ hoặc chữ ký số. Mở hồ sơ đó để tiếp tục.",
        "This person has an enrolment under way or a live credential.",
    ),
    entry(
        "card-expired",
        422,
        "Thẻ Căn cước đã hết hạn. Làm thẻ mới rồi đăng ký lại.",
        "The identity card has expired.",
    ),
    entry(
        "campaign-closed",
        409,
        "Chương trình chưa mở hoặc đã kết thúc. Có thể chọn gói khác.",
        "The campaign has not begun or is over.",
    ),
    entry(
        "campaign-full",
        409,
        "Chương trình đã hết chỗ. Có thể chọn gói khác.",
        "Every place of the campaign is taken.",
    ),
    entry(
        "campaign-area",
        422,
        "Gói này chỉ cho người ở địa bàn của chương trình.",
        "The campaign is for another area.",
    ),
    entry(
        "payment-unavailable",
        409,
        "Chưa thanh toán trực tuyến được gói này.",
        "Something has to be paid and no way to pay is set up.",
    ),
    entry(
        "code-too-soon",
        429,
        "Vừa gửi mã. Chờ một chút rồi gửi lại.",
        "A code was just sent; wait as long as Retry-After says.",
    ),
    entry(
        "code-limit",
        429,
        "Đã gửi nhiều mã tới số này, hoặc tới những người dùng chung mạng này. Chờ rồi gửi lại, thử bằng mạng khác, hoặc gọi hỗ trợ.",
        "Too many codes were sent for this enrolment, to this destination, or to the network of the caller; try again as late as Retry-After says, or from another network.",
    ),
    entry(
        "message-budget",
        503,
        "Đang có quá nhiều người nhận mã. Thử lại sau, hoặc gọi hỗ trợ.",
        "As many codes were sent as are sent in a while; try again as late as Retry-After says.",
    ),
    entry(
        "resumption-rests",
        429,
        "Hồ sơ vừa mở trên máy khác. Chờ rồi gắn máy, hoặc gọi hỗ trợ.",
        "The enrolment was resumed after it was handed in: no phone is bound for as long as Retry-After says.",
    ),
    entry("code-wrong", 422, "Mã chưa đúng.", "The code is wrong."),
    entry(
        "code-none",
        409,
        "Mã đã hết hạn hoặc đã dùng. Bấm “Gửi lại mã”.",
        "No code is waiting; ask for a new one.",
    ),
    entry(
        "photo-refused",
        422,
        "Ảnh này chưa dùng được. Chụp lại.",
        "The photo is not acceptable; the field says which rule.",
    ),
    entry(
        "evidence-missing",
        404,
        "Hồ sơ chưa có ảnh này.",
        "The enrolment does not have this photo.",
    ),
    entry(
        "contract-changed",
        409,
        "Hợp đồng vừa được cập nhật. Xem lại trước khi ký.",
        "The contract has changed since it was read.",
    ),
    entry(
        "agreement-text",
        422,
        "Cần xác nhận đúng câu đồng ý đã hiển thị.",
        "The agreement must be the sentence that was shown.",
    ),
    entry(
        "binding-refused",
        422,
        "Chưa gắn được điện thoại. Thử lại.",
        "The binding is refused; the field says which rule.",
    ),
    // officers
    entry(
        "own-enrolment",
        403,
        "Cán bộ không được duyệt hồ sơ của chính mình.",
        "An officer may not decide on an enrolment of their own.",
    ),
    entry(
        "dossier-locked",
        409,
        "Cán bộ khác đang mở hồ sơ này.",
        "Another officer has the dossier open.",
    ),
    entry(
        "dossier-not-locked",
        409,
        "Hồ sơ chưa được mở để duyệt, hoặc đã hết giờ giữ. Mở lại.",
        "The dossier is not open by this officer; open it first.",
    ),
    entry(
        "second-officer",
        409,
        "Cần cán bộ thứ hai duyệt.",
        "A second officer is needed.",
    ),
    entry(
        "decision-refused",
        422,
        "Chữ ký duyệt không khớp với hồ sơ hiện tại. Mở lại hồ sơ và duyệt lại.",
        "The decision does not fit the dossier as it is now; open it again and sign again. The field says what differs.",
    ),
    entry(
        "reason-unknown",
        422,
        "Cần chọn lý do trong danh sách.",
        "A reason is missing or unknown.",
    ),
];

/// Rules of single fields: code, Vietnamese, English.
pub const FIELD_RULES: &[(&str, &str, &str)] = &[
    // form of the request
    ("missing", "Thiếu mục này.", "This is missing."),
    (
        "unknown-field",
        "Không có mục này trong tài liệu giao diện.",
        "There is no such field in the interface.",
    ),
    ("duplicate", "Mục này có hai lần.", "This is there twice."),
    (
        "shape",
        "Dữ liệu chưa đúng dạng.",
        "This is not of the documented form.",
    ),
    ("not-json", "Dữ liệu không phải JSON.", "This is not JSON."),
    (
        "not-base64",
        "Dữ liệu không phải base64.",
        "This is not base64.",
    ),
    (
        "not-base64url",
        "Dữ liệu không phải base64url.",
        "This is not base64url.",
    ),
    (
        "not-a-digest",
        "Không phải giá trị băm của thuật toán đã nêu.",
        "This is not a digest of the algorithm named.",
    ),
    (
        "either-or",
        "Chỉ gửi một trong hai: tài liệu hoặc giá trị băm.",
        "Send the document or its digest, not both.",
    ),
    (
        "too-many-documents",
        "Có nhiều tệp hơn số tài liệu đã khai.",
        "There are more files than documents named.",
    ),
    (
        "visible-ascii",
        "Cần 1 đến 255 ký tự ASCII nhìn thấy được.",
        "1 to 255 visible ASCII characters are needed.",
    ),
    // text
    ("required", "Cần nhập mục này.", "This is needed."),
    ("too-long", "Dài quá.", "This is too long."),
    (
        "control",
        "Có ký tự điều khiển.",
        "It has a control character.",
    ),
    (
        "invisible",
        "Có ký tự không nhìn thấy. Gõ lại bằng tay.",
        "It has an invisible character; type it by hand.",
    ),
    (
        "space",
        "Thừa dấu cách ở đầu hoặc cuối.",
        "It begins or ends with a space.",
    ),
    (
        "double-space",
        "Thừa dấu cách.",
        "It has two spaces in a row.",
    ),
    (
        "mark",
        "Dấu đặt chưa đúng chữ.",
        "A diacritic stands on no letter it belongs to.",
    ),
    (
        "digit",
        "Không dùng chữ số ở đây.",
        "A digit has no place here.",
    ),
    (
        "lookalike",
        "Có chữ của bảng chữ khác trông giống chữ Việt. Gõ lại bằng bàn phím tiếng Việt.",
        "It has a letter of another alphabet that looks like a Latin one.",
    ),
    (
        "letter",
        "Có chữ không dùng trong họ tên.",
        "It has a letter that names do not have.",
    ),
    (
        "foreign-script",
        "Chỉ dùng chữ Việt.",
        "Only Latin letters are taken.",
    ),
    (
        "symbol",
        "Có ký hiệu không dùng ở đây.",
        "It has a symbol that has no place here.",
    ),
    // number
    ("digits", "Chỉ gồm chữ số.", "Only digits."),
    (
        "length",
        "Số Căn cước có đúng 12 chữ số.",
        "The identity number has twelve digits.",
    ),
    (
        "cmnd-not-accepted",
        "Chứng minh nhân dân 9 số hết giá trị từ 01/01/2025. Dùng thẻ Căn cước.",
        "The nine-digit card is void since 1 January 2025; use the identity card.",
    ),
    (
        "place-unknown",
        "Ba số đầu không phải mã tỉnh hoặc mã nước.",
        "The first three digits are no province or country code.",
    ),
    (
        "kind-not-accepted",
        "Chỉ nhận thẻ Căn cước.",
        "Only the identity card is taken.",
    ),
    (
        "sex-mismatch",
        "Giới tính chưa khớp với số Căn cước.",
        "The sex does not agree with the identity number.",
    ),
    (
        "birth-year-mismatch",
        "Năm sinh chưa khớp với số Căn cước. Kiểm tra lại hai mục này.",
        "The year of birth does not agree with the identity number.",
    ),
    // dates
    (
        "date",
        "Ngày ghi theo ngày/tháng/năm. Ví dụ: 15/08/1960.",
        "Write the date as day/month/year.",
    ),
    (
        "in-future",
        "Ngày này chưa đến.",
        "This day has not come yet.",
    ),
    ("too-young", "Chưa đủ tuổi.", "The person is too young."),
    (
        "too-old",
        "Kiểm tra lại năm sinh.",
        "Check the year of birth.",
    ),
    (
        "before-birth",
        "Ngày cấp trước ngày sinh.",
        "The card is issued before birth.",
    ),
    (
        "before-first-card",
        "Ngày cấp trước khi có thẻ Căn cước.",
        "The card is older than such cards.",
    ),
    (
        "card-expired",
        "Thẻ Căn cước đã hết hạn. Làm thẻ mới rồi đăng ký lại.",
        "The identity card has expired; get a new one first.",
    ),
    (
        "unacceptable",
        "Giá trị này chưa dùng được.",
        "This value is not acceptable; see the interface for what is.",
    ),
    // choices
    (
        "unknown",
        "Giá trị này không có trong danh sách.",
        "This is not one of the values taken.",
    ),
    (
        "nationality-not-accepted",
        "Chỉ nhận công dân Việt Nam.",
        "Only citizens of Vietnam are taken.",
    ),
    // contact
    (
        "phone-form",
        "Số điện thoại cần 10 số và bắt đầu bằng 0.",
        "The phone number has ten digits and begins with 0.",
    ),
    (
        "not-mobile",
        "Cần số di động.",
        "A mobile number is needed.",
    ),
    (
        "prefix-refused",
        "Chưa gửi mã được đến đầu số này. Nhận mã bằng email.",
        "No code is sent to numbers of this range; use e-mail.",
    ),
    (
        "email-form",
        "Email chưa đúng. Có thể để trống.",
        "This is no e-mail address; it may be left empty.",
    ),
    (
        "needed-for-channel",
        "Cần có để gửi mã theo cách này.",
        "It is needed to send the code this way.",
    ),
    // address
    (
        "province-unknown",
        "Không có tỉnh, thành phố này.",
        "There is no such province.",
    ),
    (
        "province-merged",
        "Tỉnh này đã sáp nhập. Chọn tỉnh mới.",
        "This province has been merged; choose the new one.",
    ),
    (
        "commune-unknown",
        "Không có xã, phường này.",
        "There is no such commune.",
    ),
    (
        "commune-merged",
        "Xã, phường này đã sáp nhập. Chọn xã, phường mới.",
        "This commune has been merged; choose the new one.",
    ),
    (
        "commune-elsewhere",
        "Xã, phường này thuộc tỉnh khác.",
        "This commune is in another province.",
    ),
    (
        "district-not-used",
        "Địa chỉ không còn cấp huyện.",
        "Districts are no longer part of an address.",
    ),
    (
        "out-of-campaign",
        "Gói này chỉ cho người ở địa bàn của chương trình.",
        "The campaign is for another area.",
    ),
    // approvals and bindings
    (
        "malformed",
        "Nội dung xác nhận chưa đúng dạng.",
        "The statement is not of its form.",
    ),
    (
        "not-canonical",
        "Nội dung xác nhận không ở dạng chuẩn.",
        "The statement is not in canonical form.",
    ),
    (
        "expired",
        "Nội dung xác nhận đã hết hạn.",
        "The statement has expired.",
    ),
    (
        "future-dated",
        "Đồng hồ điện thoại chạy nhanh. Chỉnh lại giờ.",
        "The statement is dated in the future; set the phone's clock.",
    ),
    (
        "too-long-lived",
        "Nội dung xác nhận có hạn quá dài.",
        "The statement lives longer than allowed.",
    ),
    (
        "device-signature",
        "Chữ ký của điện thoại không đúng.",
        "The device's signature does not verify.",
    ),
    (
        "other-subject",
        "Xác nhận dành cho yêu cầu khác.",
        "The statement is for something else.",
    ),
    (
        "document-count",
        "Số tài liệu không khớp với yêu cầu.",
        "The number of documents is not that of the request.",
    ),
    (
        "document",
        "Tài liệu không khớp với yêu cầu.",
        "A document is not the one of the request.",
    ),
    (
        "statement-malformed",
        "Nội dung xác nhận chưa đúng dạng.",
        "The statement is not of its form, or not in canonical form.",
    ),
    (
        "approval-expired",
        "Nội dung xác nhận đã hết hạn.",
        "The statement has expired.",
    ),
    (
        "approval-future-dated",
        "Đồng hồ điện thoại chạy nhanh. Chỉnh lại giờ.",
        "The statement is dated in the future; set the phone's clock.",
    ),
    (
        "approval-too-long",
        "Nội dung xác nhận có hạn quá dài.",
        "The statement lives longer than allowed.",
    ),
    (
        "approval-mismatch",
        "Xác nhận dành cho yêu cầu khác.",
        "The statement is for something else.",
    ),
    (
        "documents-mismatch",
        "Tài liệu không khớp với yêu cầu.",
        "The documents are not those of the request.",
    ),
    (
        "layout-changed",
        "Hệ thống vừa được nâng cấp nên yêu cầu này không ký được nữa. Bên yêu cầu cần tạo lại.",
        "The service was upgraded after the document was prepared. Nothing was signed; the portal asks again.",
    ),
    (
        "preview-mismatch",
        "Xác nhận nói đã xem tài liệu mà bên yêu cầu không gửi.",
        "The statement says a document was seen that the portal did not send.",
    ),
    (
        "consent",
        "Thiếu hoặc thừa sự đồng ý của điện thoại và mã PIN đang dùng.",
        "The consent of the phone and PIN in force is needed for a change, and only for a change.",
    ),
    (
        "key-row-refused",
        "Khóa không dùng được. Gọi hỗ trợ.",
        "The key's record is not authentic; call support.",
    ),
    (
        "credential-unbound",
        "Chữ ký số chưa gắn với điện thoại nào.",
        "The credential is not bound to a phone yet.",
    ),
    (
        "already-bound",
        "Chữ ký số đã gắn với một điện thoại.",
        "The credential is bound to a phone already.",
    ),
    (
        "device-changed",
        "Chữ ký số đã gắn với điện thoại khác.",
        "The credential is bound to another phone.",
    ),
    (
        "approval-spent",
        "Xác nhận này đã dùng.",
        "This approval has been used.",
    ),
    (
        "pin-locked",
        "Đã khóa vì nhập sai mã PIN 5 lần. Gọi hỗ trợ để được cấp chữ ký mới.",
        "The key is locked for good after five wrong PINs. Support can help you to a new signature.",
    ),
    (
        "pin-unreadable",
        "Mã PIN gửi lên không đọc được. Thử lại.",
        "The sealed PIN cannot be opened; take the approval key again.",
    ),
    (
        "algorithm-unsuitable",
        "Khóa không dùng được với thuật toán này.",
        "The key does not suit this algorithm.",
    ),
    (
        "channel-mismatch",
        "Cách mở yêu cầu không khớp. Mở lại yêu cầu và ký lại.",
        "The statement's channel is not the way by which the request was opened.",
    ),
    // documents
    ("not-a-pdf", "Tệp không phải PDF.", "The file is not a PDF."),
    ("pdf-broken", "Tệp PDF bị hỏng.", "The PDF is broken."),
    (
        "pdf-unsupported",
        "Tệp PDF dùng tính năng chưa hỗ trợ.",
        "The PDF uses a feature that is not supported.",
    ),
    (
        "pdf-too-complex",
        "Tệp PDF quá phức tạp.",
        "The PDF costs too much to read.",
    ),
    (
        "pdf-encrypted",
        "Tệp PDF có mật khẩu. Bỏ mật khẩu rồi gửi lại.",
        "The PDF is encrypted; remove the encryption.",
    ),
    ("pdf-too-large", "Tệp PDF quá lớn.", "The PDF is too large."),
    (
        "pdf-too-many-pages",
        "Tệp PDF quá nhiều trang.",
        "The PDF has too many pages.",
    ),
    (
        "pdf-no-pages",
        "Tệp PDF không có trang nào.",
        "The PDF has no pages.",
    ),
    (
        "pdf-changes-forbidden",
        "Tệp PDF đã khóa, không cho ký thêm.",
        "The PDF is certified and allows no changes.",
    ),
    (
        "pdf-mark-forbidden",
        "Tệp PDF đã khóa, không cho thêm hình chữ ký.",
        "The PDF is certified and allows no visible mark.",
    ),
    (
        "pdf-dynamic-form",
        "Biểu mẫu động (XFA) không ký được.",
        "A dynamic XFA form cannot be signed.",
    ),
    (
        "field-locked",
        "Tệp PDF đã khóa các ô ký.",
        "The PDF locks the fields that signing needs.",
    ),
    (
        "page-missing",
        "Không có trang để đặt hình chữ ký.",
        "There is no such page for the mark.",
    ),
    (
        "mark-box",
        "Hình chữ ký nằm ngoài trang.",
        "The mark does not fit where it was asked for.",
    ),
    (
        "mark-glyph",
        "Có chữ mà phông của hình chữ ký không có.",
        "The mark's font lacks a letter of the name.",
    ),
    // photos
    (
        "image-type",
        "Chỉ nhận ảnh JPEG hoặc PNG.",
        "Only JPEG and PNG are taken.",
    ),
    ("image-too-large", "Ảnh quá lớn.", "The photo is too large."),
    (
        "image-pixels",
        "Ảnh quá nhỏ hoặc quá lớn. Chụp lại gần hơn.",
        "The photo has too few or too many pixels.",
    ),
    (
        "image-damaged",
        "Ảnh bị hỏng khi gửi. Gửi lại.",
        "The photo is damaged; send it again.",
    ),
    (
        "image-foreign",
        "Tệp có nội dung khác ngoài ảnh. Chụp ảnh mới.",
        "The file holds something besides the picture.",
    ),
    (
        "pin-weak",
        "Mã PIN dễ đoán.",
        "The PIN is too easy to guess.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_spoken_in_both_languages() {
        let mut codes: Vec<&str> = ENTRIES.iter().map(|entry| entry.code).collect();
        codes.sort_unstable();
        codes
            .windows(2)
            .for_each(|pair| assert_ne!(pair[0], pair[1]));
        for entry in ENTRIES {
            assert!(
                !entry.vi.is_empty() && !entry.en.is_empty(),
                "{}",
                entry.code
            );
            assert!(
                !entry.vi.contains('!') && !entry.en.contains('!'),
                "{}",
                entry.code
            );
        }
    }

    #[test]
    fn every_rule_has_one_place_and_signing_speaks_only_of_these() {
        let mut rules: Vec<&str> = FIELD_RULES.iter().map(|(rule, _, _)| *rule).collect();
        rules.sort_unstable();
        rules
            .windows(2)
            .for_each(|pair| assert_ne!(pair[0], pair[1]));
        // `code_of` and `refusal_code` there, each `=> "code"` on a line of its own.
        let signing = include_str!("../../../signing/src/request/mod.rs");
        let codes = signing
            .split("fn code_of")
            .nth(1)
            .expect("code_of is there")
            .lines()
            .filter_map(|line| line.split("=> \"").nth(1)?.split('"').next());
        let missing: Vec<&str> = codes.filter(|code| !rules.contains(code)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn every_rule_of_registration_has_a_sentence() {
        for code in kyso_registration::citizen::FIELD_CODES {
            assert!(
                FIELD_RULES.iter().any(|(rule, _, _)| rule == code),
                "{code}"
            );
        }
    }
}
