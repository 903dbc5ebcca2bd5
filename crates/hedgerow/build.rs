//! Notes which compiler built the program, for `hedgerow version`. The commit is not looked up here: a build must not
//! depend on being inside a Git work tree. Who knows it sets `HEDGEROW_BUILD_COMMIT`.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().ok();
    let version = version.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    println!("cargo::rustc-env=HEDGEROW_RUSTC={}", version.trim());
    println!("cargo::rustc-env=HEDGEROW_TARGET={}", std::env::var("TARGET").unwrap_or_default());
}
