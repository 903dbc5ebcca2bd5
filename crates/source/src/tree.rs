//! A commit's tree: listing it, and reading many blobs at once. No work tree anywhere.

use crate::error::Error;
use crate::git::{Git, LOCAL};
use crate::history::is_id;
use crate::process::Stdin;
use model::Code;
use tokio::time::Instant;

/// How much a listing may take: some 2 million entries.
const LISTING_BYTES: usize = 256 << 20;
/// The longest target of a link that a system takes.
const LONGEST_TARGET: usize = 4096;

/// What an entry of a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file.
    File,
    /// A symbolic link: to a folder, out of the repository, to nothing, or not followed yet.
    Link,
    /// A symbolic link that leads to a file of the same commit.
    LinkToFile,
    /// A commit of another repository.
    Submodule,
}

/// One entry below a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its object's id.
    pub(crate) id: String,
    /// Its path below the folder that was listed; bytes, because git demands no encoding.
    pub(crate) path: Vec<u8>,
}

/// Id, type and size of the object that a name such as `commit:path` means; `None` when there is none.
pub(crate) async fn object(git: &Git, name: &str) -> Result<Option<(String, String, usize)>, Error> {
    if name.contains(['\n', '\0']) {
        return Ok(None);
    }
    Ok(sizes(git, &[name]).await?.pop().flatten())
}

/// Id, type and size of many objects, in order.
pub(crate) async fn sizes(git: &Git, names: &[&str]) -> Result<Vec<Option<(String, String, usize)>>, Error> {
    let mut input = names.join("\n").into_bytes();
    input.push(b'\n');
    let call = git.call("cat-file", "Looking objects up").args(["--batch-check"]).stdin(Stdin::Bytes(input));
    let limit = names.iter().map(|n| n.len() + 200).sum::<usize>();
    let output = call.limit(limit).run(Instant::now() + LOCAL).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found: Vec<_> = text.lines().map(facts).collect();
    if found.len() == names.len() { Ok(found) } else { Err(broken()) }
}

/// `<id> <type> <size>`; anything else (`… missing`, `… ambiguous`) is no object.
fn facts(line: &str) -> Option<(String, String, usize)> {
    let mut words = line.split(' ');
    let (id, kind, size) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
    (is_id(id) && words.next().is_none()).then(|| (id.to_owned(), kind.to_owned(), size))
}

/// Every entry at any depth below a tree, in git's order.
pub(crate) async fn list(git: &Git, tree: &str) -> Result<Vec<Entry>, Error> {
    debug_assert!(is_id(tree));
    let call = git.call("ls-tree", "Listing the files").args(["-r", "-z", "--full-tree", tree]).limit(LISTING_BYTES);
    let output = call.run(Instant::now() + LOCAL).await?;
    output.stdout.split(|b| *b == 0).filter(|line| !line.is_empty()).map(|l| entry(l).ok_or_else(broken)).collect()
}

/// `<mode> <type> <id>\t<path>`.
fn entry(line: &[u8]) -> Option<Entry> {
    let tab = line.iter().position(|b| *b == b'\t')?;
    let mut words = std::str::from_utf8(&line[..tab]).ok()?.split(' ');
    let kind = match (words.next()?, words.next()?) {
        ("120000", "blob") => Kind::Link,
        (_, "blob") => Kind::File,
        ("160000", "commit") => Kind::Submodule,
        _ => return None,
    };
    let id = words.next().filter(|id| is_id(id))?.to_owned();
    Some(Entry { kind, id, path: line[tab + 1..].to_vec() })
}

/// Says of every link below `folder` whether it leads to a file of the commit. Gives whether there is a link at all.
pub(crate) async fn follow_links(git: &Git, commit: &str, folder: &str, entries: &mut [Entry]) -> Result<bool, Error> {
    debug_assert!(is_id(commit));
    // A name is a line of its own; one with a line break in it stays a link of which nothing is known.
    let is_link = |entry: &&mut Entry| entry.kind == Kind::Link && !entry.path.contains(&b'\n');
    let has_links = entries.iter().any(|entry| entry.kind == Kind::Link);
    let mut links: Vec<&mut Entry> = entries.iter_mut().filter(is_link).collect();
    if links.is_empty() {
        return Ok(has_links);
    }
    let mut input = Vec::new();
    for link in &links {
        input.extend_from_slice(format!("{commit}:").as_bytes());
        input.extend_from_slice(folder.as_bytes());
        input.extend_from_slice(if folder.is_empty() { b"" } else { b"/" });
        input.extend_from_slice(&link.path);
        input.push(b'\n');
    }
    // What leads nowhere is answered with its name or its target besides.
    let limit = input.len() + links.len() * (LONGEST_TARGET + 200);
    let call = git.call("cat-file", "Following links").args(["--batch-check", "--follow-symlinks"]);
    let output = call.stdin(Stdin::Bytes(input)).limit(limit).run(Instant::now() + LOCAL).await?;
    let mut rest = output.stdout.as_slice();
    for link in &mut links {
        let end = rest.iter().position(|b| *b == b'\n').ok_or_else(broken)?;
        let line = std::str::from_utf8(&rest[..end]).unwrap_or_default();
        let said = facts(line);
        rest = &rest[end + 1..];
        if let Some(size) = elsewhere(line) {
            rest = rest.get(size + 1..).ok_or_else(broken)?;
        } else if said.is_some_and(|(_, kind, _)| kind == "blob") {
            link.kind = Kind::LinkToFile;
        }
    }
    Ok(has_links)
}

/// `<word> <size>`, with so many bytes and a line break to follow: what a link leads to that is no object of the commit.
fn elsewhere(line: &str) -> Option<usize> {
    let (word, size) = line.split_once(' ')?;
    matches!(word, "symlink" | "dangling" | "loop" | "notdir").then(|| size.parse().ok()).flatten()
}

/// The bytes of blobs whose sizes are known, in order.
pub(crate) async fn blobs(git: &Git, wanted: &[(&String, usize)]) -> Result<Vec<Vec<u8>>, Error> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut input = Vec::with_capacity(wanted.len() * 41);
    for (id, _) in wanted {
        input.extend_from_slice(id.as_bytes());
        input.push(b'\n');
    }
    let limit = wanted.iter().map(|(_, size)| size + 200).sum();
    let call = git.call("cat-file", "Reading files").args(["--batch"]).stdin(Stdin::Bytes(input)).limit(limit);
    let output = call.run(Instant::now() + LOCAL).await?;
    let mut rest = output.stdout.as_slice();
    let mut all = Vec::with_capacity(wanted.len());
    for (id, size) in wanted {
        let end = rest.iter().position(|b| *b == b'\n').ok_or_else(broken)?;
        let head = std::str::from_utf8(&rest[..end]).ok().and_then(facts).ok_or_else(broken)?;
        if head.0 != **id || head.2 != *size || rest.len() < end + 1 + size + 1 {
            return Err(broken());
        }
        all.push(rest[end + 1..end + 1 + size].to_vec());
        rest = &rest[end + 1 + size + 1..];
    }
    Ok(all)
}

fn broken() -> Error {
    Error::new(Code::Internal, "Git's answer could not be read; the repository on this server may be damaged.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listing_lines_are_read() {
        let id = "a".repeat(40);
        let file = entry(format!("100644 blob {id}\tx/\u{e9} y.yaml").as_bytes()).unwrap();
        assert_eq!((file.kind, file.path.as_slice()), (Kind::File, "x/é y.yaml".as_bytes()));
        assert_eq!(entry(format!("120000 blob {id}\tl").as_bytes()).unwrap().kind, Kind::Link);
        assert_eq!(entry(format!("160000 commit {id}\ts").as_bytes()).unwrap().kind, Kind::Submodule);
        assert_eq!(entry(b"100644 blob short\tx"), None);
        assert_eq!(entry(b"nonsense"), None);
        assert_eq!(elsewhere("symlink 12"), Some(12));
        assert_eq!(elsewhere(&format!("{id} blob 12")), None);
        assert_eq!(elsewhere("main:x missing"), None);
    }

    #[test]
    fn missing_objects_are_none() {
        let id = "b".repeat(40);
        assert_eq!(facts(&format!("{id} blob 12")), Some((id.clone(), "blob".into(), 12)));
        assert_eq!(facts(&format!("{id} missing")), None);
        assert_eq!(facts("abc:some path missing"), None);
    }
}
