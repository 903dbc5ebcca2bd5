//! `hedgerow verify`: proof on the user's own path. It goes where a person goes, over HTTP as a browser does and in a
//! real browser, asks an independent oracle what really happened, and hands over evidence.

pub mod answer;
mod beside;
pub mod cause;
mod command;
mod discrepancy;
pub mod drivers;
mod effect;
pub mod evidence;
pub mod exchange;
pub mod fabrics;
pub mod http;
pub mod journeys;
mod leaks;
pub mod monitor;
mod naming;
pub mod obstacle;
pub mod oracle;
pub mod page;
pub mod profile;
pub mod recorder;
mod records;
pub mod redact;
pub mod results;
pub mod run;
pub mod scene;
pub mod selftest;
mod sessions;
pub mod site;
pub mod stop;
mod trust;
pub mod verdict;
pub mod visitor;
