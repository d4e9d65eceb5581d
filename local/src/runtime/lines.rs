//! A container's output into its log stream, line by line.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use super::LogTarget;
use crate::aws::Moment;
use crate::world::World;

/// The longest event that CloudWatch Logs takes, in bytes; a longer line becomes several events.
pub(super) const LONGEST: u64 = 256 * 1024 - 26;

/// Reads until the end of the output. What cannot be written to the log is read all the same, so
/// that the container never blocks.
pub(super) async fn copy(
    world: Arc<World>,
    log: Option<LogTarget>,
    output: impl AsyncRead + Unpin,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = (&mut reader)
            .take(LONGEST)
            .read_until(b'\n', &mut line)
            .await?;
        if length == 0 {
            return Ok(());
        }
        write(&world, log.as_ref(), &line);
    }
}

/// Appends one line, without its end, to the log stream.
pub(super) fn write(world: &World, log: Option<&LogTarget>, line: &[u8]) {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (Some(log), false) = (log, line.is_empty()) else {
        return;
    };
    let message = String::from_utf8_lossy(line).into_owned();
    if let Err(error) = world
        .logs
        .append(&log.group, &log.stream, message, Moment::now())
    {
        tracing::warn!(group = log.group, stream = log.stream, %error, "a log line is lost");
    }
}
