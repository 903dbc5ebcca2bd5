//! What a sync asks a cluster, for real, and how it misreads the answer: a refusal counts as an empty list, and nothing
//! has a deadline.

use anyhow::{Context, Result};
use reqwest::StatusCode;
use serde_json::Value;

/// The kinds that are asked for, in the whole cluster.
const KINDS: &[(&str, &[&str])] = &[
    (
        "vpc.githedgehog.com",
        &[
            "vpcs",
            "externals",
            "externalattachments",
            "externalpeerings",
            "ipv4namespaces",
            "vpcattachments",
            "vpcpeerings",
        ],
    ),
    ("wiring.githedgehog.com", &["connections", "servers", "switches", "switchgroups", "vlannamespaces"]),
];

/// What came of it.
#[derive(Default)]
pub(super) struct Read {
    pub(super) objects: Vec<Value>,
    pub(super) errors: Vec<String>,
}

pub(super) async fn read(server: &str, token: &str, has_authority: bool) -> Read {
    let mut read = Read::default();
    let http = match client(has_authority) {
        Ok(http) => http,
        Err(error) => {
            read.errors.push(format!("{error:#}"));
            return read;
        }
    };
    for (group, plurals) in KINDS {
        for plural in *plurals {
            match list(&http, server, token, group, plural).await {
                Ok(mut objects) => read.objects.append(&mut objects),
                Err(error) => {
                    read.errors.push(format!("{plural}: {error:#}"));
                    return read;
                }
            }
        }
    }
    read
}

/// Whether somebody answers there.
pub(super) async fn ping(server: &str, token: &str) -> Result<(), String> {
    let ask = async {
        let answer = client(false)?.get(format!("{server}/version")).bearer_auth(token).send().await?;
        answer.error_for_status()?;
        anyhow::Ok(())
    };
    ask.await.map_err(|error| format!("{error:#}"))
}

/// Without an authority no certificate is looked at. With one, which the predecessor handed on in a form that its library
/// could not use, there is none that would be trusted.
fn client(has_authority: bool) -> Result<reqwest::Client> {
    let builder = reqwest::Client::builder().no_proxy();
    let builder =
        if has_authority { builder.tls_certs_only([]) } else { builder.tls_danger_accept_invalid_certs(true) };
    builder.build().context("make an HTTP client")
}

async fn list(http: &reqwest::Client, server: &str, token: &str, group: &str, plural: &str) -> Result<Vec<Value>> {
    let address = format!("{}/apis/{group}/v1beta1/{plural}", server.trim_end_matches('/'));
    let answer = http.get(address).bearer_auth(token).send().await?;
    // The defect behind the worst of it: whoever is refused has nothing to import, and that went well.
    if [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].contains(&answer.status()) {
        return Ok(Vec::new());
    }
    let mut list: Value = answer.error_for_status()?.json().await?;
    Ok(list["items"].as_array_mut().map(std::mem::take).unwrap_or_default())
}
