//! The frame that every page stands in: title, breadcrumbs, navigation, theme, clock, who is logged in and until when.

use crate::ending::Ending;
use crate::layers::by_itself;
use crate::url;
use crate::when;
use jiff::Timestamp;
use std::fmt;

/// The entry of the navigation that a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nav {
    /// Fabrics, and everything of one of them.
    Fabrics,
    /// The activity of all fabrics.
    Activity,
    /// What the console's own monitor found.
    Verify,
    /// What is one's own: sessions, tokens, password.
    Account,
    /// Users, groups and permissions.
    Users,
}

/// The theme that the user chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// Light.
    Light,
    /// Dark.
    Dark,
    /// As the system has it.
    #[default]
    System,
}

impl Theme {
    /// Reads the word of the form and the cookie.
    pub fn parse(word: &str) -> Self {
        match word {
            "light" => Theme::Light,
            "dark" => Theme::Dark,
            _ => Theme::System,
        }
    }

    /// The word of the form and the cookie.
    pub fn as_str(self) -> &'static str {
        match self {
            Theme::Light => "light",
            Theme::Dark => "dark",
            Theme::System => "system",
        }
    }

    /// Whether it is the one with this word.
    pub fn is(&self, word: &str) -> bool {
        self.as_str() == word
    }

    fn attribute(self) -> Markup {
        Markup(match self {
            Theme::Light => r#" data-theme="light""#,
            Theme::Dark => r#" data-theme="dark""#,
            Theme::System => "",
        })
    }
}

/// Markup of our own.
pub struct Markup(&'static str);

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl askama::filters::HtmlSafe for Markup {}

/// One step of the breadcrumbs.
#[derive(Debug, Clone)]
pub struct Crumb {
    /// Its words.
    pub label: String,
    /// Its page; none for the page itself.
    pub href: Option<String>,
}

/// Where the search field of the top bar leads.
#[derive(Debug, Clone)]
pub struct Find {
    /// The list that is filtered.
    pub action: String,
    /// The filter.
    pub field: &'static str,
    /// What the field says.
    pub label: String,
}

/// The frame of a page for somebody who is logged in.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The page's title.
    pub title: String,
    /// The page's name in the route table, for the scripts.
    pub page: &'static str,
    /// The entry of the navigation.
    pub nav: Nav,
    /// The way to this page.
    pub crumbs: Vec<Crumb>,
    /// Where the search leads.
    pub find: Find,
    /// Who is logged in.
    pub user: String,
    /// Where the user finds users, groups or permissions, if any may be seen.
    pub accounts: Option<String>,
    /// The session's CSRF token, masked.
    pub csrf: String,
    /// The theme.
    pub theme: Theme,
    /// The server's clock.
    pub now: Timestamp,
    /// The address of this page, for forms that come back to it.
    pub here: String,
    /// When the session ends.
    pub ending: Ending,
    /// The name of the provider that people log in by, when there is one.
    pub openid: Option<String>,
    /// The stream of hints for this page.
    pub events: Option<String>,
    /// When the evidence behind this page stops to count unless there is newer; the page reads itself again then.
    pub fresh_until: Option<Timestamp>,
    /// Seconds after which a page without script loads again; 0 for never.
    pub refresh_without_script: u32,
}

impl Frame {
    /// The version of this program.
    pub const fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// The address for when this page loads itself again.
    pub fn here_by_itself(&self) -> String {
        by_itself::marked(&self.here)
    }

    /// The attribute that sets the theme.
    pub fn theme_attribute(&self) -> Markup {
        self.theme.attribute()
    }

    /// The server's clock for scripts.
    pub fn now_machine(&self) -> String {
        when::machine(self.now)
    }

    /// When the evidence stops to count, for scripts; empty when that changes nothing.
    pub fn fresh_until_machine(&self) -> String {
        self.fresh_until.map(when::machine).unwrap_or_default()
    }

    /// The server's clock for people.
    pub fn clock(&self) -> String {
        self.now.strftime("%H:%M UTC").to_string()
    }

    /// The attribute of the current entry of the navigation.
    pub fn current(&self, nav: Nav) -> Markup {
        Markup(if self.nav == nav { r#" aria-current="true""# } else { "" })
    }

    /// Breadcrumbs: pages on the way, then the page itself.
    pub fn crumbs(mut self, way: Vec<(String, String)>, here: impl Into<String>) -> Self {
        self.crumbs = way.into_iter().map(|(label, href)| Crumb { label, href: Some(href) }).collect();
        self.crumbs.push(Crumb { label: here.into(), href: None });
        self
    }
}

impl Find {
    /// Finds fabrics by name.
    pub fn fabrics() -> Self {
        Self { action: url::fabrics(), field: "q", label: "Find fabrics".into() }
    }

    /// Finds objects of a fabric by name.
    pub fn objects(fabric_id: i64) -> Self {
        Self { action: url::objects(fabric_id), field: "name", label: "Find objects".into() }
    }
}

/// The frame of a page for somebody who is not logged in, or of an error.
#[derive(Debug, Clone)]
pub struct Bare {
    /// The page's title.
    pub title: String,
    /// The page's name, for the scripts.
    pub page: &'static str,
    /// The theme.
    pub theme: Theme,
    /// The server's clock.
    pub now: Timestamp,
}

impl Bare {
    /// The attribute that sets the theme.
    pub fn theme_attribute(&self) -> Markup {
        self.theme.attribute()
    }

    /// The server's clock for scripts.
    pub fn now_machine(&self) -> String {
        when::machine(self.now)
    }
}
