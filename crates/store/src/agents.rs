//! What the agents of switches and gateways report: an allow-list of their fields, never a whole Agent, because those
//! carry password hashes. Written together with a comparison.

use crate::row::{Columns, to_json};
use crate::sql::{Sql, args};
use crate::statements::comparisons as st;
use crate::{Result, Store};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use std::collections::HashSet;

/// What one agent reports.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentRow {
    /// `Agent` or `GatewayAgent`.
    pub kind: String,
    /// Name of the switch or gateway.
    pub name: String,
    /// The allowed fields, as the engine understands them.
    pub summary: Value,
    /// When it was read.
    pub observed_at: Timestamp,
}

/// The functions on agents; from [`Store::agents`].
#[derive(Debug, Clone, Copy)]
pub struct Agents<'a>(&'a Store);

impl<'a> Agents<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// The agents of a fabric, by kind and name.
    pub async fn list(&self, fabric_id: i64) -> Result<Vec<AgentRow>> {
        let mut conn = self.0.reader(st::AGENT_LIST.doing).await?;
        st::AGENT_LIST.all(&mut conn, args![fabric_id]).await?.iter().map(agent).collect()
    }

    /// Replaces what is known of a fabric's agents, outside of a comparison.
    pub async fn replace(&self, fabric_id: i64, agents: &[AgentRow]) -> Result<()> {
        let mut tx = self.0.writer(st::PUT_AGENTS).await?;
        replace(&mut tx, fabric_id, agents).await?;
        crate::commit(tx, st::PUT_AGENTS).await
    }
}

fn agent(row: &AnyRow) -> Result<AgentRow> {
    Ok(AgentRow {
        kind: row.text("kind")?,
        name: row.text("name")?,
        summary: row.json("summary")?,
        observed_at: row.time("observed_at")?,
    })
}

/// Stores these agents and forgets all others of the fabric.
pub(crate) async fn replace(conn: &mut AnyConnection, fabric_id: i64, agents: &[AgentRow]) -> Result<()> {
    let given: HashSet<(&str, &str)> = agents.iter().map(|a| (a.kind.as_str(), a.name.as_str())).collect();
    for row in st::AGENT_NAMES.all(conn, args![fabric_id]).await? {
        let (kind, name) = (row.text("kind")?, row.text("name")?);
        if !given.contains(&(kind.as_str(), name.as_str())) {
            st::AGENT_DELETE.run(conn, args![fabric_id, kind, name]).await?;
        }
    }
    for chunk in agents.chunks(500) {
        let mut sql = Sql::bulk(conn, st::PUT_AGENTS, st::AGENT_INSERT);
        sql.rows(chunk, |a| Ok(args![fabric_id, &a.kind, &a.name, to_json("summary", &a.summary)?, a.observed_at]))?;
        sql.push(st::AGENT_UPSERT).once();
        sql.run(conn).await?;
    }
    Ok(())
}
