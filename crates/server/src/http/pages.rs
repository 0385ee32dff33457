//! Pages for people that addresses of ours point to: what a problem code means (`type` of RFC 9457), and the
//! certification practice statement that certificates name (RFC 5280, 4.2.1.4).
//!
//! Plain HTML in both languages, no script, one embedded style that the content security policy names by its digest.

use std::path::Path as FilePath;
use std::sync::LazyLock;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::App;
use super::caller::Anyone;
use crate::config::Loaded;
use crate::problem::Problem;
use crate::problem::catalog::{ENTRIES, Entry, FIELD_RULES, find};

const STYLE: &str = "body{font:17px/1.55 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1.2rem;\
                     color:#1c2733;background:#fff}h1{font-size:1.5rem;color:#16325c}h2{font-size:1.1rem;color:#16325c;\
                     margin-top:2rem}code{font-size:.95em;background:#f1f4f8;padding:.1em .35em;border-radius:4px}\
                     table{border-collapse:collapse;width:100%}td{border-top:1px solid #d5dbe3;padding:.45rem .6rem;\
                     vertical-align:top}a{color:#0b6e72}.note{border-left:4px solid #b45309;padding:.2rem 1rem;\
                     background:#fdf6ec}.quiet{color:#5b6472}";

/// Only the style above may be used, and nothing may be fetched.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, STYLE.as_bytes());
    format!(
        "default-src 'none'; style-src 'sha256-{}'; frame-ancestors 'none'",
        STANDARD.encode(digest)
    )
});

/// Every problem code and field rule.
pub async fn errors(_: Anyone) -> Response {
    let row = |code: &str, link: bool, vi: &str, en: &str| {
        let code = match link {
            true => format!("<a href=\"/errors/{code}\"><code>{code}</code></a>"),
            false => format!("<code>{code}</code>"),
        };
        format!(
            "<tr><td>{code}<td>{}<br><span lang=\"en\" class=\"quiet\">{}</span>",
            escaped(vi),
            escaped(en)
        )
    };
    let entries: String = ENTRIES
        .iter()
        .map(|entry| row(entry.code, true, entry.vi, entry.en))
        .collect();
    let rules: String = FIELD_RULES
        .iter()
        .map(|(code, vi, en)| row(code, false, vi, en))
        .collect();
    page(
        "Mã lỗi",
        &format!(
            "<h1>Mã lỗi <span lang=\"en\" class=\"quiet\">· Problem codes</span></h1><table>{entries}</table>\
             <h2>Quy tắc của từng mục <span lang=\"en\" class=\"quiet\">· Rules of single fields</span></h2>\
             <table>{rules}</table>"
        ),
    )
}

/// One problem code.
pub async fn error(_: Anyone, Path(code): Path<String>) -> Result<Response, Problem> {
    let Entry {
        code,
        status,
        retryable,
        vi,
        en,
    } = find(&code).ok_or(Problem::new("not-found"))?;
    let (again_vi, again_en) = match retryable {
        true => (
            "Gửi lại đúng yêu cầu đó sau một lúc có thể thành công.",
            "The same request may succeed later.",
        ),
        false => (
            "Gửi lại đúng yêu cầu đó sẽ không thành công.",
            "The same request will not succeed again unchanged.",
        ),
    };
    Ok(page(
        code,
        &format!(
            "<h1><code>{code}</code> <span class=\"quiet\">HTTP {status}</span></h1>\
             <p>{}</p><p>{again_vi}</p>\
             <p class=\"quiet\">Khi cần hỗ trợ, đọc mã trong mục <code>instance</code> của thông báo lỗi.</p>\
             <div lang=\"en\"><h2>In English</h2><p>{}</p><p>{again_en}</p>\
             <p class=\"quiet\">To ask for support, read out the <code>instance</code> of the problem document.</p></div>\
             <p><a href=\"/errors\">Mọi mã lỗi · All codes</a></p>",
            escaped(vi),
            escaped(en)
        ),
    ))
}

/// The operator's statement, or a page that says what ours is and that it is none.
pub async fn practice_statement(State(app): State<App>, _: Anyone) -> Result<Response, Problem> {
    let loaded = &app.platform.loaded;
    let file = &loaded.config.authority.cps_file;
    if file.as_os_str().is_empty() {
        return Ok(page("Quy chế chứng thực", &embedded_statement(loaded)));
    }
    let path = loaded.path(file);
    let bytes = tokio::fs::read(&path)
        .await
        .map_err(|error| Problem::internal(format!("authority.cps_file: {error}")))?;
    let headers = [
        (header::CONTENT_TYPE, media_type(&path)),
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ];
    Ok((headers, bytes).into_response())
}

/// In the place of the citizen's application, where it was not built before the binary.
pub fn not_built() -> Response {
    let body = "<h1>Bản này không có ứng dụng của người dân</h1>\
         <p>Máy chủ đang chạy, nhưng phần mềm được dựng mà không kèm ứng dụng. Người vận hành cần dựng lại: cài Node, chạy \
         <code>cargo xtask web</code>, rồi dựng lại máy chủ.</p>\
         <div lang=\"en\"><h2>In English</h2><p>The server runs, but it was built without the citizen's application. Install \
         Node, run <code>cargo xtask web</code>, then build the server again.</p></div>";
    let mut response = page("Chưa có ứng dụng", body);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn media_type(path: &FilePath) -> &'static str {
    match path.extension().and_then(|word| word.to_str()) {
        Some("pdf") => "application/pdf",
        Some("html" | "htm") => "text/html; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    }
}

/// What this software does by itself, in the order of RFC 3647, section 4; the rest is the provider's to write.
fn embedded_statement(loaded: &Loaded) -> String {
    let (provider, authority) = (&loaded.config.provider, &loaded.config.authority);
    let status = loaded.config.status_url();
    let officers = loaded.config.registration.officers_required;
    let [name, address, hotline, email, oid, notice] = [
        &provider.name,
        &provider.address,
        &provider.hotline,
        &provider.email,
        &authority.policy_oid,
        &authority.user_notice,
    ]
    .map(|text| escaped(text));
    let (crl_hours, ocsp_minutes) = (authority.crl_hours, authority.ocsp_minutes);
    format!(
        "<h1>Quy chế chứng thực</h1>\
         <p class=\"note\">Trang này do phần mềm tạo sẵn, <b>chưa phải quy chế chứng thực</b>. Trước khi cấp chứng thư thật, \
         nhà cung cấp phải thay bằng văn bản của mình đã được cơ quan có thẩm quyền chấp nhận \
         (<code>authority.cps_file</code> trong cấu hình).</p>\
         <p><b>{name}</b><br>{address}<br>Hỗ trợ: {hotline}, {email}<br>Chính sách: <code>{oid}</code></p><p>{notice}</p>\
         <h2>Những điều phần mềm bảo đảm</h2><ul>\
         <li>Danh tính: công dân khai theo thẻ Căn cước, gửi ảnh thẻ và khuôn mặt; {officers} cán bộ phải duyệt từng hồ sơ, \
         không ai được duyệt hồ sơ của chính mình.\
         <li>Khóa: khóa bí mật của công dân sinh và nằm trong kho khóa của nhà cung cấp; chỉ ký tài liệu mà điện thoại của \
         công dân đã xác nhận cùng mã PIN. Sai mã PIN 5 lần thì khóa.\
         <li>Trạng thái: tạm khóa và thu hồi có hiệu lực ngay. OCSP tại <code>{status}/ocsp</code> (mỗi trả lời có hạn \
         {ocsp_minutes} phút), danh sách thu hồi tại <code>{status}/crl</code> (công bố lại mỗi {crl_hours} giờ).\
         <li>Nhật ký: mọi việc đều ghi vào nhật ký nối chuỗi, có chữ ký, sửa hay xóa đều bị phát hiện.</ul>\
         <h2>Những điều nhà cung cấp phải viết</h2><ul>\
         <li>Giấy phép, tổ chức, nhân sự được tin cậy; kiểm soát ra vào và an toàn vật lý.\
         <li>Cách đối chiếu giấy tờ và người thật; thời hạn lưu hồ sơ; bảo vệ dữ liệu cá nhân.\
         <li>Thiết bị khóa đang dùng và mức chứng nhận; sao lưu, khôi phục, ngừng dịch vụ.\
         <li>Ai được yêu cầu thu hồi, bằng cách nào, trong bao lâu; đường dây trực.\
         <li>Kiểm toán; trách nhiệm, giới hạn trách nhiệm, phí, giải quyết tranh chấp.</ul>\
         <div lang=\"en\"><h2>In English</h2>\
         <p class=\"note\">This page comes with the software and is <b>not a certification practice statement</b>. Before real \
         certificates are issued the provider replaces it with its own, approved statement \
         (<code>authority.cps_file</code>).</p>\
         <p>What the software itself makes sure of: a citizen's identity is checked by {officers} officer(s) against card and \
         photographs, never by the citizen's own hand; a private key stays in the provider's keystore and signs only documents \
         that the citizen's phone approved with a PIN, five wrong ones lock it; suspension and revocation work at once, by \
         OCSP at <code>{status}/ocsp</code> and CRLs under <code>{status}/crl</code>; everything is written to a chained, \
         signed ledger.</p>\
         <p>What the provider has to write: licence, organisation, trusted people and premises; how papers are compared with \
         people, retention and privacy; the key devices in use, backup, recovery, termination; who may ask for revocation and \
         how; audit, liability, fees, disputes (RFC 3647, section 4).</p></div>"
    )
}

fn page(title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"vi\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{}</title><style>{STYLE}</style><body>{body}</html>\n",
        escaped(title)
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ];
    (headers, html).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_statement_speaks_of_this_provider_and_of_what_is_missing() {
        let text = "[provider]\nname = \"A & <B>\"\n[authority]\npolicy_oid = \"1.2.3\"";
        let loaded = Loaded::parse(text, FilePath::new("k"), FilePath::new("."), []).unwrap();
        let page = embedded_statement(&loaded);
        for part in [
            "A &amp; &lt;B&gt;",
            "1.2.3",
            "http://127.0.0.1:8080/ocsp",
            "cps_file",
        ] {
            assert!(page.contains(part), "{part}");
        }
        assert!(!page.contains("<B>"));
    }
}
