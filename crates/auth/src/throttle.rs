//! Slowing down who guesses passwords: a sliding window of failures per account and per address, in memory.
//!
//! A try counts as a failure from its beginning, so that many at once are not one; a success takes it back. Unknown
//! accounts are counted like known ones. The limit of an account is generous, because anybody can use it up for
//! somebody else; that of an address is what stops a guesser.

use crate::clock::{between, plus};
use jiff::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many failures in such a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Failures that are let through.
    pub failures: usize,
    /// For how long one counts.
    pub duration: Duration,
}

/// The limits of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThrottleLimits {
    /// Per account.
    pub account: Window,
    /// Per address; IPv6 by its /64.
    pub address: Window,
}

impl Default for ThrottleLimits {
    fn default() -> Self {
        Self {
            account: Window { failures: 10, duration: Duration::from_secs(300) },
            address: Window { failures: 20, duration: Duration::from_secs(300) },
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Account(String),
    Address(String),
}

/// How many accounts and addresses are remembered. Beyond it those whose last failure is oldest are forgotten: the
/// memory of an attacked server does not grow.
const REMEMBERED: usize = 20_000;

/// Counts failures.
#[derive(Debug, Default)]
pub struct Throttle {
    limits: ThrottleLimits,
    failures: Mutex<HashMap<Key, VecDeque<Timestamp>>>,
}

/// A try that was let in, and counts as a failure unless it is taken back.
#[derive(Debug)]
#[must_use = "a try that is not ended by succeeded() stays a failure"]
pub(crate) struct Try {
    keys: [Key; 2],
    at: Timestamp,
}

impl Throttle {
    /// With these limits.
    pub fn new(limits: ThrottleLimits) -> Self {
        Self { limits, failures: Mutex::default() }
    }

    /// How long an address has to wait, if too much failed from it. Counts nothing.
    pub(crate) fn wait_of_address(&self, address: &str, now: Timestamp) -> Option<Duration> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = self.wait(&mut failures, &Key::Address(network(address)), now);
        (wait > Duration::ZERO).then_some(wait)
    }

    /// Counts a failure from an address.
    pub(crate) fn failed_from_address(&self, address: &str, now: Timestamp) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= REMEMBERED {
            self.forget(&mut failures, now);
        }
        failures.entry(Key::Address(network(address))).or_default().push_back(now);
    }

    /// How long this account or address has to wait.
    fn wait(&self, failures: &mut HashMap<Key, VecDeque<Timestamp>>, key: &Key, now: Timestamp) -> Duration {
        let window = self.window(key);
        let Some(times) = failures.get_mut(key) else { return Duration::ZERO };
        while times.front().is_some_and(|&t| plus(t, window.duration) <= now) {
            times.pop_front();
        }
        match times.len().checked_sub(window.failures).and_then(|over| times.get(over)) {
            Some(&oldest) => between(now, plus(oldest, window.duration)),
            None => Duration::ZERO,
        }
    }

    /// Lets a try in, or says after how long the next one will be.
    pub(crate) fn admit(&self, account: &str, address: &str, now: Timestamp) -> Result<Try, Duration> {
        let keys = [Key::Account(account.to_lowercase()), Key::Address(network(address))];
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = keys.iter().map(|key| self.wait(&mut failures, key, now)).max().unwrap_or_default();
        if wait > Duration::ZERO {
            return Err(wait);
        }
        if failures.len() >= REMEMBERED {
            self.forget(&mut failures, now);
        }
        for key in &keys {
            failures.entry(key.clone()).or_default().push_back(now);
        }
        Ok(Try { keys, at: now })
    }

    /// The try was a success: it does not count, and the account's failures are forgotten. Those of the address stay:
    /// whoever owns one account may not use it to guess the others' without end.
    pub(crate) fn succeeded(&self, one: Try) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let [account, address] = one.keys;
        failures.remove(&account);
        take_back(&mut failures, &address, one.at);
    }

    /// The try never came to a comparison: it does not count.
    pub(crate) fn undone(&self, one: Try) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &one.keys {
            take_back(&mut failures, key, one.at);
        }
    }

    fn window(&self, key: &Key) -> Window {
        match key {
            Key::Account(_) => self.limits.account,
            Key::Address(_) => self.limits.address,
        }
    }

    fn forget(&self, failures: &mut HashMap<Key, VecDeque<Timestamp>>, now: Timestamp) {
        failures.retain(|key, times| times.back().is_some_and(|&last| plus(last, self.window(key).duration) > now));
        if failures.len() < REMEMBERED {
            return;
        }
        // A tenth at once, so that this is not done at every try.
        let mut ages: Vec<(Timestamp, Key)> =
            failures.iter().filter_map(|(key, times)| Some((*times.back()?, key.clone()))).collect();
        ages.select_nth_unstable_by_key(REMEMBERED / 10, |(last, _)| *last);
        for (_, key) in ages.drain(..REMEMBERED / 10) {
            failures.remove(&key);
        }
    }
}

fn take_back(failures: &mut HashMap<Key, VecDeque<Timestamp>>, key: &Key, at: Timestamp) {
    if let Some(times) = failures.get_mut(key) {
        if let Some(i) = times.iter().rposition(|&t| t == at) {
            times.remove(i);
        }
        if times.is_empty() {
            failures.remove(key);
        }
    }
}

/// An IPv6 host has 2^64 addresses; the network is what counts.
fn network(address: &str) -> String {
    match address.parse::<IpAddr>().map(|a| a.to_canonical()) {
        Ok(IpAddr::V6(v6)) => {
            let s = v6.segments();
            format!("{:x}:{:x}:{:x}:{:x}::/64", s[0], s[1], s[2], s[3])
        }
        Ok(v4) => v4.to_string(),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::constant(1_780_000_000, 0);

    fn after(seconds: u64) -> Timestamp {
        plus(START, Duration::from_secs(seconds))
    }

    fn throttle(account: usize, address: usize) -> Throttle {
        let duration = Duration::from_secs(60);
        Throttle::new(ThrottleLimits {
            account: Window { failures: account, duration },
            address: Window { failures: address, duration },
        })
    }

    #[test]
    fn an_account_is_limited_over_all_addresses_until_a_failure_leaves_the_window() {
        let throttle = throttle(3, 100);
        for i in 0..3 {
            let _ = throttle.admit("anna", &format!("10.0.0.{i}"), after(i)).unwrap();
        }
        assert_eq!(throttle.admit("ANNA", "10.0.0.9", after(10)).unwrap_err(), Duration::from_secs(50));
        assert!(throttle.admit("bert", "10.0.0.9", after(10)).is_ok());
        assert!(throttle.admit("anna", "10.0.0.9", after(60)).is_ok());
    }

    #[test]
    fn an_address_is_limited_over_all_accounts() {
        let throttle = throttle(100, 2);
        let _ = throttle.admit("a", "2001:db8::1", after(0)).unwrap();
        let _ = throttle.admit("b", "2001:db8::2", after(0)).unwrap();
        assert!(throttle.admit("c", "2001:db8::3", after(1)).is_err(), "one /64 is one address");
        assert!(throttle.admit("c", "2001:db8:0:1::3", after(1)).is_ok());
    }

    #[test]
    fn tries_at_once_count_each() {
        let throttle = throttle(2, 100);
        let (one, two) = (throttle.admit("a", "x", START).unwrap(), throttle.admit("a", "x", START).unwrap());
        assert!(throttle.admit("a", "x", START).is_err(), "two are under way");
        throttle.undone(one);
        throttle.undone(two);
        assert!(throttle.admit("a", "x", START).is_ok());
    }

    #[test]
    fn a_success_clears_the_account_but_not_the_address() {
        let throttle = throttle(3, 3);
        for account in ["victim", "victim"] {
            let _ = throttle.admit(account, "x", START).unwrap();
        }
        let own = throttle.admit("own", "x", START).unwrap();
        throttle.succeeded(own);
        let _ = throttle.admit("victim", "x", after(1)).unwrap();
        assert!(throttle.admit("own", "x", after(1)).is_err(), "three failures from this address");
    }

    #[test]
    fn a_success_forgets_the_failures_of_its_account() {
        let throttle = throttle(2, 100);
        let _ = throttle.admit("anna", "x", START).unwrap();
        let own = throttle.admit("anna", "y", START).unwrap();
        throttle.succeeded(own);
        let _ = throttle.admit("anna", "x", after(1)).unwrap();
        assert!(throttle.admit("anna", "x", after(1)).is_ok(), "the failure before the success does not count");
    }

    #[test]
    fn memory_is_bounded_and_the_newest_are_remembered() {
        let throttle = throttle(1, 5);
        for i in 0..(REMEMBERED as u64) {
            let at = plus(START, Duration::from_micros(i));
            let _ = throttle.admit(&format!("user{i}"), &format!("host{i}"), at).unwrap();
        }
        assert!(throttle.failures.lock().unwrap().len() <= REMEMBERED + 2);
        assert!(throttle.admit(&format!("user{}", REMEMBERED - 1), "x", after(1)).is_err(), "still counted");
    }
}
