//! Journeys: what a user does, from the login form to the cluster, against the built binary, a real kube-apiserver and
//! a real Git server. A file's name says the seam that it goes through: `http_` a browser without script, `browser_`
//! Chromium, `both_engines_` the console on SQLite and on PostgreSQL, `db_` a database that two consoles share, `kube_` a
//! cluster, often with Hedgehog's webhooks, controller and agents played beside it. The lessons of
//! `docs/concepts/lessons.md` carry their number in the test's name.

#[path = "apart.rs"]
mod apart;
#[path = "crawl.rs"]
mod crawl;
#[path = "proof.rs"]
mod proof;
#[path = "site.rs"]
mod site;
#[path = "world.rs"]
mod world;

mod both_engines_kill;
mod both_engines_outages;
mod browser_account_pages;
mod browser_accounts;
mod browser_adopt;
mod browser_confirmation;
mod browser_drift;
mod browser_ending;
mod browser_live;
mod browser_main_job;
mod browser_openid;
mod browser_pages;
mod browser_presses;
mod browser_review;
mod browser_sessions;
mod browser_tab;
mod browser_tabs;
mod browser_tokens;
mod browser_verify;
mod db_two_processes;
mod http_activity;
mod http_backup;
mod http_bounds;
mod http_client_certificate;
mod http_cluster_lessons;
mod http_command_line;
mod http_deploy;
mod http_endings;
mod http_every_kind;
mod http_fabric_lessons;
mod http_header_login;
mod http_key_rotation;
mod http_logs;
mod http_main_job;
mod http_many_fabrics;
mod http_metrics;
mod http_openid;
mod http_page_lessons;
mod http_pages_without_git;
mod http_permissions;
mod http_planted_secrets;
mod http_predecessor;
mod http_presses;
mod http_readiness;
mod http_schedule;
mod http_session_lessons;
mod http_shipped;
mod http_silent_clusters;
mod http_source_lessons;
mod http_status_lessons;
mod http_tokens;
mod http_verify;
mod http_verify_monitor;
mod http_verify_refused;
mod kube_adopt;
mod kube_adopt_ends;
mod kube_adopt_refused;
mod kube_known;
mod kube_lessons;
mod kube_prune;
mod kube_recorded;
mod kube_retries;
mod kube_rollout;
mod kube_self_heal;
mod kube_sync_options;
mod kube_true_words;
mod kube_unhydrated;
mod kube_watch;
mod kube_webhooks;
