//! What a browser is asked to be when its session starts: quiet towards the outside world, the same everywhere, with
//! prompts that are accepted, because whoever presses a button means it.

use super::options::{BrowserKind, BrowserOptions};
use serde_json::{Value, json};
use std::path::Path;

/// How long a page may take to load, in milliseconds: longer than a person would wait.
pub(super) const PAGE_LOAD: u64 = 60_000;
/// How long a script of the driver's may take, in milliseconds: longer than the request that it makes.
const SCRIPT: u64 = 75_000;

const CHROMIUM: [&str; 17] = [
    "--headless=new",
    // Its sandbox needs rights that a container, or root, does not have.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    // Nothing that asks the outside world.
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-domain-reliability",
    "--disable-client-side-phishing-detection",
    "--no-default-browser-check",
    "--no-pings",
    "--disable-features=OptimizationHints,MediaRouter,Translate,AutofillServerCommunication,PasswordLeakDetection",
    "--password-store=basic",
];

/// The capabilities of a session. `folder` is for the profile of a browser of our own; `browser` is its program;
/// `trusted` are hashes of public keys that need no authority.
pub fn capabilities(
    options: &BrowserOptions,
    folder: Option<&Path>,
    browser: Option<&Path>,
    trusted: &[String],
) -> Value {
    let mut asked = json!({
        "acceptInsecureCerts": options.accept_insecure_certs,
        "unhandledPromptBehavior": "accept",
        "timeouts": {"pageLoad": PAGE_LOAD, "script": SCRIPT},
    });
    if let Some(proxy) = &options.proxy {
        asked["proxy"] = json!({
            "proxyType": "manual", "httpProxy": proxy.address, "sslProxy": proxy.address, "noProxy": proxy.none,
        });
    }
    match options.kind {
        BrowserKind::Chromium => {
            let mut args =
                vec![format!("--window-size={},{}", options.size.0, options.size.1), "--lang=en-GB".to_owned()];
            args.extend(CHROMIUM.map(str::to_owned));
            args.extend(folder.map(|folder| format!("--user-data-dir={}", folder.join("profile").display())));
            if !trusted.is_empty() {
                args.push(format!("--ignore-certificate-errors-spki-list={}", trusted.join(",")));
            }
            asked["browserName"] = "chrome".into();
            asked["goog:loggingPrefs"] = json!({"browser": "ALL", "performance": "ALL"});
            asked["goog:chromeOptions"] = json!({
                "args": args,
                "prefs": {
                    // No bubble over the page after a login.
                    "credentials_enable_service": false,
                    "profile.password_manager_enabled": false,
                    "profile.password_manager_leak_detection": false,
                },
            });
            if let Some(browser) = browser {
                asked["goog:chromeOptions"]["binary"] = browser.to_string_lossy().into();
            }
        }
        BrowserKind::Firefox => {
            let (width, height) = options.size;
            asked["browserName"] = "firefox".into();
            asked["webSocketUrl"] = true.into();
            asked["moz:firefoxOptions"] = json!({
                "args": ["-headless", format!("--width={width}"), format!("--height={height}")],
                "prefs": {
                    "javascript.enabled": options.scripts,
                    "layout.css.prefers-color-scheme.content-override": if options.dark { 0 } else { 1 },
                    "intl.accept_languages": "en-GB, en",
                    // JSON as the text that it is.
                    "devtools.jsonview.enabled": false,
                    "signon.rememberSignons": false,
                    // Nothing that asks the outside world.
                    "services.settings.server": "data:,#remote-settings-dummy/v1",
                },
            });
            if options.proxy.is_none() {
                asked["moz:firefoxOptions"]["prefs"]["network.proxy.type"] = 0.into();
            }
            if let Some(browser) = browser {
                asked["moz:firefoxOptions"]["binary"] = browser.to_string_lossy().into();
            }
        }
    }
    asked
}
