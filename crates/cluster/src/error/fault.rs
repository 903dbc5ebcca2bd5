//! Broken connections: from the error chain of kube, hyper and rustls to an [`Error`].
//!
//! The chain is walked by type, not by text: name resolution and the connect limit carry types of our own
//! ([`crate::transport`]), TLS failures are `rustls::Error`, the rest are `std::io::Error` and `hyper::Error`. One
//! exception: HTTP/2 keeps of an error that ended its connection only the words.

use super::{Error, ErrorKind, TlsReason};
use crate::transport::{ConnectDeadline, DnsFailure};
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, OtherError};
use std::error::Error as StdError;
use std::io;

type Dyn = dyn StdError + 'static;

/// Classifies what the client returned instead of an answer. `server` is named in the message.
pub(crate) fn transport_fault(operation: &str, server: &str, error: &Dyn) -> Error {
    let (kind, message) = classify(server, error);
    tracing::debug!(operation, server, ?kind, error = %chain(error), "call failed in transport");
    Error::new(kind, operation, message)
}

fn classify(server: &str, error: &Dyn) -> (ErrorKind, String) {
    let links = links(error);
    if let Some(dns) = links.iter().find_map(|e| e.downcast_ref::<DnsFailure>()) {
        return (ErrorKind::Dns, format!("The name {} has no address: {}.", dns.host, dns.why));
    }
    if let Some(tls) = links.iter().find_map(|e| e.downcast_ref::<rustls::Error>()) {
        let (reason, message) = tls_reason(tls);
        return (ErrorKind::Tls(reason), message);
    }
    if let Some(alert) = links.last().and_then(|e| alert_in_words(&e.to_string())) {
        return alert;
    }
    if let Some(late) = links.iter().find_map(|e| e.downcast_ref::<ConnectDeadline>()) {
        let message = format!("No connection to {server} within {} s.", late.0.as_secs_f32());
        return (ErrorKind::Unreachable, message);
    }
    let connecting = links
        .iter()
        .find_map(|e| e.downcast_ref::<hyper_util::client::legacy::Error>())
        .is_some_and(hyper_util::client::legacy::Error::is_connect);
    if let Some(io) = links.iter().rev().find_map(|e| e.downcast_ref::<io::Error>())
        && let Some(found) = io_fault(server, io.kind(), connecting)
    {
        return found;
    }
    if connecting {
        return (ErrorKind::Unreachable, format!("No connection to {server}: {}.", last_words(&links)));
    }
    if let Some(hyper) = links.iter().find_map(|e| e.downcast_ref::<hyper::Error>()) {
        if hyper.is_timeout() {
            return (ErrorKind::ConnectionCut, silent(server));
        }
        if hyper.is_parse() {
            return (ErrorKind::Protocol, format!("What answers at {server} does not speak HTTP."));
        }
    }
    (ErrorKind::ConnectionCut, format!("{server} closed the connection before the answer was complete."))
}

/// Not a timeout of the call: pings, or TCP itself, found nobody at the other end any more.
fn silent(server: &str) -> String {
    format!("The connection to {server} went silent.")
}

fn io_fault(server: &str, kind: io::ErrorKind, connecting: bool) -> Option<(ErrorKind, String)> {
    use io::ErrorKind as K;
    Some(match kind {
        K::ConnectionRefused => {
            (ErrorKind::Unreachable, format!("{server} refused the connection: nothing listens there."))
        }
        K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown | K::AddrNotAvailable => {
            (ErrorKind::Unreachable, format!("There is no route to {server}."))
        }
        K::PermissionDenied => (ErrorKind::Unreachable, format!("This machine's firewall forbids {server}.")),
        K::TimedOut if connecting => (ErrorKind::Unreachable, format!("No connection to {server} in time.")),
        K::TimedOut => (ErrorKind::ConnectionCut, silent(server)),
        K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe | K::UnexpectedEof | K::NotConnected => {
            let (kind, when) = match connecting {
                true => (ErrorKind::Unreachable, "while it was being made"),
                false => (ErrorKind::ConnectionCut, "before the answer was complete"),
            };
            (kind, format!("{server} closed the connection {when}."))
        }
        _ => return None,
    })
}

fn tls_reason(error: &rustls::Error) -> (TlsReason, String) {
    match error {
        rustls::Error::InvalidCertificate(certificate) => certificate_reason(certificate),
        rustls::Error::InvalidMessage(_) | rustls::Error::PeerSentOversizedRecord => {
            (TlsReason::NotTls, "What answers does not speak TLS; is it a plain HTTP port?".to_owned())
        }
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => (TlsReason::ClientCertificate, format!("The server did not take our client certificate ({error}).")),
        rustls::Error::AlertReceived(_) | rustls::Error::PeerIncompatible(_) | rustls::Error::NoApplicationProtocol => {
            (TlsReason::Incompatible, format!("No common version or method of TLS ({error})."))
        }
        other => (TlsReason::Other, format!("TLS failed: {other}.")),
    }
}

/// A server that wants a client certificate says so after the handshake (TLS 1.3), when HTTP/2 owns the connection.
fn alert_in_words(text: &str) -> Option<(ErrorKind, String)> {
    let (_, alert) = text.split_once("received fatal alert: ")?;
    let about_us = alert.contains("Certificate") || matches!(alert, "UnknownCA" | "AccessDenied");
    Some(match about_us {
        true => (
            ErrorKind::Tls(TlsReason::ClientCertificate),
            format!("The server did not take our client certificate ({alert})."),
        ),
        false => (ErrorKind::Tls(TlsReason::Other), format!("The server ended TLS ({alert}).")),
    })
}

fn certificate_reason(error: &CertificateError) -> (TlsReason, String) {
    use CertificateError as E;
    match error {
        E::UnknownIssuer => (
            TlsReason::UnknownCa,
            "The server's certificate was issued by an authority that is not trusted here; give its CA certificate."
                .into(),
        ),
        // A CA that was made anew under its old name, as kubeadm's is.
        E::BadSignature => (
            TlsReason::UnknownCa,
            "The server's certificate was not signed by the CA that is trusted here, but by another of the same name; \
             give the new CA certificate."
                .into(),
        ),
        E::Expired => (TlsReason::Expired, "The server's certificate has expired.".into()),
        E::ExpiredContext { not_after, .. } => {
            (TlsReason::Expired, format!("The server's certificate expired on {}.", day(not_after)))
        }
        E::NotValidYet => {
            (TlsReason::NotYetValid, "The server's certificate is not valid yet; check both clocks.".into())
        }
        E::NotValidYetContext { not_before, .. } => (
            TlsReason::NotYetValid,
            format!("The server's certificate is valid from {} on; check both clocks.", day(not_before)),
        ),
        E::NotValidForName => (TlsReason::WrongName, "The server's certificate is for another name.".into()),
        E::NotValidForNameContext { expected, presented } => {
            let names: Vec<&str> = presented.iter().map(|name| bare_name(name)).collect();
            let names = if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") };
            (
                TlsReason::WrongName,
                format!("The server's certificate is not for {}, but for {names}.", expected.to_str()),
            )
        }
        E::Other(other) if is_ca_as_server(other) => (
            TlsReason::CaAsServer,
            "The server shows a CA certificate as its own; it needs one that this CA issued.".into(),
        ),
        other => (TlsReason::BadCertificate, format!("The server's certificate cannot be used: {other}.")),
    }
}

/// rustls writes names as `DnsName("a")` and `IpAddress(10.0.0.1)`.
fn bare_name(presented: &str) -> &str {
    let inner = presented.split_once('(').map_or(presented, |(_, rest)| rest.trim_end_matches(')'));
    inner.trim_matches('"')
}

/// webpki's `CaUsedAsEndEntity` arrives wrapped; its type is not re-exported, so its name is the only way to know it.
fn is_ca_as_server(error: &OtherError) -> bool {
    format!("{error:?}").contains("CaUsedAsEndEntity")
}

fn day(at: &UnixTime) -> String {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| "an unknown day".to_owned(), |t| t.strftime("%Y-%m-%d").to_string())
}

/// An error and everything beneath it. `io::Error::source` skips the error it wraps, hence `get_ref`.
fn links(error: &Dyn) -> Vec<&Dyn> {
    let mut links = vec![error];
    let mut last = error;
    while let Some(next) = beneath(last).filter(|_| links.len() < 16) {
        links.push(next);
        last = next;
    }
    links
}

fn beneath(error: &Dyn) -> Option<&Dyn> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner as &Dyn),
        None => error.source(),
    }
}

fn last_words(links: &[&Dyn]) -> String {
    links.last().map(ToString::to_string).unwrap_or_default()
}

fn chain(error: &Dyn) -> String {
    links(error).iter().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
