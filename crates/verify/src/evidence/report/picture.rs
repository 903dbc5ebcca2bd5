//! Screenshots inside the report, as far as they are small: each, and all together. What is larger stays a file, and the
//! report names it.

use crate::evidence::folder;
use crate::evidence::words::size;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::{Path, PathBuf};

/// A picture of more bytes stays a file.
const LARGEST: u64 = 400_000;
/// So many bytes of pictures are inside a report.
const ALL_TOGETHER: u64 = 12_000_000;
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A screenshot.
pub enum Picture {
    /// Inside the report.
    Inside {
        /// The `data:` address.
        address: String,
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
    },
    /// A file beside the report, and why it is not inside.
    Beside(String, String),
}

/// The pictures of a folder.
pub struct Pictures {
    folder: PathBuf,
    left: u64,
}

impl Pictures {
    /// Of this folder.
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), left: ALL_TOGETHER }
    }

    /// The one of this name.
    pub fn take(&mut self, name: &str) -> Picture {
        let beside = |why: String| Picture::Beside(name.to_owned(), why);
        let bytes = match folder::read_bounded(&self.folder, name, LARGEST) {
            Ok(bytes) => bytes,
            Err(why) => return beside(why),
        };
        let Some((width, height)) = measures(&bytes) else { return beside("it is no PNG".to_owned()) };
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            return beside(format!("the report holds {} of pictures already", size(ALL_TOGETHER)));
        };
        self.left = left;
        Picture::Inside { address: format!("data:image/png;base64,{}", STANDARD.encode(bytes)), width, height }
    }
}

/// Width and height of a PNG, from its first chunk.
fn measures(bytes: &[u8]) -> Option<(u32, u32)> {
    let head = bytes.strip_prefix(PNG)?;
    let number = |from: usize| Some(u32::from_be_bytes(head.get(from..from + 4)?.try_into().ok()?));
    (head.get(4..8)? == b"IHDR").then_some((number(8)?, number(12)?))
}
