//! Adopted objects.

use crate::bed::{both_engines, fabric, t};
use model::ObjectKey;
use store::Adopted;

fn adopted(name: &str, uid: &str, at: i64) -> Adopted {
    let key = ObjectKey::new("vpc.githedgehog.com", "VPC", "default", name);
    Adopted { key, uid: uid.into(), actor: "anna".into(), at: t(at) }
}

both_engines! {
    async fn what_was_adopted_is_known_until_it_is_forgotten(bed) {
        let (lab, prod) = (fabric(&bed, "lab").await, fabric(&bed, "prod").await);
        let first = [adopted("a", "uid-1", 1), adopted("b", "uid-2", 1)];
        bed.adopted().put(lab.id, &first).await.unwrap();
        bed.adopted().put(lab.id, &[]).await.unwrap();
        assert_eq!(bed.adopted().list(lab.id).await.unwrap(), first);
        assert_eq!(bed.adopted().list(prod.id).await.unwrap(), [], "of one fabric only");

        // Another object of that name, adopted later: what counts is that one.
        let again = adopted("a", "uid-3", 5);
        bed.adopted().put(lab.id, std::slice::from_ref(&again)).await.unwrap();
        assert_eq!(bed.adopted().list(lab.id).await.unwrap(), [again.clone(), first[1].clone()]);

        bed.adopted().forget(prod.id, std::slice::from_ref(&again.key)).await.unwrap();
        bed.adopted().forget(lab.id, std::slice::from_ref(&first[1].key)).await.unwrap();
        assert_eq!(bed.adopted().list(lab.id).await.unwrap(), [again]);
    }
}
