//! For tests only: starts real things as real processes, and drives them as a user would.
//!
//! | fixture | what it is |
//! |---|---|
//! | [`ControlPlane`] | etcd and kube-apiserver, with RBAC, users and kubectl |
//! | [`GitServer`] | `git http-backend` over HTTP, `sshd` over SSH |
//! | [`Postgres`] | a PostgreSQL server, a database a test |
//! | [`HeldDatabase`] | an SQLite file that another program writes to |
//! | [`ChaosProxy`] | a TCP proxy that delays, swallows, cuts and resets |
//! | [`ApiFront`] | a door in front of the API server that fails single requests |
//! | [`Gate`] | holds requests in such a door, or in the Git server, until the test has done something |
//! | [`Hedgehog`] | the fabric controller, its webhooks and the agents, played beside the API server |
//! | [`Console`] | the built `hedgerow` |
//! | [`OpenidProvider`] | a certified OpenID Connect provider, with people and faults |
//! | [`NetboxStandIn`] | the predecessor, played by us with its defects; no NetBox |
//! | [`Browser`] | headless Chromium behind chromedriver |
//! | [`HttpUser`] | a person without a browser: forms, cookies, redirects by hand |
//!
//! Each binds ports of its own on 127.0.0.1, keeps its files in a folder of its own, and leaves nothing behind: see
//! [`Process`]. What is missing on the machine is an error that names it, never a skipped test; `cargo xtask setup
//! --for tests` installs it. Nothing here is shared with the code under test.

mod accessibility;
mod api_front;
mod browser;
mod chaos;
mod closed;
mod console;
mod control_plane;
mod eventually;
mod flux;
mod gate;
mod git_server;
mod hedgehog;
pub mod kubeconfig;
mod machine;
mod netbox_stand_in;
mod openid_provider;
mod postgres;
mod process;
mod sqlite;
pub mod tls;
mod tls_server;

pub use accessibility::Violation;
pub use api_front::{ApiCall, ApiFront, Rule};
pub use browser::{Browser, BrowserOptions, ConsoleLine, PageRequest};
pub use chaos::{Chaos, ChaosProxy};
pub use closed::{ClosedFolder, Entry, belongings, nobodys_number};
pub use console::{Console, ConsoleOptions, Started, built_program, hedgerow, hedgerow_within, sources_of};
pub use control_plane::{
    Access, Answer, Change, ControlPlane, KubeClient, Lease, RunningKubectl, Snapshot, TokenUser, kubectl, read_crds,
};
pub use eventually::eventually;
pub use flux::FluxApply;
pub use gate::Gate;
pub use git_server::{GitMode, GitServer, PushHeld};
pub use hedgehog::{AGENT_SECRET, AgentMode, Hedgehog};
pub use machine::{geckodriver, shared_folder, workspace};
pub use netbox_stand_in::{NetboxStandIn, StandInFabric, StandInOptions, StandInStatus, StandInUser};
pub use openid_provider::OpenidProvider;
pub use postgres::{HeldTable, Postgres};
pub use process::{Folder, Process};
pub use sqlite::{HeldDatabase, sqlite};
pub use verify::http::{Cookie, HttpUser};
pub use verify::page::{Form, Page};
