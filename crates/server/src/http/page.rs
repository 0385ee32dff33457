//! Pages of documents as pictures: how wide, whether the caller has it already, and the picture.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::App;
use crate::preview::Key;
use crate::problem::Problem;

/// Widths that are drawn, so that few pictures serve many phones.
const WIDTHS: [u32; 4] = [360, 720, 1080, 1440];

/// How wide a page is wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct Size {
    /// Pixels; the next of 360, 720, 1080 and 1440 is drawn. 720 when left out.
    #[serde(default = "width_default")]
    pub width: u32,
}

fn width_default() -> u32 {
    720
}

impl App {
    /// The page of a document that this caller may see, whose digest is `document`; `fetch` is asked for it when it must be drawn.
    pub(super) async fn page(
        &self,
        headers: &HeaderMap,
        document: Vec<u8>,
        (page, size): (usize, &Size),
        fetch: impl Future<Output = Result<Vec<u8>, Problem>>,
    ) -> Result<Response, Problem> {
        let width = WIDTHS.into_iter().find(|width| *width >= size.width);
        let width = width.unwrap_or(WIDTHS[WIDTHS.len() - 1]);
        let short = &document[..document.len().min(16)];
        let tag = format!("\"{}-{page}-{width}\"", hex::encode(short));
        let tag = HeaderValue::try_from(tag).map_err(Problem::internal)?;
        // Whoever asks must still be allowed to see it, which was found out before this was called.
        let keeping = HeaderValue::from_static("private, no-cache");
        let head = [
            (header::ETAG, tag.clone()),
            (header::CACHE_CONTROL, keeping),
        ];
        if headers.get(header::IF_NONE_MATCH) == Some(&tag) {
            return Ok((StatusCode::NOT_MODIFIED, head).into_response());
        }
        let key = Key {
            document,
            page,
            width,
        };
        let drawn = self.previews.page(key, fetch).await?;
        let what = [
            ("content-type", drawn.media_type.to_owned()),
            ("x-page-count", drawn.pages.to_string()),
        ];
        Ok((head, what, drawn.bytes.clone()).into_response())
    }
}
