//! The status table over the whole product of representative facts, against its rows as they are stated again here.

use super::*;
use crate::compare::ObjectState;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

const NOW: i64 = 1_000;

fn counts(state: ObjectState) -> Counts {
    let mut counts = Counts::default();
    counts.add(ObjectState::Equal, true);
    counts.add(state, true);
    counts
}

/// Every representative value of each fact.
fn product() -> Vec<Facts> {
    // What its last heartbeat's time says of its lease does not count: clocks jump.
    let syncs =
        [None, Some((true, NOW - 5)), Some((true, NOW - 9000)), Some((false, NOW - 15)), Some((false, NOW + 15))];
    let syncs = syncs.map(|sync| {
        sync.map(|(holds_lease, beat)| RunningSync {
            started_at: at(NOW - 90),
            holds_lease,
            heartbeat_at: at(beat),
            progress: (1, 2),
        })
    });
    let mut last_syncs = vec![None];
    for &state in OperationState::ALL {
        for ended in [NOW - 300, NOW - 20] {
            let code = (state == OperationState::Failed).then_some(Code::KubernetesRejected);
            last_syncs.push(Some(LastSync { state, code, message: String::new(), ended_at: at(ended) }));
        }
    }
    let mut attempts = vec![None];
    for &outcome in ComparisonOutcome::ALL {
        for ended in [NOW - 10, NOW - 250] {
            attempts.push(Some(ComparisonAttempt { outcome, code: None, message: "why".into(), at: at(ended) }));
        }
    }
    let mut broken = counts(ObjectState::Equal);
    broken.broken_documents = 1;
    let mut discarded = counts(ObjectState::Equal);
    discarded.discarded = 1;
    let mut unmanaged = counts(ObjectState::Equal);
    unmanaged.add(ObjectState::Extra, false);
    let found = [
        counts(ObjectState::Equal),
        unmanaged,
        counts(ObjectState::Undelivered),
        counts(ObjectState::Extra),
        counts(ObjectState::Unknown),
        broken,
        discarded,
    ];
    let mut comparisons = vec![None];
    for counts in found {
        for seconds in [NOW - 10, NOW - 180, NOW - 181, NOW + 181] {
            comparisons.push(Some(ComparisonFact { commit: "a".repeat(40), at: at(seconds), counts }));
        }
    }
    let mut all = Vec::new();
    for has_cluster in [false, true] {
        for sync_enabled in [false, true] {
            for running_sync in &syncs {
                for last_sync in &last_syncs {
                    for last_attempt in &attempts {
                        for last_comparison in &comparisons {
                            for current in [None, Some("a".repeat(40)), Some("b".repeat(40))] {
                                for unreadable in [None, Some(at(NOW - 5)), Some(at(NOW - 400))] {
                                    all.push(Facts {
                                        has_cluster,
                                        sync_enabled,
                                        running_sync: running_sync.clone(),
                                        last_sync: last_sync.clone(),
                                        last_attempt: last_attempt.clone(),
                                        last_comparison: last_comparison.clone(),
                                        current_commit: current.clone(),
                                        settings_changed_at: unreadable,
                                        freshness: FRESHNESS,
                                    });
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    all
}

/// The rows of the table, each stated by itself: whether it holds, without regard to the others.
fn rows(f: &Facts) -> [(SyncState, bool); 8] {
    let now = at(NOW);
    let comparison = f.last_comparison.as_ref();
    let all_equal = |c: &ComparisonFact| {
        let n = c.counts;
        [
            n.undelivered,
            n.modified,
            n.missing,
            n.conflict,
            n.unknown,
            n.unread,
            n.extra,
            n.discarded,
            n.broken_documents,
        ] == [0; 9]
    };
    let sync_failed_at = match (&f.running_sync, &f.last_sync) {
        (Some(dead), _) => Some(dead.heartbeat_at),
        (None, Some(sync)) => {
            let failed = ["failed", "partial", "timed_out", "interrupted"].contains(&sync.state.as_str());
            failed.then_some(sync.ended_at)
        }
        (None, None) => None,
    };
    let sync_failed = sync_failed_at.is_some_and(|failed| !comparison.is_some_and(|c| all_equal(c) && c.at > failed));
    let comparison_failed = f.last_attempt.as_ref().is_some_and(|a| a.outcome.as_str() != "ok");
    let unreadable = comparison.is_some_and(|c| f.settings_changed_at.is_some_and(|since| since >= c.at));
    let too_old = comparison.is_some_and(|c| (now.as_second() - c.at.as_second()).abs() > 180);
    let differs = comparison.is_some_and(|c| !all_equal(c));
    let of_current = comparison.is_some_and(|c| f.current_commit.as_ref() == Some(&c.commit));
    [
        (SyncState::NotConfigured, !f.has_cluster),
        (SyncState::Disabled, !f.sync_enabled),
        (SyncState::Syncing, f.running_sync.as_ref().is_some_and(|r| r.holds_lease)),
        (SyncState::Error, sync_failed || comparison_failed),
        (SyncState::NeverSynced, comparison.is_none()),
        (SyncState::Unknown, unreadable || too_old || (!differs && !of_current)),
        (SyncState::OutOfSync, differs),
        (SyncState::InSync, comparison.is_some_and(all_equal) && of_current),
    ]
}

#[test]
fn the_first_row_that_holds_wins_over_the_whole_product() {
    let product = product();
    let mut seen = std::collections::BTreeMap::new();
    for facts in &product {
        let status = derive(facts, at(NOW));
        let wanted = rows(facts).into_iter().find(|(_, holds)| *holds).unwrap().0;
        assert_eq!(status.state, wanted, "{facts:#?}");
        assert!(status.message.ends_with('.') || status.message == "why", "{}", status.message);
        assert_eq!(status.code.is_some(), status.state == SyncState::Error, "{status:?}");
        assert_eq!(status.failed.is_some(), status.state == SyncState::Error, "{status:?}");
        *seen.entry(status.state).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), SyncState::ALL.len(), "{seen:?}");
    assert!(product.len() > 100_000, "{}", product.len());
}

#[test]
fn time_alone_never_makes_a_status_green() {
    for facts in product().iter().step_by(7) {
        let now = derive(facts, at(NOW));
        for later in [1, 100, 200, 100_000] {
            let then = derive(facts, at(NOW + later));
            // Evidence with a time ahead of the clock may become present; it was no evidence before.
            let from_the_future = facts.last_comparison.as_ref().is_some_and(|c| c.at > at(NOW));
            if then.state == SyncState::InSync && !from_the_future {
                assert_eq!(now.state, SyncState::InSync, "{facts:#?}");
            }
        }
    }
}

fn synced() -> Facts {
    Facts {
        has_cluster: true,
        last_comparison: Some(ComparisonFact {
            commit: "4f2a9c1d".into(),
            at: at(NOW - 12),
            counts: counts(ObjectState::Equal),
        }),
        current_commit: Some("4f2a9c1d".into()),
        ..Facts::default()
    }
}

#[test]
fn sentences_name_what_happened() {
    let says = |facts: &Facts| derive(facts, at(NOW)).message;
    assert_eq!(says(&synced()), "All 2 objects of commit 4f2a9c1 are live and equal.");
    let mut facts = synced();
    facts.current_commit = Some("0000000e".into());
    assert_eq!(says(&facts), "Commit 0000000 has not been compared with the cluster yet.");
    let mut facts = synced();
    let found = &mut facts.last_comparison.as_mut().unwrap().counts;
    (found.undelivered, found.modified) = (2, 1);
    assert_eq!(says(&facts), "3 objects differ: 2 not delivered, 1 changed in the cluster.");
    facts.last_comparison.as_mut().unwrap().at = at(NOW - 600);
    assert_eq!(says(&facts), "The last successful comparison is 10 min old; evidence older than 3 min counts no more.");
    assert_eq!(says(&Facts::default()), "No cluster is configured.");
}

#[test]
fn lesson_28_an_error_ends_with_the_success_that_ends_it() {
    let mut facts = synced();
    facts.last_sync = Some(LastSync {
        state: OperationState::Failed,
        code: Some(Code::KubernetesRejected),
        message: "VPC v1 was refused: vlan 5000 is out of range.".into(),
        ended_at: at(NOW - 5),
    });
    let status = derive(&facts, at(NOW));
    assert_eq!((status.state, status.code), (SyncState::Error, Some(Code::KubernetesRejected)));
    assert_eq!(status.message, "VPC v1 was refused: vlan 5000 is out of range.");
    facts.last_comparison.as_mut().unwrap().at = at(NOW - 4);
    assert_eq!(derive(&facts, at(NOW)).state, SyncState::InSync);
    // A comparison that finds a difference does not end it.
    facts.last_comparison.as_mut().unwrap().counts = counts(ObjectState::Undelivered);
    assert_eq!(derive(&facts, at(NOW)).state, SyncState::Error);
}

#[test]
fn a_roll_up_shows_its_worst() {
    assert_eq!(SyncState::worst([SyncState::InSync, SyncState::Error, SyncState::Syncing]), Some(SyncState::Error));
    assert_eq!(SyncState::worst([SyncState::InSync, SyncState::Unknown]), Some(SyncState::Unknown));
    assert_eq!(SyncState::worst([]), None);
}

#[test]
fn the_stage_rail_says_which_stage_is_not_reached_and_why() {
    let mut facts = synced();
    let mut more = StageFacts { committed_at: Some(at(NOW - 120)), ..StageFacts::default() };
    let rail = |facts: &Facts, more: &StageFacts| {
        stages(facts, more, at(NOW)).map(|s| {
            format!("{} {} {}/{} {}{}", s.name, s.state, s.done, s.total, s.reason, if s.stale { "!" } else { "" })
        })
    };
    assert_eq!(
        rail(&facts, &more),
        [
            "saved done 2/2 ",
            "accepted done 2/2 ",
            "live done 2/2 ",
            "applied unknown 0/0 The agents of the switches have not been read yet."
        ]
    );
    more.rollout = Some(RolloutCounts {
        applied: 1,
        total: 2,
        reason: Some("leaf-04 is offline.".into()),
        blocked: true,
        at: Some(at(NOW - 3)),
    });
    facts.last_comparison.as_mut().unwrap().counts.undelivered = 1;
    more.refused = 1;
    more.refused_reason = Some("VPC v1 was refused.".into());
    assert_eq!(
        rail(&facts, &more),
        [
            "saved done 3/3 ",
            "accepted blocked 2/3 VPC v1 was refused.",
            "live blocked 2/3 1 not delivered.",
            "applied blocked 1/2 leaf-04 is offline."
        ]
    );
    facts.current_commit = Some("ffffffff".into());
    facts.last_comparison.as_mut().unwrap().at = at(NOW - 500);
    let rail = stages(&facts, &more, at(NOW));
    assert!(rail[1].stale && rail[2].stale && !rail[0].stale && !rail[3].stale);
    assert_eq!(rail[2].reason, "Commit fffffff has not been compared yet.");
    assert_eq!(rail[2].age(at(NOW)).as_deref(), Some("8 min"));
}

#[test]
fn the_stages_say_what_a_partial_comparison_knows_and_what_it_could_not_read() {
    let of = |counts: Counts| PartialComparison {
        found: ComparisonFact { commit: "4f2a9c1d".into(), at: at(NOW - 3), counts },
        reason: "The cluster does not serve the kind GatewayGroup.".into(),
    };
    let first = Facts { last_comparison: None, ..synced() };
    let partial = Some(of(Counts { equal: 3, unread: 1, ..Counts::default() }));
    let more = StageFacts { partial, ..StageFacts::default() };
    let [saved, accepted, live, _] = stages(&first, &more, at(NOW));
    assert_eq!((saved.state, saved.done, saved.total), (StageState::Done, 4, 4), "no manifest is wrong");
    for stage in [accepted, live] {
        assert_eq!((stage.state, stage.done, stage.total), (StageState::Blocked, 3, 4), "{stage:?}");
        assert_eq!(stage.at, Some(at(NOW - 3)));
        assert_eq!(stage.reason, "1 object could not be read: The cluster does not serve the kind GatewayGroup.");
    }
    // Newer than one that could read everything; and what is not delivered is said, too.
    let partial = Some(of(Counts { equal: 1, undelivered: 2, unread: 2, ..Counts::default() }));
    let [_, accepted, live, _] = stages(&synced(), &StageFacts { partial, ..StageFacts::default() }, at(NOW));
    assert!(accepted.reason.starts_with("2 objects are not delivered. 2 objects could not be read: "), "{accepted:?}");
    assert!(live.reason.starts_with("2 not delivered. 2 objects could not be read: "), "{live:?}");
    // What Git names was read and is equal, another kind was not: never plainly done.
    let partial = Some(of(Counts { equal: 3, ..Counts::default() }));
    let [_, accepted, live, _] = stages(&synced(), &StageFacts { partial, ..StageFacts::default() }, at(NOW));
    for stage in [accepted, live] {
        assert_eq!((stage.state, stage.done, stage.total), (StageState::Underway, 3, 3), "{stage:?}");
        assert!(
            stage.reason.starts_with("The newest comparison of the cluster was partial: The cluster does not"),
            "{stage:?}"
        );
    }
}

#[test]
fn the_stages_say_what_is_true_of_what_is_not_there() {
    let with = |change: fn(&mut Counts)| {
        let mut facts = synced();
        change(&mut facts.last_comparison.as_mut().unwrap().counts);
        facts
    };
    for (facts, accepted) in [
        (with(|c| c.undelivered = 1), "1 object is not delivered."),
        (with(|c| c.undelivered = 2), "2 objects are not delivered."),
        (with(|c| c.missing = 1), "1 object was deleted in the cluster."),
        (with(|c| (c.undelivered, c.missing) = (1, 2)), "1 object is not delivered, 2 were deleted in the cluster."),
        (
            with(|c| (c.conflict, c.unknown) = (2, 1)),
            "2 objects were changed on both sides, 1 has errors in its manifest.",
        ),
        (with(|c| c.modified = 1), ""),
    ] {
        let [_, stage, live, _] = stages(&facts, &StageFacts::default(), at(NOW));
        assert_eq!(stage.reason, accepted);
        assert!(!live.reason.is_empty() && live.state == StageState::Underway, "{live:?}");
    }
    let applied = |more: &StageFacts| stages(&synced(), more, at(NOW))[3].reason.clone();
    assert_eq!(applied(&StageFacts::default()), "The agents of the switches have not been read yet.");
    assert_eq!(
        applied(&StageFacts { no_agents: true, ..StageFacts::default() }),
        "The cluster has no agents of switches or gateways, so nothing says what they run."
    );
    // A commit is saved, also while the cluster cannot be reached and nothing was compared.
    let unreachable = Facts { last_comparison: None, ..synced() };
    let [saved, accepted, ..] = stages(&unreachable, &StageFacts::default(), at(NOW));
    assert_eq!((saved.state, saved.reason.as_str()), (StageState::Done, ""));
    assert_eq!((accepted.state, accepted.total), (StageState::Unknown, 0));
}
