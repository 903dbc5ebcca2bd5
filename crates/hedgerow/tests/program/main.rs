//! Tests of the built program, as a user or a script calls it: arguments in, output, files and exit code out. The pages
//! it serves are tested elsewhere; here it is started, asked for one page, and stopped.

mod command_line;
mod lab;
mod running;
mod serving;
mod settings;
mod users;
