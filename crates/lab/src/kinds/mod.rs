//! Hedgehog's kinds in the project's own words, as CustomResourceDefinitions.
//!
//! The facts stand in `assets/kinds/*.yaml` in a compact notation; [`crds`] turns them into definitions that the lab
//! serves and that a real kube-apiserver takes as well. [`schema`] does with them what an API server does: prune,
//! fill in defaults, validate.

mod notation;
pub mod schema;

use serde_json::Value;
use std::sync::LazyLock;

const FILES: &[(&str, &str)] = &[
    ("wiring.yaml", include_str!("../../assets/kinds/wiring.yaml")),
    ("vpc.yaml", include_str!("../../assets/kinds/vpc.yaml")),
    ("gateway.yaml", include_str!("../../assets/kinds/gateway.yaml")),
    ("gwint.yaml", include_str!("../../assets/kinds/gwint.yaml")),
    ("agent.yaml", include_str!("../../assets/kinds/agent.yaml")),
    ("dhcp.yaml", include_str!("../../assets/kinds/dhcp.yaml")),
    ("fabricator.yaml", include_str!("../../assets/kinds/fabricator.yaml")),
];

static CRDS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let mut crds = Vec::new();
    for (file, text) in FILES {
        match notation::definitions(text) {
            Ok(mut found) => crds.append(&mut found),
            // The files are part of the program; the test below reads each of them.
            Err(error) => unreachable!("assets/kinds/{file}: {error}"),
        }
    }
    crds
});

/// The CustomResourceDefinitions of every kind of Hedgehog's, `apiextensions.k8s.io/v1`, structural, each with one
/// version and the status subresource.
pub fn crds() -> Vec<Value> {
    CRDS.clone()
}

/// The schema (`openAPIV3Schema`) of one of Hedgehog's kinds, by kind; `None` for other kinds.
pub fn schema_of(kind: &str) -> Option<&'static Value> {
    CRDS.iter()
        .find(|crd| crd["spec"]["names"]["kind"] == kind)
        .map(|crd| &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_known_kind_is_described() {
        let crds = crds();
        let described: BTreeSet<(&str, &str, &str)> = crds
            .iter()
            .map(|c| {
                (
                    c["spec"]["group"].as_str().unwrap(),
                    c["spec"]["names"]["kind"].as_str().unwrap(),
                    c["spec"]["names"]["plural"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(described.len(), 25);
        // Peering is of 25.05 and FabricController is unreleased; all others are of the release that the lab plays.
        let known: BTreeSet<(&str, &str, &str)> = model::kind::KNOWN
            .iter()
            .filter(|k| !matches!(k.kind, "Peering" | "FabricController"))
            .map(|k| (k.group, k.kind, k.plural))
            .collect();
        assert_eq!(described, known);
    }

    #[test]
    fn a_definition_has_all_its_parts() {
        let crds = crds();
        let switch = crds.iter().find(|c| c["metadata"]["name"] == "switches.wiring.githedgehog.com").unwrap();
        assert_eq!(switch["spec"]["names"]["shortNames"], serde_json::json!(["sw"]));
        assert_eq!(switch["spec"]["names"]["listKind"], "SwitchList");
        let version = &switch["spec"]["versions"][0];
        assert_eq!(version["subresources"], serde_json::json!({"status": {}}));
        let spec = &version["schema"]["openAPIV3Schema"]["properties"]["spec"];
        assert_eq!(spec["required"], serde_json::json!(["role"]));
        assert_eq!(spec["properties"]["role"]["enum"][1], "server-leaf");
        assert_eq!(spec["properties"]["linkFlapErrDisable"]["properties"]["flapThreshold"]["default"], 3);
        assert_eq!(spec["properties"]["portFECs"]["additionalProperties"]["enum"][3], "disabled");
        let age = version["additionalPrinterColumns"].as_array().unwrap().last().unwrap();
        assert_eq!(age["jsonPath"], ".metadata.creationTimestamp");
    }
}
