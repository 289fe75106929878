use tokio_util::sync::CancellationToken;

/// How far the end of the server has come. Each phase begins when its token is cancelled, in this order.
#[derive(Clone)]
pub(crate) struct Phases {
    /// Connections are still accepted; each is told to be the last of its client here, with its next response.
    pub leaving: CancellationToken,
    /// None is accepted any more, and those without a request are closed.
    pub closing: CancellationToken,
    /// What is not answered by now is not going to be.
    pub abandon: CancellationToken,
}
