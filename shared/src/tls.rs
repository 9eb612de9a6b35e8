//! Selects the cryptography provider and the trusted certificate authorities of TLS.

use std::sync::{LazyLock, Once};

use rustls::pki_types::CertificateDer;
use rustls_native_certs::CertificateResult;

/// Installs ring as the cryptography provider, unless the process has one.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// The authorities to trust beside the system's: none where the system has any, else the usual ones. A worker is put into
/// other people's images, many of which have no certificates; without any, no client for HTTP can even be made.
pub(crate) fn authorities() -> &'static [CertificateDer<'static>] {
    static AUTHORITIES: LazyLock<&[CertificateDer<'static>]> =
        LazyLock::new(|| fallback_for(&rustls_native_certs::load_native_certs()));
    &AUTHORITIES
}

fn fallback_for(system: &CertificateResult) -> &'static [CertificateDer<'static>] {
    // Unreadable certificates are a configuration error and must not widen the set of trusted authorities.
    if system.certs.is_empty() && system.errors.is_empty() {
        webpki_root_certs::TLS_SERVER_ROOT_CERTS
    } else {
        &[]
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rustls_native_certs::load_certs_from_paths;

    use super::*;

    #[test]
    fn the_usual_authorities_stand_in_for_a_system_that_has_none() {
        let empty = tempfile::tempdir().unwrap();
        assert!(!fallback_for(&load_certs_from_paths(None, None)).is_empty());
        assert!(!fallback_for(&load_certs_from_paths(None, Some(empty.path()))).is_empty());
        let missing = load_certs_from_paths(Some(Path::new("/no/such.pem")), None);
        assert!(fallback_for(&missing).is_empty());
        let own = CertificateDer::from(vec![1]);
        let mut some = CertificateResult::default();
        some.certs.push(own);
        assert!(fallback_for(&some).is_empty());
    }
}
