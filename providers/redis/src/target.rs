use std::{fs, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisError,
    RedisResult, TlsCertificates, aio::MultiplexedConnection, cluster::ClusterClient, io::tcp::TcpSettings,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use slight_capabilities::{Error, Result};

use crate::{errors, settings::Settings, url};

/// How long connecting and logging in may take.
///
/// With [`RESPONSE`] it stays below the 10 seconds that the runtime gives a call by default, so that the caller learns
/// what happened and not only that time ran out.
pub(crate) const CONNECT: Duration = Duration::from_secs(3);

/// How long an answer may take.
pub(crate) const RESPONSE: Duration = Duration::from_secs(6);

/// Where the server is and how to log in.
#[derive(Clone)]
pub(crate) struct Target {
    info: ConnectionInfo,
    certificates: Option<TlsCertificates>,
}

impl Target {
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        url::check(settings.url.expose())?;
        let info = settings.url.expose().into_connection_info().map_err(|_| {
            // Not with its cause: that may quote the URL.
            Error::invalid("the url is not of the form redis://host:port/database, rediss://… or unix:///path")
        })?;
        let mut login = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        if let Some(username) = &settings.username {
            login = login.set_username(username);
        }
        if let Some(password) = &settings.password {
            login = login.set_password(password.expose());
        }
        let encrypted = is_encrypted(&info);
        let info = info.set_redis_settings(login).set_tcp_settings(TcpSettings::default().set_nodelay(true));
        Ok(Self { info, certificates: certificates(settings, encrypted)? })
    }

    /// The server, for messages: without user and password.
    pub(crate) fn address(&self) -> String {
        self.info.addr().to_string()
    }

    /// The same login elsewhere: at a node of the cluster.
    pub(crate) fn at(&self, node: &str) -> Option<Self> {
        let (host, port) = node.rsplit_once(':')?;
        let port = port.parse().ok()?;
        let addr = match self.info.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => ConnectionAddr::TcpTls {
                host: self.host_or_own(host),
                port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => ConnectionAddr::Tcp(self.host_or_own(host), port),
        };
        Some(Self { info: self.info.clone().set_addr(addr), certificates: self.certificates.clone() })
    }

    /// A node that does not know its own host leaves it out, and means the one that was asked.
    pub(crate) fn host_or_own(&self, host: &str) -> String {
        match self.info.addr() {
            ConnectionAddr::Tcp(own, _) | ConnectionAddr::TcpTls { host: own, .. } if host.is_empty() => own.clone(),
            _ => host.to_owned(),
        }
    }

    /// Connects, to be used by many at a time.
    pub(crate) async fn connect(&self, config: AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
        let client = match &self.certificates {
            Some(certificates) => Client::build_with_tls(self.info.clone(), certificates.clone())?,
            None => Client::open(self.info.clone())?,
        };
        client.get_multiplexed_async_connection_with_config(&config.set_connection_timeout(Some(CONNECT))).await
    }

    pub(crate) fn cluster(&self) -> RedisResult<ClusterClient> {
        let mut builder = ClusterClient::builder([self.info.clone()])
            .use_protocol(ProtocolVersion::RESP3)
            .tcp_settings(TcpSettings::default().set_nodelay(true))
            .connection_timeout(CONNECT)
            .response_timeout(RESPONSE)
            // It would send again what may have arrived.
            .retries(0);
        if let Some(certificates) = &self.certificates {
            builder = builder.certs(certificates.clone());
        }
        builder.build()
    }

    pub(crate) fn not_connected(&self, error: RedisError) -> Error {
        errors::not_connected(&self.address(), is_encrypted(&self.info), error)
    }
}

fn is_encrypted(info: &ConnectionInfo) -> bool {
    matches!(info.addr(), ConnectionAddr::TcpTls { .. })
}

fn certificates(settings: &Settings, encrypted: bool) -> Result<Option<TlsCertificates>> {
    let Some(path) = &settings.ca_file else { return Ok(None) };
    if !encrypted {
        return Err(Error::invalid("ca-file is set, but the url does not begin with rediss://"));
    }
    let pem = fs::read(path).map_err(|error| {
        Error::invalid(format!("the ca-file {} cannot be read: {error}", path.display())).with_source(error)
    })?;
    if !CertificateDer::pem_slice_iter(&pem).any(|certificate| certificate.is_ok()) {
        return Err(Error::invalid(format!(
            "the ca-file {} holds no certificate; it must be a PEM file with those to trust",
            path.display()
        )));
    }
    Ok(Some(TlsCertificates { client_tls: None, root_cert: Some(pem) }))
}
