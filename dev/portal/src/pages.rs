//! The portal's own pages: plain HTML, a style and a script of its own, and kyso's element.

use crate::Dossier;

/// Of an invented province.
pub(crate) const NAME: &str = "Cổng dịch vụ công Tỉnh Trà Sơn";

/// Step one: who files.
pub(crate) fn form(wrong: Option<&str>) -> String {
    let wrong = wrong.map_or_else(String::new, |text| {
        format!("<p class=\"wrong\" role=\"alert\">{}</p>", escaped(text))
    });
    page(
        "Đăng ký hộ kinh doanh",
        1,
        &format!(
            "{wrong}<p>Thủ tục mẫu: nộp hai tờ khai, ký bằng chữ ký số trên điện thoại, nhận lại hai tệp đã ký.</p>\
             <form method=\"post\" action=\"/dossiers\">\
             <label for=\"name\">Họ và tên, như trên thẻ Căn cước</label>\
             <input id=\"name\" name=\"name\" autocomplete=\"name\" required maxlength=\"100\">\
             <label for=\"number\">Số Căn cước (12 chữ số)</label>\
             <input id=\"number\" name=\"number\" inputmode=\"numeric\" autocomplete=\"off\" required pattern=\"[0-9]{{12}}\" maxlength=\"12\">\
             <button>Nộp hồ sơ và ký</button></form>"
        ),
    )
}

/// Step two: signing; step three: the signed files.
pub(crate) fn dossier(dossier: &Dossier, kyso: &str) -> String {
    let name = escaped(&dossier.applicant);
    if dossier.signed.is_empty() {
        let files: String = dossier
            .names
            .iter()
            .map(|name| format!("<li>{}</li>", escaped(name)))
            .collect();
        let element = format!(
            "<kyso-sign src=\"{kyso}/v1/screens/{}\" token=\"{}\"></kyso-sign>\
             <script src=\"{kyso}/elements/v1/kyso-sign.js\"></script><script src=\"/portal.js\"></script>",
            escaped(&dossier.request),
            escaped(&dossier.token)
        );
        let again = "<p id=\"again\" hidden><a class=\"button\" href=\"/\">Nộp lại từ đầu</a></p>";
        let body = format!("<p>Hồ sơ của <b>{name}</b> gồm:</p><ul>{files}</ul>{element}{again}");
        return page("Ký hồ sơ", 2, &body);
    }
    let files: String = dossier
        .names
        .iter()
        .enumerate()
        .map(|(position, name)| {
            format!(
                "<li><a class=\"file\" href=\"/dossiers/{}/documents/{position}\">{}<span>Đã ký · PDF</span></a></li>",
                escaped(&dossier.request),
                escaped(name)
            )
        })
        .collect();
    let body = format!(
        "<p class=\"good\" role=\"status\">Đã nhận hồ sơ của <b>{name}</b>, đủ chữ ký.</p>\
         <ul class=\"files\">{files}</ul><p><a class=\"button\" href=\"/\">Nộp hồ sơ khác</a></p>"
    );
    page("Hồ sơ đã tiếp nhận", 3, &body)
}

fn page(title: &str, step: usize, body: &str) -> String {
    let steps: String = ["Kê khai", "Ký", "Hoàn thành"]
        .into_iter()
        .zip(1..)
        .map(|(name, at)| {
            let now = if at == step {
                " aria-current=\"step\""
            } else {
                ""
            };
            format!("<li{now}>{at}. {name}</li>")
        })
        .collect();
    format!(
        "<!doctype html><html lang=\"vi\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} · {NAME}</title><link rel=\"stylesheet\" href=\"/portal.css\"></head><body>\
         <header><p><b>{NAME}</b><span>Trang mẫu, tỉnh không có thật</span></p></header>\
         <main><ol class=\"steps\">{steps}</ol><h1>{title}</h1>{body}</main></body></html>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_was_typed_is_text_on_the_page() {
        let page = super::form(Some("<script>\"&"));
        assert!(page.contains("&lt;script&gt;&quot;&amp;") && !page.contains("<script>"));
    }
}
