use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Cmd, FromRedisValue, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    from_redis_value,
};
use slight_capabilities::Result;

use crate::{
    errors,
    target::{RESPONSE, Target},
};

/// How often a command follows the cluster to another node.
const REDIRECTS: usize = 5;

/// A connection of its own for commands that wait for something to happen: on the shared one they would hold up all
/// others.
pub(crate) struct Waiting {
    origin: Target,
    /// The node that has the keys, once a cluster has told.
    node: Option<Target>,
    connection: Option<MultiplexedConnection>,
    longest: Duration,
}

impl Waiting {
    /// For commands that wait up to `longest`.
    pub(crate) fn new(origin: Target, longest: Duration) -> Self {
        Self { origin, node: None, connection: None, longest }
    }

    /// Runs a command. Where this is dropped before it ends, the connection goes with it, and the command with that.
    pub(crate) async fn run<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T> {
        let mut redirects = 0;
        loop {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            match connection.req_packed_command(command).await.and_then(Value::extract_error) {
                Ok(answer) => {
                    self.connection = Some(connection);
                    return from_redis_value(answer).map_err(|_| errors::odd());
                }
                Err(error) => match error.redirect_node().and_then(|(node, _)| self.origin.at(node)) {
                    Some(node) if redirects < REDIRECTS => {
                        self.node = Some(node);
                        redirects += 1;
                    }
                    _ => return Err(errors::error(error, true)),
                },
            }
        }
    }

    async fn connect(&mut self) -> Result<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(self.longest + RESPONSE));
        // A node that cannot be reached may be one no more: the next attempt asks the first again.
        let target = self.node.take().unwrap_or_else(|| self.origin.clone());
        let connection = target.connect(config).await.map_err(|error| target.not_connected(error))?;
        self.node = Some(target);
        Ok(connection)
    }
}
