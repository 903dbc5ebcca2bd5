//! Screenshots inside the report: of the steps that matter, and of the last step of each journey, as far as they are
//! small. All the others stay files, and the report names them.

use crate::evidence::folder;
use crate::evidence::matter::Matters;
use crate::evidence::words::size;
use crate::results::{Run, Step};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A picture of more bytes stays a file.
const LARGEST: u64 = 400_000;
/// So many bytes of pictures are inside a report.
const ALL_TOGETHER: u64 = 4_000_000;
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
    /// The last step with a picture of each journey.
    last: BTreeSet<usize>,
    /// The steps that matter.
    pub matters: Matters,
}

impl Pictures {
    /// Of this run in this folder.
    pub fn of(run: &Run, folder: &Path) -> Self {
        let last = run.journeys.iter().filter_map(|journey| {
            let its = journey.first_step..journey.first_step.saturating_add(journey.steps);
            let with = |step: &&Step| its.contains(&step.number) && step.screenshot.is_some();
            run.steps.iter().rev().find(with).map(|step| step.number)
        });
        let last = last.collect();
        Self { folder: folder.to_owned(), left: ALL_TOGETHER, last, matters: Matters::of(run) }
    }

    /// A step's picture, of this name.
    pub fn take(&mut self, step: &Step, name: &str) -> Picture {
        let beside = |why: String| Picture::Beside(name.to_owned(), why);
        if !self.matters.has(step) && !self.last.contains(&step.number) {
            return beside("it shows neither a failure nor a journey's end".to_owned());
        }
        let bytes = match folder::read_bounded(&self.folder, name, LARGEST) {
            Ok(bytes) => bytes,
            Err(why) => return beside(why),
        };
        let Some((kind, width, height)) = measures(&bytes) else {
            return beside("it is no PNG and no WebP".to_owned());
        };
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            return beside(format!("the report holds {} of pictures already", size(ALL_TOGETHER)));
        };
        self.left = left;
        Picture::Inside { address: format!("data:image/{kind};base64,{}", STANDARD.encode(bytes)), width, height }
    }
}

/// What kind of picture it is, its width and its height.
fn measures(bytes: &[u8]) -> Option<(&'static str, u32, u32)> {
    if let Some(head) = bytes.strip_prefix(PNG) {
        let number = |from: usize| Some(u32::from_be_bytes(head.get(from..from + 4)?.try_into().ok()?));
        return (head.get(4..8)? == b"IHDR").then_some(("png", number(8)?, number(12)?));
    }
    let (width, height) = webp(bytes)?;
    Some(("webp", width, height))
}

/// Width and height of a WebP, from the first of its chunks: plain, lossless, or with more to come.
fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    (bytes.get(..4)? == b"RIFF" && bytes.get(8..12)? == b"WEBP").then_some(())?;
    let chunk = bytes.get(20..30)?;
    let two = |from: usize| u32::from(chunk[from]) | u32::from(chunk[from + 1]) << 8;
    match bytes.get(12..16)? {
        b"VP8 " if chunk[3..6] == [0x9d, 0x01, 0x2a] => Some((two(6) & 0x3fff, two(8) & 0x3fff)),
        b"VP8L" if chunk[0] == 0x2f => {
            let all = two(1) | two(3) << 16;
            Some(((all & 0x3fff) + 1, (all >> 14 & 0x3fff) + 1))
        }
        b"VP8X" => Some(((two(4) | u32::from(chunk[6]) << 16) + 1, (two(7) | u32::from(chunk[9]) << 16) + 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webp_of(kind: &[u8; 4], chunk: [u8; 10]) -> Vec<u8> {
        [b"RIFF".as_slice(), &[0; 4], b"WEBP", kind, &[0; 4], &chunk].concat()
    }

    #[test]
    fn a_webp_says_how_large_it_is() {
        let plain = webp_of(b"VP8 ", [0, 0, 0, 0x9d, 0x01, 0x2a, 0x00, 0x05, 0x20, 0x03]);
        assert_eq!(measures(&plain), Some(("webp", 1280, 800)));
        let more = webp_of(b"VP8X", [0, 0, 0, 0, 0xff, 0x04, 0, 0x1f, 0x03, 0]);
        assert_eq!(measures(&more), Some(("webp", 1280, 800)));
        let lossless = webp_of(b"VP8L", [0x2f, 0xff, 0xc4, 0xc7, 0, 0, 0, 0, 0, 0]);
        assert_eq!(measures(&lossless), Some(("webp", 1280, 800)));
        assert_eq!(measures(b"RIFF....WEBPVP8 <svg onload=alert(1)>"), None);
        assert_eq!(measures(&plain[..22]), None, "half of one");
    }
}
