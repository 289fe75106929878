use std::sync::Arc;

use redis::{
    Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, ServerErrorKind, Value, aio::ConnectionLike,
    from_redis_value,
};
use slight_capabilities::{Connect, Error, Result};

use crate::{
    cluster::{Cluster, Node},
    connection::Reconnecting,
    errors,
    script::{Call, Script},
    settings::Settings,
    target::Target,
};

/// What a provider talks to: one server, or a cluster.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) target: Arc<Target>,
    backend: Backend,
}

#[derive(Clone)]
enum Backend {
    Single(Arc<Reconnecting>),
    Cluster(Arc<Cluster>),
}

/// What may be done about a command whose answer was lost with the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It is sent once more: twice is as good as once.
    SendAgain,
    /// The caller is told that the outcome is unknown.
    Report,
}

impl Link {
    pub(crate) async fn open(settings: &Settings) -> Result<Self> {
        let target = Target::new(settings)?;
        let backend = match settings.cluster {
            true => Backend::Cluster(Arc::new(Cluster::new(target.clone()))),
            false => Backend::Single(Reconnecting::new(target.clone())),
        };
        let link = Self { target: Arc::new(target), backend };
        if settings.connect == Connect::Eager {
            link.ping().await?;
        }
        Ok(link)
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.backend, Backend::Cluster(_))
    }

    /// Asks whether the server answers, and in the same round trip whether it is as the settings say: a node of a cluster
    /// answers here as any server does, and sends all who ask for keys elsewhere.
    pub(crate) async fn ping(&self) -> Result<()> {
        if self.is_cluster() {
            return self.run(&redis::cmd("PING"), Lost::SendAgain).await;
        }
        let mut commands = redis::pipe();
        commands.cmd("PING").cmd("INFO").arg("cluster");
        let mut answers = self.read_at(None, &commands).await?.into_iter().map(Value::extract_error);
        answers.next().transpose().map_err(|error| errors::error(error, true))?;
        // Who may not ask, or has no answer, is not kept from going on.
        let about: String = answers.next().and_then(|answer| from_redis_value(answer.ok()?).ok()).unwrap_or_default();
        match about.contains("cluster_enabled:1") {
            true => Err(errors::part_of_a_cluster(&self.target.address())),
            false => Ok(()),
        }
    }

    /// Runs a command.
    pub(crate) async fn run<T: FromRedisValue>(&self, command: &Cmd, lost: Lost) -> Result<T> {
        let answer = self.answer(command, lost).await?;
        answer.map_err(|error| errors::error(error, lost == Lost::SendAgain))
    }

    /// Runs a script.
    pub(crate) async fn script<T: FromRedisValue>(&self, script: &Script, call: Call<'_>, lost: Lost) -> Result<T> {
        let answer = self.script_answer(script, call, lost).await?;
        answer.map_err(|error| errors::error(error, lost == Lost::SendAgain))
    }

    /// What the server said to a script, as it is.
    pub(crate) async fn script_answer<T: FromRedisValue>(
        &self,
        script: &Script,
        call: Call<'_>,
        lost: Lost,
    ) -> Result<RedisResult<T>> {
        let answer = self.answer_of_one(script, &call, lost).await?;
        let is_full = answer.as_ref().is_err_and(|error| error.code() == Some("OOM"));
        match script.when_full().filter(|_| is_full) {
            // Where it does not run either, that it is full is what counts.
            Some(script) => Ok(self.answer_of_one(script, &call, lost).await?.or(answer)),
            None => Ok(answer),
        }
    }

    async fn answer_of_one<T: FromRedisValue>(
        &self,
        script: &Script,
        call: &Call<'_>,
        lost: Lost,
    ) -> Result<RedisResult<T>> {
        let answer = self.answer(&script.by_digest(call), lost).await?;
        let is_unknown = |error: &RedisError| error.kind() == ErrorKind::Server(ServerErrorKind::NoScript);
        if answer.as_ref().is_err_and(is_unknown) { self.answer(&script.by_text(call), lost).await } else { Ok(answer) }
    }

    /// What the server said to a command, as it is; failures to reach it are ours already.
    pub(crate) async fn answer<T: FromRedisValue>(&self, command: &Cmd, lost: Lost) -> Result<RedisResult<T>> {
        let mut result = self.send(command).await?;
        if lost == Lost::SendAgain && result.as_ref().is_err_and(RedisError::is_connection_dropped) {
            result = self.send(command).await?;
        }
        Ok(result.and_then(|value| Ok(from_redis_value(value)?)))
    }

    async fn send(&self, command: &Cmd) -> Result<RedisResult<Value>> {
        match &self.backend {
            Backend::Single(connection) => {
                let mut connected = connection.get().await.map_err(|error| self.not_connected(error))?;
                let result = connected.connection.req_packed_command(command).await.and_then(Value::extract_error);
                Ok(result.inspect_err(|error| connected.note(error)))
            }
            Backend::Cluster(cluster) => {
                let connection = cluster.connection().await.map_err(|error| self.not_connected(error))?;
                Ok(cluster.send(connection, command).await)
            }
        }
    }

    /// The nodes that keys are on; one without a name where there is only one.
    pub(crate) async fn primaries(&self) -> Result<Vec<Option<Node>>> {
        let Backend::Cluster(cluster) = &self.backend else { return Ok(vec![None]) };
        let connection = cluster.connection().await.map_err(|error| self.not_connected(error))?;
        let nodes = cluster.primaries(connection).await.map_err(|error| errors::error(error, true))?;
        Ok(nodes.into_iter().map(Some).collect())
    }

    /// Runs commands that only read on one node, in one round trip.
    pub(crate) async fn read_at(&self, node: Option<&Node>, commands: &Pipeline) -> Result<Vec<Value>> {
        let mut result = self.send_to(node, commands).await?;
        if result.as_ref().is_err_and(RedisError::is_connection_dropped) {
            result = self.send_to(node, commands).await?;
        }
        result.map_err(|error| errors::error(error, true))
    }

    async fn send_to(&self, node: Option<&Node>, commands: &Pipeline) -> Result<RedisResult<Vec<Value>>> {
        match (&self.backend, node) {
            (Backend::Cluster(cluster), Some(node)) => {
                let connection = cluster.connection().await.map_err(|error| self.not_connected(error))?;
                Ok(cluster.send_to(connection, node, commands).await)
            }
            (Backend::Single(connection), _) => {
                let mut connected = connection.get().await.map_err(|error| self.not_connected(error))?;
                let result = connected.connection.req_packed_commands(commands, 0, commands.len()).await;
                Ok(result.inspect_err(|error| connected.note(error)))
            }
            (Backend::Cluster(_), None) => Err(Error::other("a cluster is read node by node")),
        }
    }

    fn not_connected(&self, error: RedisError) -> Error {
        self.target.not_connected(error)
    }
}
