//! TLS with a certificate authority that is generated at each start.

use std::{
    error::Error,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::serve::Listener;
use kalshi_sdk::ConfigError;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::CryptoProvider,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
    server::TlsStream,
};

use crate::{StartError, connection::Transport};

#[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
compile_error!("feature `tls` requires feature `aws-lc-rs` or `ring`");

/// Time limit of a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The certificate authority, and the TLS configuration of the server and of clients.
pub(crate) struct Tls {
    authority: String,
    server: Arc<ServerConfig>,
    client: ClientConfig,
}

impl Tls {
    /// Generates an authority, and a certificate for loopback addresses and `address`.
    pub(crate) fn generate(address: IpAddr) -> Result<Self, StartError> {
        Self::try_generate(address).map_err(StartError::Certificate)
    }

    fn try_generate(address: IpAddr) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let mut params = CertificateParams::default();
        let name = "kalshi-mock, generated authority";
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

        let mut params = CertificateParams::new(["localhost".to_owned()])?;
        params
            .distinguished_name
            .push(DnType::CommonName, "kalshi-mock");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let own = (!loopback.contains(&address) && !address.is_unspecified()).then_some(address);
        let addresses = loopback.into_iter().chain(own);
        params
            .subject_alt_names
            .extend(addresses.map(SanType::IpAddress));
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &authority)?;

        let provider = provider();
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone())?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            authority: authority.pem(),
            server: Arc::new(server),
            client,
        })
    }

    /// Returns the certificate of the authority as PEM.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn handshakes(&self) -> Handshakes {
        Handshakes {
            acceptor: Arc::clone(&self.server).into(),
            running: JoinSet::new(),
        }
    }

    /// Returns an HTTP client that trusts only the authority. It follows no redirects, never retries and uses no proxy, as the SDK
    /// requires of custom clients.
    pub(crate) fn http_client(&self) -> Result<reqwest::Client, ConfigError> {
        reqwest::Client::builder()
            .tls_backend_preconfigured(self.client.clone())
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .build()
            .map_err(ConfigError::Http)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

#[cfg(feature = "aws-lc-rs")]
fn provider() -> Arc<CryptoProvider> {
    Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider())
}

#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
fn provider() -> Arc<CryptoProvider> {
    Arc::new(tokio_rustls::rustls::crypto::ring::default_provider())
}

/// Handshakes of accepted connections. They run concurrently, so a client that sends nothing does not delay others.
pub(crate) struct Handshakes {
    acceptor: TlsAcceptor,
    running: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl Handshakes {
    /// Accepts connections until one has completed its handshake.
    pub(crate) async fn accept(
        &mut self,
        listener: &mut TcpListener,
    ) -> (Box<dyn Transport>, SocketAddr) {
        loop {
            tokio::select! {
                (stream, peer) = Listener::accept(listener) => {
                    let handshake = self.acceptor.accept(stream);
                    self.running.spawn(async move {
                        let stream = timeout(HANDSHAKE_TIMEOUT, handshake).await;
                        // A failed handshake does not affect other connections.
                        Some((stream.ok()?.ok()?, peer))
                    });
                }
                Some(Ok(Some((stream, peer)))) = self.running.join_next() => {
                    return (Box::new(stream), peer);
                }
            }
        }
    }
}

impl Transport for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}
