use std::sync::Arc;

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use parking_lot::Mutex;
use redis::{
    AsyncConnectionConfig, ErrorKind, PushInfo, PushKind, RedisError, RedisResult, aio::MultiplexedConnection,
};
use tokio_util::sync::CancellationToken;

use crate::target::{RESPONSE, Target};

/// The one connection that all commands of a provider share, made anew when it is lost.
///
/// The client library has a `ConnectionManager` for that. It does not say whether an error came from connecting, when
/// certainly nothing was sent, and answers the first command after an outage with the failure of an earlier attempt.
pub(crate) struct Reconnecting {
    target: Target,
    current: Mutex<Option<Attempt>>,
}

/// A connection in the making or made, waited for by all who need it.
#[derive(Clone)]
struct Attempt {
    outcome: Shared<BoxFuture<'static, RedisResult<MultiplexedConnection>>>,
    lost: CancellationToken,
}

impl Attempt {
    fn new(target: Target) -> Self {
        let lost = CancellationToken::new();
        let on_push = lost.clone();
        // The client tells of a lost connection as if the server had: so it is known before the next command.
        let watch = move |push: PushInfo| -> Result<(), ()> {
            if push.kind == PushKind::Disconnection {
                on_push.cancel();
            }
            Ok(())
        };
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(RESPONSE)).set_push_sender(watch);
        // A task, so that it goes on when the call that began it is given up.
        let connecting = tokio::spawn(async move { target.connect(config).await });
        let stopped = || Err(RedisError::from((ErrorKind::Io, "connecting was stopped")));
        let outcome = connecting.map(move |outcome| outcome.unwrap_or_else(|_| stopped())).boxed().shared();
        Self { outcome, lost }
    }

    fn is_over(&self) -> bool {
        self.lost.is_cancelled() || matches!(self.outcome.peek(), Some(Err(_)))
    }
}

/// A connection, and the means to say that it is none any more.
pub(crate) struct Connected {
    pub(crate) connection: MultiplexedConnection,
    lost: CancellationToken,
}

impl Connected {
    /// Makes the next command connect anew where `error` says that this connection is of no more use. A late answer is
    /// taken for that as well: a server that vanished without a word would else be waited for until the system gives up.
    pub(crate) fn note(&self, error: &RedisError) {
        if error.is_unrecoverable_error() || error.is_timeout() {
            self.lost.cancel();
        }
    }
}

impl Reconnecting {
    pub(crate) fn new(target: Target) -> Arc<Self> {
        Arc::new(Self { target, current: Mutex::default() })
    }

    /// The connection, after making one if need be.
    pub(crate) async fn get(&self) -> RedisResult<Connected> {
        let attempt = {
            let mut current = self.current.lock();
            match &*current {
                Some(attempt) if !attempt.is_over() => attempt.clone(),
                _ => current.insert(Attempt::new(self.target.clone())).clone(),
            }
        };
        let connection = attempt.outcome.await?;
        Ok(Connected { connection, lost: attempt.lost })
    }
}
