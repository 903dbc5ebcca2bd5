//! The text form of keys that openssl writes: `-----BEGIN ...-----`, base64, `-----END ...-----`. Tells what it found when
//! it is not what was wanted; knows nothing of signing.

use super::sign::KeyError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretSlice;

/// OIDs of the algorithms that people have keys of, in DER.
const ALGORITHMS: [(&str, &[u8]); 6] = [
    ("RSA", &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01]),
    ("RSA-PSS", &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a]),
    ("EC", &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]),
    ("X25519", &[0x06, 0x03, 0x2b, 0x65, 0x6e]),
    ("Ed448", &[0x06, 0x03, 0x2b, 0x65, 0x71]),
    ("X448", &[0x06, 0x03, 0x2b, 0x65, 0x6f]),
];
const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];

/// The bytes of the first section with this label.
pub fn section(pem: &str, wanted: &'static str) -> Result<SecretSlice<u8>, KeyError> {
    let label_of = |line: &str, word| -> Option<String> {
        let label = line.trim().strip_prefix("-----")?.strip_prefix(word)?.strip_suffix("-----")?;
        Some(label.trim().to_owned())
    };
    let mut others = Vec::new();
    let mut lines = pem.lines();
    while let Some(line) = lines.next() {
        let Some(label) = label_of(line, "BEGIN ") else { continue };
        let mut body = String::new();
        let mut ended = false;
        for line in lines.by_ref() {
            if let Some(end) = label_of(line, "END ") {
                ended = end == label;
                break;
            }
            body.push_str(line.trim());
        }
        if label != wanted {
            others.push(label);
            continue;
        }
        if !ended {
            return Err(KeyError::Damaged("its END line is missing"));
        }
        let der = STANDARD.decode(body).map_err(|_| KeyError::Damaged("it is not base64"))?;
        return Ok(der.into());
    }
    Err(instead(others, wanted))
}

/// What stood there in the place of what was wanted.
fn instead(mut others: Vec<String>, wanted: &'static str) -> KeyError {
    others.retain(|label| label != "EC PARAMETERS");
    match others.into_iter().next() {
        None => KeyError::NoPem(wanted),
        Some(label) if label == "ENCRYPTED PRIVATE KEY" && wanted == "PRIVATE KEY" => KeyError::Encrypted,
        Some(label) => KeyError::OtherSection { found: label, wanted },
    }
}

/// Whether it is a key for Ed25519, by the algorithm that it names at its beginning.
pub fn is_ed25519(der: &[u8]) -> Result<(), KeyError> {
    let head = &der[..der.len().min(32)];
    let names = |oid: &[u8]| head.windows(oid.len()).any(|part| part == oid);
    if names(ED25519) {
        return Ok(());
    }
    let other = ALGORITHMS.iter().find(|(_, oid)| names(oid));
    Err(KeyError::OtherAlgorithm(other.map_or("another algorithm", |(name, _)| name)))
}
