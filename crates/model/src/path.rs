//! Paths of fields, written as kubectl and API errors write them: `spec.subnets.default.vlan`,
//! `spec.ranges[0].from`, `metadata.labels["example.com/team"]`.
