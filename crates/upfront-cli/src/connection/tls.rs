//! TLS by rustls, and how much of the server's certificate is checked.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use tokio_postgres::config::SslMode;

use crate::output::failure::Failure;

/// The file of a client's certificate and that of its key.
pub(super) type Identity = (PathBuf, PathBuf);

/// What is asked of TLS where it is used.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) verify: Verify,
    pub(super) roots: Roots,
    pub(super) identity: Option<Identity>,
}

/// How much of the server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verify {
    /// `prefer` and `require`: an attacker who can read the connection can also answer.
    Nothing,
    /// `verify-ca`: who signed it.
    Authority,
    /// `verify-full`: that, and for which host.
    Full,
}

/// Who may sign certificates.
#[derive(Debug)]
pub(super) enum Roots {
    /// Whom this machine trusts.
    System,
    /// Those of a file.
    File(PathBuf),
}

impl Tls {
    /// The mode as libpq calls it.
    pub(super) fn mode(&self, mode: SslMode) -> &'static str {
        match (mode, self.verify) {
            (SslMode::Disable, _) => "disable",
            (SslMode::Prefer, _) => "prefer",
            (_, Verify::Nothing) => "require",
            (_, Verify::Authority) => "verify-ca",
            (_, Verify::Full) => "verify-full",
        }
    }

    /// Whom libpq may trust: before version 16 it takes no `system`, but the system's file.
    pub(super) fn roots_for_libpq(&self) -> Option<String> {
        const FILES: [&str; 3] = [
            "/etc/ssl/certs/ca-certificates.crt",
            "/etc/pki/tls/certs/ca-bundle.crt",
            "/etc/ssl/cert.pem",
        ];
        match (&self.roots, self.verify) {
            (_, Verify::Nothing) => None,
            (Roots::File(it), _) => Some(it.display().to_string()),
            (Roots::System, _) => {
                let file = FILES.into_iter().find(|it| Path::new(it).is_file());
                Some(file.unwrap_or("system").to_owned())
            }
        }
    }
}

/// Makes rustls's settings. Roots are read where they are needed.
pub(super) fn config(tls: &Tls) -> Result<ClientConfig, Failure> {
    let mut config = verified(tls)?;
    // A server that is greeted by TLS at once asks for it: `sslnegotiation=direct`.
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(config)
}

fn verified(tls: &Tls) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match tls.verify {
        Verify::Nothing => Arc::new(Unverified(Arc::clone(&provider))),
        Verify::Authority => Arc::new(AnyName(verifier(tls, &provider)?)),
        Verify::Full => verifier(tls, &provider)?,
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|err| Failure::mistake(format!("cannot set up TLS: {err}")))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let Some((cert, key)) = &tls.identity else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(cert)?;
    let builder = builder.with_client_auth_cert(chain, private_key(key)?);
    builder.map_err(|err| {
        Failure::mistake(format!("certificate and key of the client do not work: {err}"))
            .file(cert.display().to_string())
    })
}

fn verifier(
    tls: &Tls,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Failure> {
    let roots = Arc::new(roots(&tls.roots)?);
    WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider)).build().map_err(|_| {
        Failure::mistake("there is no certificate of an authority to trust")
            .help("name a file of them: `sslrootcert=FILE` in the URL, or `PGSSLROOTCERT`")
    })
}

fn roots(it: &Roots) -> Result<RootCertStore, Failure> {
    let mut store = RootCertStore::empty();
    let (certificates, path) = match it {
        Roots::System => (rustls_native_certs::load_native_certs().certs, None),
        Roots::File(it) => (certificates(it)?, Some(it)),
    };
    let (_, refused) = store.add_parsable_certificates(certificates);
    match path {
        Some(path) if refused > 0 => {
            Err(Failure::mistake("a certificate in the file of authorities cannot be read")
                .file(path.display().to_string()))
        }
        _ => Ok(store),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let unreadable = |err: &dyn fmt::Display| {
        Failure::mistake(format!("cannot read the certificate: {err}"))
            .file(path.display().to_string())
            .help("it is a file in the PEM format: `-----BEGIN CERTIFICATE-----`")
    };
    let found = CertificateDer::pem_file_iter(path).map_err(|err| unreadable(&err))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|err| unreadable(&err))?;
    if found.is_empty() { Err(unreadable(&"the file has none")) } else { Ok(found) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
    check_permissions(path)?;
    PrivateKeyDer::from_pem_file(path).map_err(|err| {
        Failure::mistake(format!("cannot read the private key: {err}"))
            .file(path.display().to_string())
            .help("it is a file in the PEM format, without a passphrase")
    })
}

/// As libpq: a key of one's own for its owner alone, one of root's for its group too.
#[cfg(unix)]
fn check_permissions(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt;
    let Ok(it) = path.metadata() else { return Ok(()) };
    let forbidden = if it.uid() == 0 { 0o037 } else { 0o077 };
    if it.mode() & forbidden == 0 {
        return Ok(());
    }
    let path = path.display().to_string();
    Err(Failure::mistake("others may read the private key")
        .help(format!("chmod 600 {path}"))
        .file(path))
}

#[cfg(not(unix))]
fn check_permissions(_: &Path) -> Result<(), Failure> {
    Ok(())
}

/// Takes any certificate; the handshake's signatures must be its own.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

/// Takes a certificate of a trusted authority, whatever host it is for.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for AnyName {
    /// rustls checks the name after everything else.
    fn verify_server_cert(
        &self,
        cert: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.0.verify_server_cert(cert, between, name, stapled, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
