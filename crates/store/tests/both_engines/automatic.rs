//! What is remembered of automatic syncs.

use crate::bed::{ask, both_engines, fabric, t};
use model::ObjectKey;
use model::operation::{Trigger, Verb};
use model::policy::Heal;
use store::*;

fn heal(name: &str, seconds: i64) -> Heal {
    Heal {
        object: ObjectKey::new("vpc.githedgehog.com", "VPC", "default", name),
        field: "spec.subnets.default.vlan".into(),
        manager: "kubectl-edit".into(),
        at: t(seconds),
    }
}

both_engines! {
    async fn a_slot_that_is_over_stays_over(bed) {
        let (lab, prod) = (fabric(&bed, "lab").await, fabric(&bed, "prod").await);
        assert_eq!(bed.automatic().settled(lab.id).await.unwrap(), None);
        bed.automatic().settle(lab.id, t(60), t(200)).await.unwrap();
        bed.automatic().settle(lab.id, t(0), t(200)).await.unwrap();
        assert_eq!(bed.automatic().settled(lab.id).await.unwrap(), Some(t(60)), "an earlier one comes too late");
        bed.automatic().settle(lab.id, t(120), t(200)).await.unwrap();
        assert_eq!(bed.another().await.automatic().settled(lab.id).await.unwrap(), Some(t(120)));
        assert_eq!(bed.automatic().settled(prod.id).await.unwrap(), None);
        // Settled by a clock that was ahead, and has been put right.
        bed.automatic().settle(lab.id, t(9000), t(9000)).await.unwrap();
        bed.automatic().settle(lab.id, t(180), t(200)).await.unwrap();
        assert_eq!(bed.automatic().settled(lab.id).await.unwrap(), Some(t(180)));
        // Deleted while its automatic sync was being settled.
        bed.fabrics().delete(&Scope::System, lab.id).await.unwrap();
        bed.automatic().settle(lab.id, t(180), t(200)).await.unwrap();
        assert_eq!(bed.automatic().settled(lab.id).await.unwrap(), None);
    }

    async fn heals_are_remembered_as_long_as_asked(bed) {
        let (lab, prod) = (fabric(&bed, "lab").await, fabric(&bed, "prod").await);
        let healing = NewOperation {
            trigger: Trigger::SelfHeal, actor: "system:self-heal".into(), ..ask(lab.id, Verb::SyncToKubernetes, "a")
        };
        let operation = bed.operations().enqueue(healing, t(0)).await.unwrap().operation;
        assert_eq!(bed.operations().last_of(lab.id, Trigger::SelfHeal).await.unwrap().map(|o| o.id), Some(operation.id));
        assert_eq!(bed.operations().last_of(lab.id, Trigger::Interval).await.unwrap(), None);
        let both = [heal("web", 10), heal("db", 10)];
        bed.automatic().note_heals(lab.id, operation.id, &both, t(0)).await.unwrap();
        bed.automatic().note_heals(lab.id, operation.id, &[heal("web", 20)], t(0)).await.unwrap();
        assert_eq!(bed.automatic().heals(lab.id, t(0)).await.unwrap(), [heal("web", 10), heal("db", 10), heal("web", 20)]);
        assert_eq!(bed.automatic().heals(lab.id, t(11)).await.unwrap(), [heal("web", 20)]);
        assert_eq!(bed.automatic().heals(prod.id, t(0)).await.unwrap(), []);
        bed.automatic().note_heals(lab.id, operation.id, &[], t(15)).await.unwrap();
        assert_eq!(bed.automatic().heals(lab.id, t(0)).await.unwrap(), [heal("web", 20)]);
        bed.fabrics().delete(&Scope::System, lab.id).await.unwrap();
        assert_eq!(bed.automatic().heals(lab.id, t(0)).await.unwrap(), []);
    }
}
