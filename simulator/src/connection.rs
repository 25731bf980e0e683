//! Accepted sockets that can be reset on purpose, and that close when the simulator stops.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::state::Shared;

/// Accepts connections.
pub(crate) struct Connections {
    listener: TcpListener,
    shared: Arc<Shared>,
    stopping: CancellationToken,
}

impl Connections {
    pub(crate) fn new(listener: TcpListener, shared: Arc<Shared>, stopping: CancellationToken) -> Self {
        Self {
            listener,
            shared,
            stopping,
        }
    }
}

impl Listener for Connections {
    type Io = Socket;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Socket, SocketAddr) {
        let (stream, addr) = Listener::accept(&mut self.listener).await;
        // Without it Nagle's algorithm and delayed acknowledgements add 40 ms to every chunk. A failure only costs time.
        let _ = stream.set_nodelay(true);
        (
            Socket::new(stream, Arc::clone(&self.shared), self.stopping.child_token()),
            addr,
        )
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// The handler's end of a connection.
#[derive(Clone)]
pub(crate) struct Connection {
    closing: CancellationToken,
    reset: Arc<AtomicBool>,
}

impl Connection {
    /// Closes the connection with a TCP RST.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
        self.closing.cancel();
    }
}

impl Connected<IncomingStream<'_, Connections>> for Connection {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Self {
        stream.io().connection.clone()
    }
}

/// A TCP stream that fails once its connection is closing: hyper then drops the answer and the socket.
pub(crate) struct Socket {
    stream: TcpStream,
    shared: Arc<Shared>,
    connection: Connection,
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Socket {
    fn new(stream: TcpStream, shared: Arc<Shared>, closing: CancellationToken) -> Self {
        shared.change(|state| state.connections += 1);
        let waiting = Box::pin(closing.clone().cancelled_owned());
        Self {
            stream,
            shared,
            connection: Connection {
                closing,
                reset: Arc::default(),
            },
            closing: waiting,
        }
    }

    /// An error once the connection is closing; otherwise the task is woken when it will be.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.closing.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.connection.reset.load(Ordering::Acquire) {
            // Closing with a linger of zero sends RST instead of FIN. A failure leaves a plain close, still in mid-answer.
            let _ = self.stream.set_zero_linger();
        }
        self.shared.change(|state| state.connections -= 1);
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A reset must not be preceded by a FIN, which would look like a clean end.
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
