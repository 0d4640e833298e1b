//! From a container's pipe to its file and its log stream.

use std::fs::File;
use std::io::{PipeReader, Read, Write};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::task::JoinHandle;

use super::lines::{Lines, batches};
use super::stream::LogStream;
use crate::child::{Child, Launch, Output};
use crate::clock;

/// What a pipe holds (pipe(7)), and so the most that a container may have written when it ends and that nobody read yet.
const PIPE: usize = 64 * 1024;

/// A container waits while its output is taken; this long at most for one call.
const CALL: Duration = Duration::from_secs(30);

/// A container's output, before it is started.
pub(crate) struct Tap {
    pipe: pipe::Receiver,
    file: File,
    stream: LogStream,
}

/// The output of a running container on its way. Dropping it ends it.
pub(crate) struct Delivery {
    task: JoinHandle<()>,
}

impl Tap {
    /// Lets what `launch` starts write into a pipe, from which it goes to the file it would have written and to `stream`.
    pub(crate) fn fit(launch: &mut Launch, stream: LogStream) -> std::io::Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        let pipe = pipe::Receiver::from_owned_fd(reader.into())?;
        let file = launch.output.open()?;
        launch.output = Output::Pipe(writer);
        Ok(Self { pipe, file, stream })
    }

    /// Begins to deliver what `container` writes.
    pub(crate) fn deliver(self, container: Child) -> Delivery {
        Delivery { task: tokio::spawn(self.run(container)) }
    }

    async fn run(mut self, container: Child) {
        let mut post = Post { file: self.file, stream: self.stream, lines: Lines::default(), last: 0, failing: false };
        let mut buffer = vec![0; PIPE];
        loop {
            tokio::select! {
                read = self.pipe.read(&mut buffer) => match read {
                    Ok(0) | Err(_) => break,
                    Ok(length) => post.take(&buffer[..length]).await,
                },
                // A process that left the container's group may hold the pipe open for ever, where on ECS it would be gone.
                _ = container.wait() => {
                    post.take(&rest(self.pipe)).await;
                    break;
                }
            }
        }
        let last = post.lines.finish();
        post.send(&last).await;
    }
}

impl Delivery {
    /// Waits until all that the container wrote is delivered; it must have ended.
    pub(crate) async fn finished(mut self) {
        // It does not panic, and nobody else ends it.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is in the pipe now. Read past the runtime, which may not have heard yet that there is something.
fn rest(pipe: pipe::Receiver) -> Vec<u8> {
    let mut rest = Vec::new();
    if let Ok(pipe) = pipe.into_nonblocking_fd() {
        // Ends where the pipe is empty, with an error that says so and leaves what was read.
        let _ = PipeReader::from(pipe).take(PIPE as u64).read_to_end(&mut rest);
    }
    rest
}

struct Post {
    file: File,
    stream: LogStream,
    lines: Lines,
    /// The last timestamp: those of a batch must not go back, as the machine's clock may.
    last: i64,
    failing: bool,
}

impl Post {
    async fn take(&mut self, bytes: &[u8]) {
        if let Err(error) = self.file.write_all(bytes) {
            self.tell(&error.to_string());
        }
        let events = self.lines.push(bytes);
        self.send(&events).await;
    }

    async fn send(&mut self, events: &[String]) {
        self.last = self.last.max(clock::unix_milliseconds(clock::now()));
        for batch in batches(events) {
            match tokio::time::timeout(CALL, self.stream.put(self.last, batch)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.tell(&error.to_string()),
                Err(_) => self.tell("CloudWatch Logs does not answer"),
            }
        }
    }

    /// What is not delivered is lost, as with the log driver; it is said once.
    fn tell(&mut self, why: &str) {
        if !self.failing {
            eprintln!("ECS: output of {} is lost: {why}", self.stream.describe());
            self.failing = true;
        }
    }
}
