//! The greeting of a broker: `connection.start`, with product and version.

use std::io;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use lapin::types::parsing::parse_field_table;
use lapin::types::{AMQPValue, FieldTable};

use crate::queue::rabbitmq::preflight::Version;

/// First bytes from an AMQP 0-9-1 client.
const PROTOCOL_HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";

/// Of the frame: type, channel and size of the payload. Of the payload: class and method, protocol version.
const FRAME_HEADER: usize = 7;
const METHOD_HEADER: usize = 6;
const METHOD_FRAME: u8 = 1;
const CONNECTION_START: [u8; 4] = [0, 10, 0, 10];

/// Time limit of a look at a port.
const LOOK: Duration = Duration::from_secs(2);

/// No broker's greeting is longer.
const MAX_PAYLOAD_BYTES: usize = 64 * 1024;

/// Says hello and reads the version from the answer.
pub(in crate::queue::rabbitmq) async fn version(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> io::Result<Version> {
    stream.write_all(PROTOCOL_HEADER).await?;
    stream.flush().await?;
    let mut header = [0; FRAME_HEADER];
    stream.read_exact(&mut header).await?;
    let size = header[3..]
        .iter()
        .fold(0, |size, byte| size << 8 | usize::from(*byte));
    if header[0] != METHOD_FRAME || size > MAX_PAYLOAD_BYTES {
        return Err(unexpected_greeting());
    }
    let mut payload = vec![0; size];
    stream.read_exact(&mut payload).await?;
    version_in(&payload).ok_or_else(unexpected_greeting)
}

/// True if the port answers the greeting of AMQP with a TLS alert.
pub(super) async fn speaks_tls(host: &str, port: u16) -> bool {
    const ALERT: u8 = 21;
    let looking = async {
        let mut stream = tokio::net::TcpStream::connect((host, port)).await?;
        tokio::io::AsyncWriteExt::write_all(&mut stream, PROTOCOL_HEADER).await?;
        tokio::io::AsyncReadExt::read_u8(&mut stream).await
    };
    let first = tokio::time::timeout(LOOK, looking).await;
    matches!(first, Ok(Ok(ALERT)))
}

fn version_in(payload: &[u8]) -> Option<Version> {
    let table = payload
        .strip_prefix(&CONNECTION_START[..])
        .map(|_| payload)?
        .get(METHOD_HEADER..)?;
    let (_, properties) = parse_field_table(table).ok()?;
    text(&properties, "version")?.parse().ok()
}

fn text(properties: &FieldTable, name: &str) -> Option<String> {
    match properties.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        _ => None,
    }
}

fn unexpected_greeting() -> io::Error {
    io::Error::other("the greeting is not that of RabbitMQ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_greeting() {
        let mut payload = CONNECTION_START.to_vec();
        payload.extend([0, 9]);
        let table = b"\x07productS\x00\x00\x00\x08RabbitMQ\x07versionS\x00\x00\x00\x063.10.8";
        payload.extend(u32::try_from(table.len()).unwrap().to_be_bytes());
        payload.extend(table);
        payload.extend(b"\x00\x00\x00\x05PLAIN\x00\x00\x00\x05en_US");
        assert_eq!(version_in(&payload), Some(Version::new(3, 10, 8)));
        for cut in 0..payload.len() - 18 {
            assert_eq!(version_in(&payload[..cut]), None, "cut after {cut} bytes");
        }
    }
}
