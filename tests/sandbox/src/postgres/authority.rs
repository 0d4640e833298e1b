//! A certificate authority of the server's own, which clients are told to trust and nobody else has.

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};

/// What a server with TLS needs, and what its clients need.
pub(super) struct Issued {
    /// For clients: the authority's certificate.
    pub(super) authority: String,
    /// For the server.
    pub(super) certificate: String,
    /// For the server.
    pub(super) key: String,
}

/// Makes an authority and a certificate of it for `localhost` and 127.0.0.1. The authority's key is forgotten.
pub(super) fn issue() -> anyhow::Result<Issued> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "The sandbox's databases");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().context("making the authority's key")?;
    let authority = CertifiedIssuer::self_signed(params, key).context("making the authority's certificate")?;

    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut params = CertificateParams::new(names).context("naming the server")?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.distinguished_name.push(DnType::CommonName, "localhost");
    let key = KeyPair::generate().context("making the server's key")?;
    let certificate = params.signed_by(&key, &authority).context("making the server's certificate")?;
    Ok(Issued { authority: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() })
}
