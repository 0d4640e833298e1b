//! Whether an agent can be reached.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::history::Event;
use super::registry::Agent;

/// On loopback the kernel answers at once, or nobody does.
const PATIENCE: Duration = Duration::from_secs(1);

/// An agent as the Console shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Registered {
    /// Its definition.
    #[serde(flatten)]
    pub agent: Agent,
    /// Whether the Console could open its port just now.
    pub status: Status,
}

/// Whether an agent can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Status {
    /// Its port could be opened.
    Online,
    /// It could not.
    Offline,
}

impl Status {
    pub(super) fn event(self) -> Event {
        match self {
            Self::Online => Event::Online,
            Self::Offline => Event::Offline,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Online => "Online",
            Self::Offline => "Offline",
        }
    }
}

/// Tries all agents at once; the answer is in their order.
pub(super) async fn look(agents: Vec<Agent>) -> Vec<Registered> {
    let mut tries: JoinSet<(usize, Registered)> = agents
        .into_iter()
        .enumerate()
        .map(|(place, agent)| async move {
            let status = status(&agent).await;
            (place, Registered { agent, status })
        })
        .collect();
    let mut seen = Vec::new();
    while let Some(tried) = tries.join_next().await {
        seen.extend(tried);
    }
    seen.sort_by_key(|(place, _)| *place);
    seen.into_iter().map(|(_, registered)| registered).collect()
}

async fn status(agent: &Agent) -> Status {
    // The sandbox's network is loopback; an address elsewhere must not be tried, for it is somebody's.
    let Some(host) = agent.host.parse::<Ipv4Addr>().ok().filter(Ipv4Addr::is_loopback) else {
        return Status::Offline;
    };
    match tokio::time::timeout(PATIENCE, TcpStream::connect((host, agent.port))).await {
        Ok(Ok(_)) => Status::Online,
        Ok(Err(_)) | Err(_) => Status::Offline,
    }
}
