//! Which browser is driven, and how it starts. Programs are looked up on the PATH; one that is missing is named, with
//! what brings it.

use crate::http::BrowserProxy;
use crate::obstacle::{Obstacle, Taken};
use std::path::PathBuf;

/// A browser that can be driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrowserKind {
    /// Chromium or Google Chrome, by chromedriver.
    Chromium,
    /// Firefox, by geckodriver.
    Firefox,
}

impl BrowserKind {
    /// `chromium` or `firefox`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
        }
    }

    fn driver_names(self) -> &'static [&'static str] {
        match self {
            Self::Chromium => &["chromedriver"],
            Self::Firefox => &["geckodriver"],
        }
    }

    fn browser_names(self) -> &'static [&'static str] {
        match self {
            Self::Chromium => &["chromium", "google-chrome", "google-chrome-stable", "chromium-browser"],
            Self::Firefox => &["firefox-esr", "firefox"],
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Chromium => {
                "install the packages chromium and chromium-driver (Debian), or Google Chrome with the chromedriver of its version"
            }
            Self::Firefox => {
                "install the package firefox-esr (Debian) or Firefox, and geckodriver from its releases or by `cargo install geckodriver`"
            }
        }
    }
}

/// How a browser starts.
#[derive(Debug, Clone)]
pub struct BrowserOptions {
    /// Which.
    pub kind: BrowserKind,
    /// Width and height of the page.
    pub size: (u32, u32),
    /// Whether pages are told that a dark colour scheme is preferred.
    pub dark: bool,
    /// Whether pages may run scripts.
    pub scripts: bool,
    /// Whether certificates that nobody signed are accepted.
    pub accept_insecure_certs: bool,
    /// Certificates, as PEM, that are trusted for the target, with those that they issued.
    pub ca: Option<String>,
    /// The proxy through which the target is asked.
    pub proxy: Option<BrowserProxy>,
    /// What is put behind the browser's own `User-Agent`, so that a target's log shows who asked.
    pub user_agent_suffix: Option<String>,
    /// The program that drives the browser; looked up on the PATH without.
    pub driver_program: Option<PathBuf>,
    /// The browser itself; looked up on the PATH without.
    pub browser_binary: Option<PathBuf>,
    /// The address of a WebDriver that runs already, instead of one of our own.
    pub remote: Option<String>,
}

impl BrowserOptions {
    /// A browser as a user of a laptop has it: light, scripts on.
    pub fn new(kind: BrowserKind) -> Self {
        Self {
            kind,
            size: (1280, 900),
            dark: false,
            scripts: true,
            accept_insecure_certs: false,
            ca: None,
            proxy: None,
            user_agent_suffix: None,
            driver_program: None,
            browser_binary: None,
            remote: None,
        }
    }

    /// The program that drives the browser.
    pub fn driver_program(&self) -> Taken<PathBuf> {
        self.program(self.driver_program.as_ref(), self.kind.driver_names())
    }

    /// The browser itself.
    pub fn browser_binary(&self) -> Taken<PathBuf> {
        self.program(self.browser_binary.as_ref(), self.kind.browser_names())
    }

    fn program(&self, given: Option<&PathBuf>, names: &[&str]) -> Taken<PathBuf> {
        let (kind, remedy) = (self.kind.name(), self.kind.remedy());
        if let Some(given) = given {
            let missing = || Obstacle::Browser(format!("{} is no program: {kind} cannot be started", given.display()));
            return given.is_file().then(|| given.clone()).ok_or_else(missing);
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let found = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
        found.into_iter().find(|file| file.is_file()).ok_or_else(|| {
            Obstacle::Browser(format!("there is no {} on the PATH, which {kind} needs: {remedy}", names.join(" or ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let mut options = BrowserOptions::new(BrowserKind::Firefox);
        options.driver_program = Some("/nowhere/geckodriver".into());
        let said = options.driver_program().unwrap_err().to_string();
        assert!(said.contains("/nowhere/geckodriver"), "{said}");
        let said = options.program(None, &["never-heard-of"]).unwrap_err().to_string();
        assert!(said.contains("never-heard-of on the PATH") && said.contains("install"), "{said}");
    }
}
