//! `hedgerow verify`: proof on the user's own path. It goes where a person goes, over HTTP as a browser does and in a
//! real browser, asks an independent oracle what really happened, and hands over evidence.

pub mod cause;
pub mod evidence;
pub mod exchange;
pub mod http;
pub mod obstacle;
pub mod page;
pub mod redact;
pub mod results;
pub mod verdict;
