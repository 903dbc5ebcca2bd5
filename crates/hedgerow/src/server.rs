//! One HTTP server: bind, TLS, serve, and a clean end. Used by `serve` and `demo`; which pages it answers with is not
//! its business.

mod layers;
mod tls;

use crate::Misuse;
use crate::settings::Settings;
use anyhow::Context as _;
use axum::Router;
use axum_server::tls_rustls::RustlsConfig;
use ipnet::IpNet;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A client that has not sent the head of its request by then is dropped.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of such a head: twice what browsers send at most. Its lines are limited by the library, to a hundred.
const LARGEST_HEAD: usize = 64 << 10;
/// A client that takes nothing of its answer for so long is dropped.
const TAKES_NOTHING: Duration = Duration::from_secs(30);
/// How often an HTTP/2 client that says nothing is asked whether it is still there.
const ASKED_EVERY: Duration = Duration::from_secs(30);

/// A port that is taken, but does not answer yet.
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<RustlsConfig>,
    proxies: Vec<IpNet>,
}

impl Server {
    /// Takes the port and reads the TLS files, so that what is wrong with them is said before anything else happens.
    pub(crate) fn bind(settings: &Settings) -> anyhow::Result<Self> {
        let tls = settings.tls().map(|(cert, key)| tls::config(cert, key)).transpose()?;
        if tls.is_none() && settings.trusted_proxies.is_empty() {
            refuse_plain_http(settings.listen)?;
        }
        let listen = settings.listen;
        let listener = TcpListener::bind(listen).with_context(|| match listen.port() {
            0 => format!("cannot listen on {listen}"),
            _ => format!("cannot listen on {listen}; choose another with --listen"),
        })?;
        let address = listener.local_addr().context("cannot read the address that was bound")?;
        drop_who_takes_nothing(&listener);
        Ok(Self { listener, address, tls, proxies: settings.trusted_proxies.clone() })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it answers HTTPS.
    pub(crate) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The address for a browser on this machine.
    pub(crate) fn url(&self) -> String {
        let mut address = self.address;
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        format!("{}://{address}/", if self.is_tls() { "https" } else { "http" })
    }

    /// Answers requests until `stop`; then accepts no more, and gives the running ones `grace` to end. What never ends by
    /// itself, as a stream of events, has to listen to `stop` too.
    pub(crate) async fn serve(
        self,
        mut router: Router,
        stop: CancellationToken,
        grace: Duration,
    ) -> anyhow::Result<()> {
        let handle = axum_server::Handle::new();
        let (ending, stopped) = (handle.clone(), stop.clone());
        tokio::spawn(async move {
            stopped.cancelled().await;
            let open = ending.connection_count();
            ending.graceful_shutdown(Some(grace));
            tracing::info!(open, "no new requests; waiting for those that run");
        });
        if self.tls.is_none() && !self.address.ip().is_loopback() {
            router = layers::only_proxies(router, self.proxies);
        }
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let mut server = axum_server::from_tcp(self.listener).context("cannot serve the port")?.handle(handle);
        let http = server.http_builder();
        http.http1().header_read_timeout(HEAD_TIMEOUT).max_buf_size(LARGEST_HEAD);
        http.http2()
            .max_header_list_size(LARGEST_HEAD as u32)
            .keep_alive_interval(ASKED_EVERY)
            .keep_alive_timeout(HEAD_TIMEOUT);
        let server = server.first_request_timeout(HEAD_TIMEOUT).accept_error_handler(|peer, error| {
            // A browser that gives up, a scanner, a wrong certificate: worth a line only when one looks for it.
            tracing::debug!(?peer, %error, "a connection was not accepted");
        });
        let served = match self.tls {
            None => server.serve(service).await,
            Some(config) => server.acceptor(axum_server::tls_rustls::RustlsAcceptor::new(config)).serve(service).await,
        };
        served.context("the server ended with an error")
    }
}

/// The kernel ends a connection whose other end keeps its window shut, or has gone without a word; what is accepted has
/// this from the listener. Where the system does not have it, such a client only costs its connection.
fn drop_who_takes_nothing(listener: &TcpListener) {
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(listener).set_tcp_user_timeout(Some(TAKES_NOTHING)) {
        tracing::warn!(%error, "clients that take nothing of their answers will not be dropped");
    }
}

/// Plain HTTP beyond loopback would carry passwords and session cookies in clear.
fn refuse_plain_http(address: SocketAddr) -> anyhow::Result<()> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    Err(Misuse(format!(
        "plain HTTP on {address} is refused: passwords and sessions would cross the network in clear. Either\n  \
         - serve TLS: --tls-cert FILE --tls-key FILE\n  \
         - or put a proxy that ends TLS in front, and name it: --set trusted_proxies=ADDRESS\n  \
         - or listen on this machine only: --listen 127.0.0.1:{}",
        address.port()
    ))
    .into())
}

/// Waits for Ctrl-C, SIGTERM or the end of the terminal; a second one ends the process at once.
pub(crate) fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    stop_on_signal_or(1, |name, _| {
        tracing::warn!("{name} again: ending at once; running operations are taken up as interrupted");
        std::process::exit(1);
    })
}

/// Waits for Ctrl-C, SIGTERM or the end of the terminal. `again` hears of those after the first, and whether it is the last
/// of `most`.
pub(crate) fn stop_on_signal_or(
    most: u32,
    again: impl Fn(&str, bool) + Send + 'static,
) -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    // Who was started by nohup is to outlive its terminal.
    let mut hangup = (!ignores_hangup())
        .then(|| signal(SignalKind::hangup()).context("cannot listen for the end of the terminal"))
        .transpose()?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        for times in 0_u32.. {
            let name = tokio::select! {
                _ = interrupt.recv() => "Ctrl-C",
                _ = terminate.recv() => "SIGTERM",
                () = async { match &mut hangup {
                    Some(hangup) => drop(hangup.recv().await),
                    None => std::future::pending().await,
                } } => "the end of the terminal",
            };
            if times > 0 {
                again(name, times >= most);
                continue;
            }
            // First the end, then the word about it: the log may be a pipe that nobody reads.
            told.cancel();
            tracing::info!("{name}: ending");
        }
    });
    Ok(stop)
}

/// Whether this process was told to ignore SIGHUP, signal 1; so says Linux in a mask, in hexadecimal.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// Runs a future on a new runtime, on as many threads as there are processors.
pub(crate) fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let result = runtime.block_on(future);
    // What still blocks (a git program, a slow disk) must not hold the end.
    runtime.shutdown_timeout(Duration::from_secs(2));
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Layers;

    fn settings(pairs: &[(&'static str, &str)]) -> Settings {
        let layers = pairs
            .iter()
            .fold(Layers::default(), |layers, (key, value)| layers.with_flag("--set", key, (*value).to_owned()));
        Settings::load(&layers).unwrap()
    }

    #[test]
    fn plain_http_beyond_loopback_needs_a_proxy() {
        let text = Server::bind(&settings(&[("listen", "0.0.0.0:0")])).err().unwrap().to_string();
        assert!(text.contains("--tls-cert") && text.contains("trusted_proxies"), "{text}");
        assert!(Server::bind(&settings(&[("listen", "0.0.0.0:0"), ("trusted_proxies", "10.0.0.1")])).is_ok());
        assert!(Server::bind(&settings(&[("listen", "127.0.0.1:0")])).is_ok());
    }

    #[test]
    fn the_printed_address_can_be_opened() {
        let server = Server::bind(&settings(&[("listen", "127.0.0.1:0")])).unwrap();
        assert_ne!(server.address().port(), 0);
        assert_eq!(server.url(), format!("http://127.0.0.1:{}/", server.address().port()));
        let everywhere = settings(&[("listen", "0.0.0.0:0"), ("trusted_proxies", "10.0.0.1")]);
        assert!(Server::bind(&everywhere).unwrap().url().starts_with("http://127.0.0.1:"));
    }
}
