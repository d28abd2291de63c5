//! What is left of a request's body when it is answered early, a refusal of something too large say. A
//! peer that still sends would see its connection reset, and never the answer: so a little more of it
//! is read and thrown away.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::EXPECT;
use http::{Request, Version};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;

/// How much is read after the answer, in bytes. Who sends more is cut off.
const MOST: usize = 1 << 20;
/// How long it may take.
const LONGEST: Duration = Duration::from_secs(5);

/// The body of a request, which is read a little further when it is dropped before its end.
pub(super) struct Remainder {
    body: Option<Incoming>,
    /// Whether the peer sends, whatever it is told: over HTTP/2 it can be stopped, and who asked
    /// whether it may (`Expect`, RFC 9110 §10.1.1) has not begun.
    sends: bool,
}

impl Remainder {
    /// Takes a request's body into its care.
    pub(super) fn of(request: Request<Incoming>) -> Request<Self> {
        let sends = request.version() < Version::HTTP_2 && !request.headers().contains_key(EXPECT);
        request.map(|body| Self {
            body: Some(body),
            sends,
        })
    }
}

impl Body for Remainder {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = Pin::new(body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Remainder {
    fn drop(&mut self) {
        let left = self.body.take().filter(|body| !body.is_end_stream());
        if let Some(body) = left.filter(|_| self.sends)
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(tokio::time::timeout(LONGEST, read_on(body)));
        }
    }
}

async fn read_on(mut body: Incoming) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > MOST {
            return;
        }
    }
}
