//! How a command ends: 0 in sync or done, 1 something differs, 2 failed. With `--json` everything is one document on
//! standard output; otherwise a failure is on standard error, with what to do.

use super::{Client, Failure};
use crate::cli::Remote;
use crate::{output, server};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

/// What a command found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Everything is as it should be.
    InSync,
    /// Something differs.
    Differs,
    /// An operation failed; what is said of it was printed.
    Failed,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::InSync => "in_sync",
            Self::Differs => "differs",
            Self::Failed => "failed",
        }
    }

    fn exit_code(self) -> u8 {
        match self {
            Self::InSync => 0,
            Self::Differs => 1,
            Self::Failed => 2,
        }
    }
}

/// Runs a command against a console to its end. The work gives its verdict and what `--json` prints besides; Ctrl-C ends
/// this process, and no operation.
pub(crate) fn run(
    remote: &Remote,
    longest: Duration,
    work: impl AsyncFnOnce(&Client) -> Result<(Verdict, Value), Failure>,
) -> anyhow::Result<ExitCode> {
    server::block_on(async {
        let ended = match Client::new(remote, longest) {
            Err(failure) => Err((failure, None)),
            Ok(client) => {
                let ended = tokio::select! {
                    ended = work(&client) => ended,
                    _ = tokio::signal::ctrl_c() => Err(Failure::new("interrupted", "Stopped with Ctrl-C.".to_owned())),
                };
                ended.map_err(|failure| (failure, client.began()))
            }
        };
        Ok(ExitCode::from(report(remote, ended).exit_code()))
    })
}

fn report(remote: &Remote, ended: Result<(Verdict, Value), (Failure, Option<String>)>) -> Verdict {
    let (verdict, mut body) = match ended {
        Ok(ended) => ended,
        Err((failure, began)) => {
            let mut body = json!({ "error": failure.to_json() });
            let mut said = format!("error: {failure}\n");
            if let Some(address) = began {
                body["operation_url"] = address.as_str().into();
                said.push_str(&format!(
                    "  The operation goes on at the server. Watch it at {address}, or with: hedgerow wait {} --server {} \
                     --for operation-end\n",
                    remote.fabric, remote.server
                ));
            }
            complain(&said);
            (Verdict::Failed, body)
        }
    };
    if remote.json {
        body["verdict"] = verdict.word().into();
        body["exit_code"] = verdict.exit_code().into();
        // Who closed the pipe has seen enough; the exit code says the same.
        let _ = output::json(&body);
    }
    verdict
}

/// Says something on standard error, which may be closed.
pub(crate) fn complain(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
