//! Where an engine listens, and whether it answers there.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// How long an engine that is up may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// An engine's address, as in `DOCKER_HOST`.
#[derive(Debug, PartialEq)]
pub enum Address {
    Unix(PathBuf),
    /// `host:port`.
    Tcp(String),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix://") {
            return Ok(Self::Unix(path.into()));
        }
        if let Some(rest) = text.strip_prefix("tcp://") {
            return Ok(Self::Tcp(rest.trim_end_matches('/').to_owned()));
        }
        Err("neither unix:// nor tcp://".to_owned())
    }
}

impl Address {
    /// Asks the engine whether it is there.
    ///
    /// # Errors
    /// Why it cannot be used. An engine on another machine cannot: the tests' containers share
    /// this machine's network.
    pub fn ping(&self) -> Result<(), String> {
        let answer = match self {
            Self::Unix(path) => UnixStream::connect(path).and_then(|stream| {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                ask(stream)
            }),
            Self::Tcp(host) => {
                let mut addresses = host.to_socket_addrs().map_err(|error| error.to_string())?;
                let address = addresses
                    .find(|address| address.ip().is_loopback())
                    .ok_or("not an engine on this machine")?;
                TcpStream::connect_timeout(&address, PATIENCE).and_then(|stream| {
                    stream.set_read_timeout(Some(PATIENCE))?;
                    stream.set_write_timeout(Some(PATIENCE))?;
                    ask(stream)
                })
            }
        };
        let status = answer.map_err(|error| error.to_string())?;
        if status.split_whitespace().nth(1) == Some("200") {
            Ok(())
        } else {
            Err(format!("answered `{status}`"))
        }
    }
}

/// The status line with which the engine answers `GET /_ping`.
fn ask(mut stream: impl Read + Write) -> std::io::Result<String> {
    stream.write_all(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn addresses_are_read_as_docker_writes_them() {
        for (text, address) in [
            (
                "unix:///run/docker.sock",
                Some(Address::Unix("/run/docker.sock".into())),
            ),
            (
                "tcp://127.0.0.1:2375",
                Some(Address::Tcp("127.0.0.1:2375".to_owned())),
            ),
            (
                "tcp://localhost:2375/",
                Some(Address::Tcp("localhost:2375".to_owned())),
            ),
            ("ssh://host", None),
            ("/run/docker.sock", None),
        ] {
            assert_eq!(text.parse().ok(), address, "{text}");
        }
    }

    fn engine_that_says(answer: &'static str) -> Address {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap();
            assert!(request[..read].starts_with(b"GET /_ping "));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        Address::Tcp(address.to_string())
    }

    #[test]
    fn an_engine_that_answers_is_taken() {
        let engine = engine_that_says("HTTP/1.0 200 OK\r\nApi-Version: 1.41\r\n\r\nOK");
        assert_eq!(engine.ping(), Ok(()));
    }

    #[test]
    fn what_does_not_answer_as_an_engine_says_why() {
        let refused = engine_that_says("HTTP/1.1 503 Service Unavailable\r\n\r\n").ping();
        assert!(refused.unwrap_err().contains("503"));
        let silent = engine_that_says("").ping();
        assert!(silent.unwrap_err().contains("answered"));
        let missing = Address::Unix("/nowhere/docker.sock".into()).ping();
        assert!(missing.unwrap_err().contains("No such file"));
        let elsewhere = Address::Tcp("192.0.2.1:2375".to_owned()).ping();
        assert!(
            elsewhere
                .unwrap_err()
                .contains("not an engine on this machine")
        );
    }
}
