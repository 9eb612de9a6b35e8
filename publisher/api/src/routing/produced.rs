//! Bodies that a blocking producer writes while the client reads.

use std::io::{self, BufWriter, Write};

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::spawn_blocking;

/// Chunks that wait for a slow client.
const WAITING_CHUNKS: usize = 4;
/// Size of a chunk in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// The writer of a producer; an error means that the client is gone.
pub(crate) type ProducedWriter = BufWriter<ChunkSender>;

/// A body of what `produce` writes. An error of the producer cuts the body off, which the client notices.
pub(crate) fn produced(
    produce: impl FnOnce(&mut ProducedWriter) -> io::Result<()> + Send + 'static,
) -> Body {
    let (sender, receiver) = channel::<io::Result<Bytes>>(WAITING_CHUNKS);
    spawn_blocking(move || {
        let mut writer = BufWriter::with_capacity(CHUNK_BYTES, ChunkSender(sender.clone()));
        if let Err(error) = produce(&mut writer).and_then(|()| writer.flush()) {
            // A client that is gone needs no error.
            let _ = sender.blocking_send(Err(error));
        }
    });
    Body::from_stream(stream::unfold(receiver, |mut receiver| async move {
        let chunk = receiver.recv().await?;
        Some((chunk, receiver))
    }))
}

/// Passes chunks on to the body.
pub(crate) struct ChunkSender(Sender<io::Result<Bytes>>);

impl Write for ChunkSender {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(chunk)));
        sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
