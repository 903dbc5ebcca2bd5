//! Figures to look at, not verdicts: `cargo test -p store --test both_engines speed -- --ignored --nocapture`.

use crate::bed::{both_engines, fabric};
use crate::comparisons::comparison;
use crate::objects::row;
use model::compare::ObjectState;
use std::sync::Arc;
use std::time::Instant;
use store::objects::{ObjectFilter, ObjectSort};
use store::*;

fn big(i: usize) -> ObjectRow {
    let mut row = row(i);
    let body = Arc::new(serde_json::json!({"spec": {"text": "x".repeat(600), "vlan": i}}));
    (row.desired, row.live) = (Some(body.clone()), Some(body.clone()));
    row.base = BaseChange::Set(body);
    if i.is_multiple_of(50) {
        row.state = ObjectState::Modified;
    }
    row
}

both_engines! {
    #[ignore = "prints figures"]
    async fn speed(bed) {
        let lab = fabric(&bed, "lab").await;
        let engine = bed.engine();
        let delta = |range: std::ops::Range<usize>| ObjectDelta {
            upserts: range.map(big).collect(), ..ObjectDelta::default()
        };
        let new = comparison(lab.id, 0, ComparisonResult::Ok);
        let (first, again) = (delta(0..10_000), delta(0..10_000));
        let start = Instant::now();
        bed.comparisons().save(&new, &first).await.unwrap();
        println!("{engine}: first save of 10,000: {:?}", start.elapsed());
        let start = Instant::now();
        bed.comparisons().save(&new, &again).await.unwrap();
        println!("{engine}: second save of 10,000: {:?}", start.elapsed());
        let start = Instant::now();
        bed.comparisons().save(&new, &ObjectDelta::default()).await.unwrap();
        println!("{engine}: save of nothing: {:?}", start.elapsed());
        let start = Instant::now();
        let brief = bed.objects().all_brief(lab.id).await.unwrap();
        println!("{engine}: {} digests: {:?}", brief.len(), start.elapsed());
        let start = Instant::now();
        let bases = bed.objects().bases(lab.id).await.unwrap();
        println!("{engine}: {} bases: {:?}", bases.len(), start.elapsed());
        for chunk in 1..10 {
            bed.comparisons().save(&new, &delta(chunk * 10_000..(chunk + 1) * 10_000)).await.unwrap();
        }
        if engine == Engine::Postgres {
            // What autovacuum does within a minute. The test's server commits lazily: VACUUM leaves out what is not
            // on the disk yet.
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            bed.meddle("VACUUM ANALYZE objects").await;
        }
        let any = ObjectFilter::default;
        for (what, filter, page) in [
            ("first page", any(), Page::default()),
            ("last page", any(), Page::new(50, 99_950)),
            ("by name", ObjectFilter { sort: ObjectSort::Name, ..any() }, Page::default()),
            ("by state, last", ObjectFilter { sort: ObjectSort::State, ..any() }, Page::new(50, 99_950)),
            ("one kind, page 100", ObjectFilter { kind: Some("VPC".into()), ..any() }, Page::new(50, 5000)),
            ("modified", ObjectFilter { states: vec![ObjectState::Modified], ..any() }, Page::default()),
            ("name contains", ObjectFilter { name: Some("0777".into()), ..any() }, Page::default()),
        ] {
            let mut times: Vec<_> = Vec::new();
            for _ in 0..20 {
                let start = Instant::now();
                bed.objects().list(lab.id, &filter, page).await.unwrap();
                times.push(start.elapsed());
            }
            times.sort();
            println!("{engine}: 100,000 objects, {what}: median {:?}, worst {:?}", times[10], times[19]);
        }
        let start = Instant::now();
        bed.objects().counts(lab.id).await.unwrap();
        println!("{engine}: 100,000 objects, counts: {:?}", start.elapsed());
    }
}
