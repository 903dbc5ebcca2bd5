//! Reads the recorded data.

use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// The folder of the shared data, if it is there.
pub fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/hedgehog");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: ../shared is not here");
    None
}

/// One JSON document a line.
pub fn lines(file: &str) -> Option<Vec<Value>> {
    let path = folder()?.join("recorded").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("reading {}: {e}", path.display()));
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// What was applied and what was stored.
pub fn pairs() -> Option<Vec<(Value, Value)>> {
    let pairs = lines("pairs.jsonl")?;
    assert!(pairs.len() >= 60, "pairs.jsonl holds {} pairs only", pairs.len());
    Some(pairs.into_iter().map(|pair| (pair["applied"].clone(), pair["stored"].clone())).collect())
}

/// `Kind/name`, for messages.
pub fn title(object: &Value) -> String {
    format!("{}/{}", object["kind"].as_str().unwrap_or("?"), object["metadata"]["name"].as_str().unwrap_or("?"))
}
