use super::*;

fn guard(allow: &[&str]) -> Guard {
    let allow = allow.iter().map(|text| match text.parse() {
        Ok(block) => Allowed::Block(block),
        Err(_) => Allowed::Host((*text).to_owned()),
    });
    Guard(allow.collect())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn only_https_to_the_internet_is_called() {
    let guard = guard(&[]);
    for url in [
        "https://partner.example/logout",
        "https://partner.example:8443/logout?x=1",
        "https://1.1.1.1/",
        "https://[2606:4700::1111]/",
    ] {
        assert!(guard.check(url).is_ok(), "{url}");
    }
    for url in [
        "http://partner.example/logout",
        "http://1.1.1.1/",
        "ftp://partner.example/",
        "file:///etc/passwd",
        "gopher://partner.example/",
        "https://user:password@partner.example/",
        "partner.example",
        "",
    ] {
        assert!(guard.check(url).is_err(), "{url}");
    }
}

#[test]
fn an_address_inside_is_refused_however_it_is_written() {
    let guard = guard(&[]);
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::7f00:1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "224.0.0.1",
        "100.64.0.1",
    ] {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}/");
            assert!(guard.check(&url).is_err(), "{url}");
        }
    }
}

#[test]
fn an_operator_permits_blocks_and_names() {
    let guard = guard(&["10.1.0.0/16", "partner.internal"]);
    assert!(guard.check("https://10.1.2.3/").is_ok());
    assert!(guard.check("https://10.2.0.1/").is_err());
    assert!(guard.check("http://10.1.2.3/").is_err(), "plain http");
    let permits = |name, address| guard.permits(Some(name), ip(address));
    assert!(permits("partner.internal", "192.168.7.7"));
    assert!(permits("PARTNER.internal", "fd00::7"));
    assert!(!permits("other.internal", "192.168.7.7"));
    assert!(!permits("partner.internal.evil.example", "192.168.7.7"));
    assert!(permits("other.internal", "10.1.9.9"));
    // A name never leads where only this machine may look.
    for own in [
        "169.254.169.254",
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "::ffff:127.0.0.1",
        "fe80::1",
    ] {
        assert!(!permits("partner.internal", own), "{own}");
    }
    assert!(!permits("partner.internal", "0.0.0.0"));
    assert!(!permits("partner.internal", "224.0.0.1"));
    assert!(!guard.permits(None, ip("192.168.7.7")));
}

#[test]
fn a_name_leads_to_this_machine_only_when_the_address_itself_is_permitted() {
    let both = guard(&["partner.internal", "127.0.0.1", "169.254.7.7"]);
    assert!(both.permits(Some("partner.internal"), ip("127.0.0.1")));
    assert!(both.permits(Some("partner.internal"), ip("169.254.7.7")));
    assert!(!both.permits(Some("partner.internal"), ip("127.0.0.2")));
    // This name cannot mean another machine.
    let local = guard(&["localhost"]);
    assert!(local.permits(Some("localhost"), ip("127.0.0.1")));
    assert!(!local.permits(Some("localhost"), ip("10.0.0.1")));
    assert!(!local.permits(Some("other.internal"), ip("127.0.0.1")));
}

#[test]
fn a_public_name_that_points_inside_is_refused() {
    let guard = guard(&[]);
    for address in [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "::ffff:10.0.0.1",
    ] {
        assert!(
            !guard.permits(Some("rebind.example"), ip(address)),
            "{address}"
        );
    }
    assert!(guard.permits(Some("partner.example"), ip("1.1.1.1")));
}

#[test]
fn plain_http_is_for_loopback_when_that_is_allowed() {
    let closed = guard(&[]);
    assert!(closed.check("http://127.0.0.1:9401/").is_err());
    assert!(!closed.permits(Some("localhost"), ip("127.0.0.1")));
    let open = guard(&["127.0.0.1", "::1"]);
    assert!(open.check("http://127.0.0.1:9401/").is_ok());
    assert!(open.check("http://localhost:9401/").is_ok());
    assert!(open.check("http://localhost.evil.example/").is_err());
    assert!(open.permits(Some("localhost"), ip("127.0.0.1")));
    assert!(
        !open.permits(Some("localhost"), ip("1.1.1.1")),
        "not this machine"
    );
    assert!(!open.permits(Some("app.localhost."), ip("1.1.1.1")));
}

#[tokio::test]
async fn what_a_name_leads_to_is_judged_when_it_is_called() {
    let config = config::Outbound {
        allow: Vec::new(),
        ca_file: None,
        timeout: Duration::from_secs(10),
    };
    let outbound = Outbound::new(&config).unwrap();
    // The name is looked up on this machine, without a network.
    let refused = outbound.post_form("https://localhost:1/", &[]).await;
    let Err(Unreached::NotAllowed(why)) = refused.map(|answer| answer.status) else {
        panic!("a name for loopback was called");
    };
    assert!(why.contains("outbound.allow"), "{why}");
}

#[test]
fn certificates_that_are_none_are_noticed_at_the_start() {
    let file = std::env::temp_dir().join(format!("countersign-ca-{}", std::process::id()));
    let mut config = config::Outbound {
        allow: Vec::new(),
        ca_file: Some(file.clone()),
        timeout: Duration::from_secs(10),
    };
    assert!(
        Outbound::new(&config)
            .err()
            .unwrap()
            .contains("outbound.ca_file")
    );
    std::fs::write(&file, "no certificate").unwrap();
    let refused = Outbound::new(&config).err().unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(refused.contains("PEM"), "{refused}");
    config.ca_file = None;
    assert!(Outbound::new(&config).is_ok());
}
