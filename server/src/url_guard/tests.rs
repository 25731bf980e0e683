use super::*;

fn networks(list: &[&str]) -> Vec<IpNet> {
    list.iter().map(|text| text.parse().expect("a network")).collect()
}

fn check_address(text: &str, expected: bool) {
    assert_eq!(is_public(text.parse().expect(text)), expected, "{text}");
}

#[test]
fn public_addresses_are_those_of_machines_in_the_internet() {
    for public in [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "93.184.216.34",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.1",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2606:4700:4700::1111",
        "2a00:1450:4001:80e::200e",
        "3ffe::1",
    ] {
        check_address(public, true);
    }
}

#[test]
fn everything_else_is_not_public_whatever_it_is_dressed_as() {
    for local in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.100.100.200",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::8.8.8.8",
        "::ffff:8.8.8.8",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::10.0.0.1",
        "100::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:1ff::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:c000:204::1",
        "3fff::1",
        "3fff:fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fdff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ] {
        check_address(local, false);
    }
}

#[track_caller]
fn check(text: &str, allowed: &[&str], expected: Result<&str, UrlFault>) {
    let checked = check_url(text, &networks(allowed));
    assert_eq!(
        checked.as_ref().map(Url::as_str).map_err(|fault| *fault),
        expected,
        "{text}"
    );
}

#[test]
fn a_public_https_address_is_taken() {
    for (text, expected) in [
        ("https://hooks.example.org", "https://hooks.example.org/"),
        (
            "https://hooks.example.org:8443/a?token=x#y",
            "https://hooks.example.org:8443/a?token=x#y",
        ),
        ("https://8.8.8.8/a", "https://8.8.8.8/a"),
        ("https://134744072/", "https://8.8.8.8/"),
        ("https://[2606:4700:4700::1111]/", "https://[2606:4700:4700::1111]/"),
        ("HTTPS://BÜCHER.example/", "https://xn--bcher-kva.example/"),
        // What a name leads to is checked when it is looked up.
        ("https://localhost/", "https://localhost/"),
        ("https://internal.example.org./", "https://internal.example.org./"),
    ] {
        check(text, &[], Ok(expected));
    }
}

#[test]
fn no_spelling_of_a_local_address_gets_through() {
    for text in [
        "https://127.0.0.1/",
        "https://127.0.0.1./",
        "https://127.1/",
        "https://127.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://017700000001/",
        "https://0/",
        "https://%31%32%37.0.0.1/",
        "https://１２７.0.0.1/",
        "https://127。0。0。1/",
        "https://①②⑦.⓪.⓪.①/",
        "https://10.0.0.1/",
        "https://3232235521/",
        "https://169.254.169.254/latest/meta-data/",
        "https://0xa9fea9fe/",
        "https://0251.0376.0251.0376/",
        "https://[::1]/",
        "https://[0:0:0:0:0:0:0:1]/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::127.0.0.1]/",
        "https://[64:ff9b::127.0.0.1]/",
        "https://[fd00:ec2::254]/",
        "https://[fe80::1]/",
        "https:127.0.0.1",
        "https:\\\\127.0.0.1\\",
        "https://example.org@10.0.0.1/",
    ] {
        let fault = check_url(text, &[]).expect_err(text);
        assert!(
            matches!(fault, UrlFault::Address | UrlFault::Credentials),
            "{text}: {fault:?}"
        );
    }
}

#[test]
fn anything_but_https_is_refused() {
    for text in [
        "http://hooks.example.org/",
        "http://8.8.8.8/",
        "http://127.0.0.1:9000/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_INFO",
        "data:text/plain,x",
        "javascript:alert(1)",
        "unix:/run/docker.sock",
        "ws://example.org/",
    ] {
        check(text, &[], Err(UrlFault::Scheme));
    }
    // Neither does a name or another machine get plain http because its network is allowed.
    check(
        "http://localhost:9000/",
        &["127.0.0.0/8", "::1/128"],
        Err(UrlFault::Scheme),
    );
    check("http://10.1.2.3/", &["10.0.0.0/8"], Err(UrlFault::Scheme));
}

#[test]
fn what_is_no_address_or_has_credentials_is_refused() {
    for text in [
        "",
        "hooks.example.org",
        "//example.org",
        "https://",
        "https:///",
        "https://[::1",
        "https://256.1.1.1/",
        "https://1.2.3.4.5/",
        "https://127.0.0.1:99999/",
        "https://exa mple.org/",
        "https://[fe80::1%25eth0]/",
        "https://169.254.169.254.../",
        "https://127.0.0.1../",
        "https://.127.0.0.1/",
        "https://example..org/",
    ] {
        check(text, &[], Err(UrlFault::Malformed));
    }
    check("https://user:password@example.org/", &[], Err(UrlFault::Credentials));
    check("https://user@example.org/", &[], Err(UrlFault::Credentials));
    check("https://:password@example.org/", &[], Err(UrlFault::Credentials));
    check(
        &format!("https://example.org/{}", "a".repeat(2048)),
        &[],
        Err(UrlFault::TooLong),
    );
}

#[test]
fn an_allowed_network_opens_itself_and_nothing_else() {
    check(
        "http://127.0.0.1:9000/a",
        &["127.0.0.0/8"],
        Ok("http://127.0.0.1:9000/a"),
    );
    check("http://[::1]:9000/", &["::1/128"], Ok("http://[::1]:9000/"));
    check("https://10.1.2.3/", &["10.1.0.0/16"], Ok("https://10.1.2.3/"));
    check("https://10.2.2.3/", &["10.1.0.0/16"], Err(UrlFault::Address));
    check("https://[::ffff:10.1.2.3]/", &["10.1.0.0/16"], Err(UrlFault::Address));
    check("http://[::1]:9000/", &["127.0.0.0/8"], Err(UrlFault::Scheme));
}

#[test]
fn no_network_opens_the_services_that_hand_out_credentials() {
    let everything = ["0.0.0.0/0", "::/0"];
    for text in [
        "https://169.254.169.254/",
        "https://169.254.170.2/",
        "https://100.100.100.200/",
        "https://192.0.0.192/",
        "https://168.63.129.16/",
        "https://[fd00:ec2::254]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[::169.254.169.254]/",
        "https://[64:ff9b::169.254.169.254]/",
        "https://[64:ff9b:1::169.254.169.254]/",
    ] {
        check(text, &everything, Err(UrlFault::Address));
    }
    check("https://10.0.0.1/", &everything, Ok("https://10.0.0.1/"));
}

fn resolver(allowed: &[&str], leads_to: &'static [&'static str]) -> GuardedResolver {
    GuardedResolver::asking(
        &networks(allowed),
        Arc::new(move |_| Box::pin(async move { Ok(leads_to.iter().map(|text| text.parse().expect(text)).collect()) })),
    )
}

async fn check_name(allowed: &[&str], leads_to: &'static [&'static str], expected: bool) {
    let name = "hooks.example.org".parse().expect("a name");
    let resolved = resolver(allowed, leads_to).resolve(name).await;
    assert_eq!(resolved.is_ok(), expected, "{leads_to:?}");
    if let Ok(addresses) = resolved {
        let found: Vec<String> = addresses.map(|address| address.ip().to_string()).collect();
        assert_eq!(found, leads_to);
    }
}

#[tokio::test]
async fn a_name_is_refused_when_one_of_its_addresses_is() {
    check_name(&[], &["93.184.216.34", "2606:2800:220:1::1"], true).await;
    check_name(&[], &["93.184.216.34", "10.0.0.1"], false).await;
    check_name(&[], &["93.184.216.34", "::1"], false).await;
    check_name(&[], &["127.0.0.1"], false).await;
    check_name(&["10.0.0.0/8"], &["93.184.216.34", "10.0.0.1"], true).await;
    check_name(&["10.0.0.0/8"], &["10.0.0.1", "169.254.169.254"], false).await;
}
