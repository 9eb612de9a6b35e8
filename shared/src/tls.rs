//! Which cryptography TLS uses in this process.

use std::sync::Once;

/// Makes ring the provider of cryptography, unless the process has chosen one.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
