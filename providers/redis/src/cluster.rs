use std::time::Duration;

use parking_lot::Mutex;
use redis::{
    Cmd, ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value,
    aio::ConnectionLike,
    cluster_async::ClusterConnection,
    cluster_routing::{RoutingInfo, SingleNodeRoutingInfo},
    cmd, from_redis_value, pipe,
};
use tokio::time::{Instant, sleep};

use crate::target::{RESPONSE, Target};

/// How long to wait before asking again a cluster that is being changed.
const PAUSE: Duration = Duration::from_millis(50);

/// The connections to the nodes of a cluster.
///
/// The client library follows the nodes as they change, but sends nothing twice: it would also repeat what may have
/// arrived. What a node has refused without doing anything is repeated here.
pub(crate) struct Cluster {
    target: Target,
    connection: Mutex<Option<ClusterConnection>>,
}

/// A primary: its identity, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Node {
    pub(crate) id: String,
    host: String,
    port: u16,
}

impl Cluster {
    pub(crate) fn new(target: Target) -> Self {
        Self { target, connection: Mutex::default() }
    }

    /// The connections, after making them if need be. They reconnect by themselves.
    pub(crate) async fn connection(&self) -> RedisResult<ClusterConnection> {
        if let Some(connection) = &*self.connection.lock() {
            return Ok(connection.clone());
        }
        // Two at a time may both connect; one is kept.
        let connection = self.target.cluster()?.get_async_connection().await?;
        Ok(self.connection.lock().get_or_insert(connection).clone())
    }

    /// Sends a command to where its keys are.
    pub(crate) async fn send(&self, mut connection: ClusterConnection, command: &Cmd) -> RedisResult<Value> {
        let deadline = Instant::now() + RESPONSE;
        loop {
            let result = connection.req_packed_command(command).await.and_then(Value::extract_error);
            let Err(error) = result else { return result };
            if !was_refused_for_now(&error) || Instant::now() >= deadline {
                return Err(error);
            }
            if error.kind() == ErrorKind::Server(ServerErrorKind::Ask)
                && let Some(answer) = self.ask(&mut connection, command, &error).await
            {
                return answer;
            }
            sleep(PAUSE).await;
        }
    }

    /// Sends a command to the node that its slot is being moved to. `None` when that is not known yet.
    async fn ask(
        &self,
        connection: &mut ClusterConnection,
        command: &Cmd,
        error: &RedisError,
    ) -> Option<RedisResult<Value>> {
        let (address, _) = error.redirect_node()?;
        let (host, port) = address.rsplit_once(':')?;
        let route = SingleNodeRoutingInfo::ByAddress { host: self.target.host_or_own(host), port: port.parse().ok()? };
        let mut asking = pipe();
        asking.cmd("ASKING").add_command(command.clone());
        match connection.route_pipeline(asking, 0, 2, route).await {
            Ok(mut answers) => answers.pop().map(Value::extract_error),
            Err(error) if was_refused_for_now(&error) => None,
            Err(error) if error.kind() == ErrorKind::ClusterConnectionNotFound => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// The primaries that have slots, in an order that stays while they do.
    pub(crate) async fn primaries(&self, mut connection: ClusterConnection) -> RedisResult<Vec<Node>> {
        let mut slots = cmd("CLUSTER");
        slots.arg("SLOTS");
        let answer = connection.route_command(slots, RoutingInfo::SingleNode(SingleNodeRoutingInfo::RandomPrimary));
        let ranges: Vec<Vec<Value>> = from_redis_value(answer.await?)?;
        let mut nodes = Vec::with_capacity(ranges.len());
        for range in ranges {
            // First slot, last slot, the primary, its replicas.
            let Some(primary) = range.into_iter().nth(2) else { continue };
            let primary: Vec<Value> = from_redis_value(primary)?;
            let mut parts = primary.into_iter();
            let (Some(host), Some(port), Some(id)) = (parts.next(), parts.next(), parts.next()) else { continue };
            let host: Option<String> = from_redis_value(host)?;
            let host = self.target.host_or_own(host.as_deref().unwrap_or_default());
            nodes.push(Node { id: from_redis_value(id)?, host, port: from_redis_value(port)? });
        }
        nodes.sort_unstable();
        nodes.dedup();
        Ok(nodes)
    }

    /// Sends commands to one node, whatever their keys.
    pub(crate) async fn send_to(
        &self,
        mut connection: ClusterConnection,
        node: &Node,
        commands: &Pipeline,
    ) -> RedisResult<Vec<Value>> {
        let route = SingleNodeRoutingInfo::ByAddress { host: node.host.clone(), port: node.port };
        connection.route_pipeline(commands.clone(), 0, commands.len(), route).await
    }
}

/// True where the node has certainly done nothing, and the cluster will soon do better.
fn was_refused_for_now(error: &RedisError) -> bool {
    error.is_cluster_error() || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}
