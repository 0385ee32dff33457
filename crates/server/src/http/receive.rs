//! Bodies are received before a request takes one of the places in which requests are worked on.
//!
//! A small body is taken in whole, within some seconds; of a larger one the rest must keep coming at a least rate. So a
//! slow sender holds a connection, never a place, or pays for the place with bandwidth.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::Frame;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout_at};

use crate::problem::Problem;

/// What is taken in before the request goes on, bytes. Connections times this bounds the memory.
const FIRST_BYTES_MAX: usize = 64 * 1024;
/// How long that may take.
const FIRST: Duration = Duration::from_secs(10);
/// The least rate of the rest, bytes a second.
const RATE_MIN: u64 = 16 * 1024;

/// Takes the body in, or its beginning, and hands the request on.
pub async fn layer(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (parts, mut body) = request.into_parts();
    let until = sleep(FIRST).deadline();
    let mut first = Vec::new();
    let body = loop {
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        match timeout_at(until, frame).await {
            Err(_) => return too_slow(),
            Ok(None) => break Body::from(first),
            // What broke off is told by whoever reads it.
            Ok(Some(Err(error))) => break Body::new(Broken(Some(error))),
            Ok(Some(Ok(frame))) => {
                first.extend_from_slice(&frame.into_data().unwrap_or_default());
                if first.len() > FIRST_BYTES_MAX {
                    break Body::new(Paced::new(first.into(), body, until));
                }
            }
        }
    };
    next.run(Request::from_parts(parts, body)).await
}

fn too_slow() -> Response {
    let mut response = Problem::new("request-too-slow").into_response();
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The rest of a large body, which must keep coming.
struct Paced {
    first: Option<Bytes>,
    rest: Body,
    until: Pin<Box<Sleep>>,
}

/// The sender is slower than [`RATE_MIN`].
#[derive(Debug, thiserror::Error)]
#[error("the body comes too slowly")]
struct TooSlow;

impl Paced {
    fn new(first: Bytes, rest: Body, until: Instant) -> Self {
        Self {
            first: Some(first),
            rest,
            until: Box::pin(sleep_until(until)),
        }
    }
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        match Pin::new(&mut self.rest).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                let later = self.until.deadline() + Duration::from_millis(bytes * 1000 / RATE_MIN);
                self.until.as_mut().reset(later);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => match self.until.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(Some(Err(TooSlow.into()))),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

/// A body of which nothing comes but its error.
struct Broken(Option<axum::Error>);

impl HttpBody for Broken {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Poll::Ready(self.0.take().map(Err))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends a byte every five milliseconds for ever.
    struct Dripping(Pin<Box<Sleep>>);

    impl HttpBody for Dripping {
        type Data = Bytes;
        type Error = axum::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
            match self.0.as_mut().poll(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => {
                    let later = self.0.deadline() + Duration::from_millis(5);
                    self.0.as_mut().reset(later);
                    Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
                }
            }
        }
    }

    fn dripping() -> Body {
        Body::new(Dripping(Box::pin(sleep_until(Instant::now()))))
    }

    #[tokio::test]
    async fn a_body_that_drips_is_given_up_and_one_that_flows_is_not() {
        let mut paced = Paced::new(
            vec![0; 9].into(),
            dripping(),
            Instant::now() + Duration::from_millis(50),
        );
        let mut bytes = 0;
        let error = loop {
            match poll_fn(|context| Pin::new(&mut paced).poll_frame(context)).await {
                Some(Ok(frame)) => bytes += frame.into_data().unwrap().len(),
                Some(Err(error)) => break error,
                None => panic!("it never ends"),
            }
        };
        assert!(error.is::<TooSlow>() && bytes < 100, "{bytes}");

        let flowing = Body::from(vec![7; 1 << 20]);
        let paced = Paced::new(vec![7; 9].into(), flowing, Instant::now() + FIRST);
        let read = axum::body::to_bytes(Body::new(paced), usize::MAX).await;
        assert_eq!(read.unwrap().len(), (1 << 20) + 9);
    }
}
