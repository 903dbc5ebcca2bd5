//! The titles of the nine failure points, as `docs/concepts/failure-points.md` has them. A test compares the two.

/// Where things go wrong between a press on a button and the switch, 1 to 9.
pub const FAILURE_POINTS: [&str; 9] = [
    "the page's script fails, or is switched off",
    "the request is lost on its way",
    "the session has ended",
    "the token of the form is missing, stale or of another site",
    "nobody is logged in, or the API token is not good",
    "the permission is missing",
    "the cluster cannot be reached, or is another one",
    "something else runs, or its process died",
    "Kubernetes refuses or breaks off in the middle",
];

/// A failure point with its title.
pub fn title(point: u8) -> Option<&'static str> {
    FAILURE_POINTS.get(usize::from(point).checked_sub(1)?).copied()
}
