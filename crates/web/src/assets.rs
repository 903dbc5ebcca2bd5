//! Static files: sheets, scripts and the icon, inside the binary. One version, the hash over all of them, stands in
//! their address, so that browsers may keep them for ever and relative imports between modules just work.

use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::sync::OnceLock;

#[derive(rust_embed::RustEmbed)]
#[folder = "static/"]
#[exclude = "*.json"]
#[exclude = "*.d.ts"]
struct Files;

/// The version of all static files together: sixteen hexadecimal digits.
pub fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let mut names: Vec<_> = Files::iter().collect();
        names.sort();
        let mut hash = Sha256::new();
        for name in names {
            if let Some(file) = Files::get(&name) {
                hash.update(name.as_bytes());
                hash.update([0]);
                hash.update(&file.data);
            }
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    })
}

/// A file's bytes and its media type.
pub fn get(name: &str) -> Option<(Cow<'static, [u8]>, &'static str)> {
    let media = match name.rsplit_once('.')?.1 {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => return None,
    };
    Files::get(name).map(|file| (file.data, media))
}

/// The names of all files.
#[cfg(test)]
pub fn names() -> Vec<String> {
    Files::iter().map(Cow::into_owned).collect()
}
