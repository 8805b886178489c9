//! The key by which the server knows a connection.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio_postgres::{
    Client,
    tls::{ChannelBinding, TlsConnect, TlsStream},
};

use crate::Result;

/// What the server announced when the connection was made, and takes back to cancel a query: the
/// backend's process, and a secret.
pub(crate) type BackendKey = (i32, i32);

/// The key of a connection.
///
/// A pooler announces one of its own. The driver keeps it for cancel requests, so we have it write
/// one to a pipe and read the key there.
pub(crate) async fn announced_key(client: &Client) -> Option<BackendKey> {
    let (ours, theirs) = tokio::io::duplex(64);
    let request = client.cancel_token();
    let request = request.cancel_query_raw(theirs, NoEncryption);
    let (sent, key) = futures_util::future::join(request, read_key(ours)).await;
    sent.ok().and(key)
}

/// Reads a cancel request, after a request for TLS if there is one:
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html>.
pub(crate) async fn read_key(mut pipe: DuplexStream) -> Option<BackendKey> {
    const SSL_REQUEST: i32 = 80_877_103;
    const CANCEL_REQUEST: i32 = 80_877_102;
    loop {
        let _length = pipe.read_i32().await.ok()?;
        match pipe.read_i32().await.ok()? {
            SSL_REQUEST => pipe.write_all(b"S").await.ok()?,
            CANCEL_REQUEST => {
                return Some((pipe.read_i32().await.ok()?, pipe.read_i32().await.ok()?));
            }
            _ => return None,
        }
    }
}

/// A pipe within the process needs no encryption, whatever the connection's settings ask for.
pub(crate) struct NoEncryption;

pub(crate) struct Plain(pub(crate) DuplexStream);

impl TlsConnect<DuplexStream> for NoEncryption {
    type Stream = Plain;
    type Error = Infallible;
    type Future = Ready<Result<Plain, Infallible>>;

    fn connect(self, stream: DuplexStream) -> Self::Future {
        ready(Ok(Plain(stream)))
    }
}

impl TlsStream for Plain {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Plain {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Plain {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
