use std::{future::Future, pin::pin, sync::Arc};

use async_nats::{Client, Message, Request, RequestErrorKind, Subscriber, jetstream};
use bytes::Bytes;
use futures_util::future::{Either, select};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use slight_capabilities::{Connect, Error, ErrorKind, Result};
use tokio::{
    sync::{OnceCell, watch},
    time::timeout,
};

use crate::{
    call::{Call, unique},
    errors,
    pulse::{Pulse, State},
    settings::Settings,
    target::{CONNECT, RESPONSE, Target},
};

/// How many attempts to connect may fail before a call is given up: the first may have begun before the call.
const ATTEMPTS: u64 = 2;

/// How many servers of a list are given the time to connect, at the start.
const MOST_TRIED: u32 = 3;

/// The connection of a provider, which all its calls share. The client makes it anew when it is lost.
///
/// While there is none, nothing is handed to the client: it would keep it, and send it long after the caller was told
/// that it failed.
#[derive(Clone)]
pub(crate) struct Link(Arc<Shared>);

struct Shared {
    target: Arc<Target>,
    client: OnceCell<Arc<Client>>,
    pulse: Pulse,
    beside: Mutex<Option<Link>>,
}

/// What may be done about a call whose answer was lost with the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It is sent once more: twice is as good as once.
    SendAgain,
    /// The caller is told that the outcome is unknown.
    Report,
}

/// A connection that was there a moment ago, and the means to learn that it is lost.
pub(crate) struct Ready {
    pub(crate) client: Arc<Client>,
    state: watch::Receiver<State>,
    losses: u64,
}

impl Ready {
    /// Whether the connection was lost since.
    pub(crate) fn is_over(&self) -> bool {
        self.state.borrow().losses != self.losses
    }

    /// How often the server has refused something for want of permission.
    pub(crate) fn denials(&self) -> u64 {
        self.state.borrow().denials
    }

    /// Waits for as long as the connection lasts.
    pub(crate) async fn lost(&mut self) {
        let losses = self.losses;
        // An error would say that the provider is no more.
        let _ = self.state.wait_for(|state| state.losses != losses).await;
    }

    /// Waits until something ends the wait for an answer from `subject`, and says what.
    async fn failure(&mut self, subject: &str, denials: u64, repeatable: bool) -> Error {
        let losses = self.losses;
        let over = |state: &State| state.losses != losses || state.denies(subject, denials);
        match self.state.wait_for(over).await {
            Ok(state) if state.losses == losses => errors::forbidden(),
            _ => errors::lost(repeatable),
        }
    }
}

impl Link {
    pub(crate) async fn open(settings: &Settings) -> Result<Self> {
        let link = Self::to(Arc::new(Target::new(settings)?));
        if settings.connect == Connect::Eager {
            link.connect_now().await?;
        }
        Ok(link)
    }

    fn to(target: Arc<Target>) -> Self {
        Self(Arc::new(Shared { target, client: OnceCell::new(), pulse: Pulse::new(), beside: Mutex::default() }))
    }

    /// A second connection, for what other programs have written: the client gives up the connection on which something
    /// comes that it cannot read, headers that are no UTF-8 for example, and ends altogether at some.
    pub(crate) fn beside(&self) -> Link {
        self.0.beside.lock().get_or_insert_with(|| Self::to(self.0.target.clone())).clone()
    }

    /// Has the second connection made anew where its client has ended.
    pub(crate) fn renew_beside(&self, ended: &Arc<Client>) {
        let mut beside = self.0.beside.lock();
        if beside.as_ref().and_then(|link| link.0.client.get()).is_some_and(|client| Arc::ptr_eq(client, ended)) {
            *beside = None;
        }
    }

    /// The servers, for messages.
    fn address(&self) -> String {
        self.0.target.address()
    }

    fn options(&self) -> async_nats::ConnectOptions {
        let pulse = self.0.pulse.clone();
        self.0.target.options().event_callback(move |event| {
            pulse.note(event);
            std::future::ready(())
        })
    }

    async fn connect_now(&self) -> Result<()> {
        let servers = self.0.target.servers();
        let patience = CONNECT * u32::try_from(servers.len()).unwrap_or(MOST_TRIED).min(MOST_TRIED);
        let connecting = timeout(patience, self.options().connect(servers));
        let Ok(connected) = connecting.await else {
            return Err(Error::unavailable(format!("NATS at {} cannot be reached: no answer in time", self.address())));
        };
        let client = connected.map_err(|error| errors::not_made(&self.address(), error))?;
        // Nobody else has the link yet.
        let _ = self.0.client.set(Arc::new(client));
        Ok(())
    }

    async fn client(&self) -> Result<&Arc<Client>> {
        let options = || self.options().retry_on_initial_connect();
        let connect = async || options().connect(self.0.target.servers()).await.map(Arc::new);
        let client = self.0.client.get_or_try_init(connect).await;
        client.map_err(|error| errors::not_made(&self.address(), error))
    }

    /// The connection, or why there is none.
    pub(crate) async fn ready(&self) -> Result<Ready> {
        let mut state = self.0.pulse.watch();
        let client = self.client().await?.clone();
        let failures = state.borrow().failures;
        let decided = state.wait_for(|state| state.connected || state.failures >= failures + ATTEMPTS);
        let connected = match timeout(CONNECT, decided).await {
            Ok(Ok(state)) if state.connected => Some(state.losses),
            _ => None,
        };
        match connected {
            Some(losses) => Ok(Ready { client, state, losses }),
            None => Err(errors::not_connected(&self.address(), state.borrow().refused)),
        }
    }

    /// Sends a call and waits for the answer; `None` where nobody takes such calls.
    pub(crate) async fn ask(&self, call: &Call, lost: Lost) -> Result<Option<Message>> {
        let mut ready = self.ready().await?;
        match self.ask_over(&mut ready, call, lost).await {
            Asked::Answered(answer) => Ok(answer),
            Asked::Failed(error) => Err(error),
            Asked::Broken(_) if lost == Lost::SendAgain => {
                let mut ready = self.ready().await?;
                match self.ask_over(&mut ready, call, lost).await {
                    Asked::Answered(answer) => Ok(answer),
                    Asked::Failed(error) | Asked::Broken(error) => Err(error),
                }
            }
            Asked::Broken(error) => Err(error),
        }
    }

    async fn ask_over(&self, ready: &mut Ready, call: &Call, lost: Lost) -> Asked {
        let denials = ready.state.borrow().denials;
        let request = Request {
            payload: Some(call.payload.clone()),
            headers: call.headers.clone(),
            timeout: Some(Some(RESPONSE)),
            inbox: None,
        };
        let client = ready.client.clone();
        let asking = pin!(client.send_request(call.subject.clone(), request));
        let failing = pin!(ready.failure(&call.subject, denials, lost == Lost::SendAgain));
        let result = match select(asking, failing).await {
            Either::Left((result, _)) => result,
            Either::Right((error, _)) if error.kind() == ErrorKind::Denied => {
                return Asked::Failed(error);
            }
            Either::Right((error, _)) => return Asked::Broken(error),
        };
        match result {
            Ok(message) => Asked::Answered(Some(message)),
            Err(error) => match error.kind() {
                RequestErrorKind::NoResponders => Asked::Answered(None),
                RequestErrorKind::TimedOut => Asked::Failed(errors::late().with_source(error)),
                RequestErrorKind::MaxPayloadExceeded => Asked::Failed(call.too_large(client.max_payload())),
                _ => Asked::Failed(errors::odd(error)),
            },
        }
    }

    /// Calls JetStream. The inner error is the server's.
    pub(crate) async fn api<T: DeserializeOwned>(
        &self,
        name: &str,
        arguments: &impl Serialize,
        lost: Lost,
    ) -> Result<Result<T, jetstream::Error>> {
        let message = self.api_answer(name, arguments, lost).await?;
        let failed: Failed = serde_json::from_slice(&message.payload).map_err(errors::odd)?;
        match failed.error {
            Some(error) => Ok(Err(error)),
            None => serde_json::from_slice(&message.payload).map(Ok).map_err(errors::odd),
        }
    }

    /// The answer of JetStream to a call, as it is.
    pub(crate) async fn api_answer(&self, name: &str, arguments: &impl Serialize, lost: Lost) -> Result<Message> {
        let payload = serde_json::to_vec(arguments).map_err(errors::odd)?.into();
        let call = Call { subject: format!("$JS.API.{name}"), headers: None, payload };
        self.ask(&call, lost).await?.ok_or_else(errors::no_jetstream)
    }

    /// Sends what is not answered, if there is a connection.
    pub(crate) async fn tell(&self, call: Call) -> Result<()> {
        let ready = self.ready().await?;
        let sending = async {
            match call.headers.clone() {
                Some(headers) => {
                    ready.client.publish_with_headers(call.subject.clone(), headers, call.payload.clone()).await
                }
                None => ready.client.publish(call.subject.clone(), call.payload.clone()).await,
            }
        };
        match bounded(sending).await? {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == async_nats::PublishErrorKind::MaxPayloadExceeded => {
                Err(call.too_large(ready.client.max_payload()))
            }
            Err(error) => Err(errors::odd(error)),
        }
    }

    /// Begins to receive what is sent to `subject`.
    pub(crate) async fn receive(&self, subject: String) -> Result<(Subscriber, Ready)> {
        let ready = self.ready().await?;
        let subscriber = bounded(ready.client.subscribe(subject)).await?.map_err(errors::ended)?;
        Ok((subscriber, ready))
    }

    /// Waits until the server has taken note of all that was sent before.
    pub(crate) async fn round_trip(&self) -> Result<()> {
        // Nobody listens there, which the server says at once.
        let call = Call { subject: format!("_INBOX.{}", unique()), headers: None, payload: Bytes::new() };
        self.ask(&call, Lost::SendAgain).await.map(drop)
    }

    /// The largest message that the server takes, headers included.
    pub(crate) async fn max_payload(&self) -> Result<usize> {
        Ok(self.ready().await?.client.max_payload())
    }
}

/// What came of sending a call once.
enum Asked {
    Answered(Option<Message>),
    /// There is no use in sending it again.
    Failed(Error),
    /// The connection was lost before the answer came.
    Broken(Error),
}

#[derive(Deserialize)]
struct Failed {
    error: Option<jetstream::Error>,
}

/// Handing something to the client takes time only where it cannot get rid of what it has.
async fn bounded<T>(handing_over: impl Future<Output = T>) -> Result<T> {
    timeout(RESPONSE, handing_over).await.map_err(|_| errors::late())
}
