//! Whom a given certificate makes trusted, and whom not.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
use std::time::Duration;

/// A certificate that signs itself, for 127.0.0.1, from 2020 to 2030.
fn own(authority: bool) -> CertificateDer<'static> {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2030, 1, 1);
    if authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
}

fn verify(given: &CertificateDer<'static>, shown: &CertificateDer<'_>, name: &str, year: u64) -> Result<(), Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Given::new(vec![given.clone()], provider).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_557_600));
    verifier.verify_server_cert(shown, &[], &name, &[], now).map(drop)
}

#[test]
fn a_server_that_shows_the_given_certificate_is_trusted_for_its_names_and_days() {
    for authority in [true, false] {
        let given = own(authority);
        verify(&given, &given, "127.0.0.1", 2026).unwrap();
        for (name, year, word) in
            [("127.0.0.2", 2026, "name"), ("127.0.0.1", 2031, "expired"), ("127.0.0.1", 2019, "valid")]
        {
            let fault = verify(&given, &given, name, year).unwrap_err().to_string();
            assert!(fault.contains(word), "{authority} {name} {year}: {fault}");
        }
        let stranger = own(authority);
        assert!(verify(&given, &stranger, "127.0.0.1", 2026).is_err(), "{authority}");
    }
}
