//! One file a page: its routes on top, then its handlers, then what its template shows.

pub mod account_password;
pub mod account_sessions;
pub mod accounts;
pub mod adopt;
pub mod changes;
pub mod dashboard;
pub mod docs;
pub mod error;
pub mod events;
pub mod fabric;
pub mod fabric_delete;
pub mod fabric_form;
pub mod kept;
pub mod login;
pub mod object;
pub mod objects;
pub mod openid;
pub mod operation;
pub mod operations;
pub mod plain;
pub mod review;
pub mod session;
pub mod suspend;
pub mod timeline;
pub mod tokens;
pub mod verbs;
