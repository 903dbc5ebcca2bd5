//! `console.log`: every line that the pages wrote to the browser's console, with the step that it belongs to.

use super::words::{moment, plain};
use crate::results::Run;
use std::fmt::Write as _;

/// The file.
pub fn file(run: &Run) -> String {
    let mut text = format!("# Lines of the browser's console in the run {}, by step\n", plain(&run.id));
    let mut lines = 0;
    for step in &run.steps {
        for line in &step.console {
            let message = plain(&line.text).replace('\n', "\n    ");
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{} step {} {} {message}", moment(step.started), step.number, plain(&line.level));
            lines += 1;
        }
    }
    if lines == 0 {
        text.push_str(match run.conditions.drivers.iter().any(|driver| driver != "http") {
            true => "# No page wrote a line.\n",
            false => "# No browser took part: the driver http has no console.\n",
        });
    }
    text
}
