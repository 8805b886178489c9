//! TLS, with certificates made here.

use std::{fs, os::unix::fs::PermissionsExt};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use upfront_scratch::Server;

use crate::place::{Place, shows};

/// An authority that signs.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate and its key.
    fn sign(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// A server that has TLS, for the host `localhost`.
fn server(authority: &Authority) -> Server {
    let server = Server::builder()
        .listen_tcp()
        .hba("hostssl all certified 127.0.0.1/32 cert")
        .hba("hostssl all secretive 127.0.0.1/32 scram-sha-256")
        .hba("hostssl all postgres 127.0.0.1/32 trust")
        .hba("hostnossl all all 127.0.0.1/32 reject")
        .start()
        .unwrap();
    let (certificate, key) = authority.sign("localhost");
    // The server writes them itself: the key must belong to its own account.
    let files = [("server.crt", &certificate), ("server.key", &key), ("root.crt", &authority.pem)];
    for (file, pem) in files {
        let line = |it: &str| format!("('{it}')");
        let lines: Vec<_> = pem.lines().map(line).collect();
        let program = format!("umask 077; cat > {file}");
        let copy = format!("copy (values {}) to program '{program}'", lines.join(","));
        server.psql("postgres", &copy).unwrap();
    }
    let on = "alter system set ssl_ca_file = 'root.crt'; alter system set ssl = on; \
              create role certified login; create role secretive login password 'hunter2'; \
              select pg_reload_conf();";
    server.psql("postgres", on).unwrap();
    server
}

#[test]
fn certificates_are_verified() {
    let (ours, others) = (Authority::new("ours"), Authority::new("others"));
    let server = server(&ours);
    let database = server.database().unwrap();
    let it = Place::with(&[
        ("migrations/1_a.sql", "CREATE TABLE a ();\n"),
        ("ours.crt", &ours.pem),
        ("others.crt", &others.pem),
        ("none.crt", "no certificate\n"),
    ]);
    it.run("hash");
    let (port, name) = (server.tcp_port().unwrap(), database.name());
    let run = |user: &str, host: &str, more: &str| {
        let url = format!("postgres://{user}@{host}:{port}/{name}?{more}");
        let shown = it.run_in("", &["check", "--url", &url]);
        assert!(!shown.contains("hunter2"), "{shown}");
        shown
    };
    let connects = |user: &str, host: &str, more: &str| {
        let shown = run(user, host, more);
        assert!(shown.starts_with("exit code 3"), "{user} {host} {more}: {shown}");
    };
    let ours = "sslrootcert=ours.crt";
    connects("postgres", "localhost", &format!("sslmode=verify-full&{ours}"));
    connects("postgres", "127.0.0.1", &format!("sslmode=verify-ca&{ours}"));
    connects("postgres", "127.0.0.1", &format!("sslmode=require&{ours}"));
    connects("postgres", "127.0.0.1", "sslmode=require");
    connects("postgres", "127.0.0.1", "sslmode=prefer");
    connects("postgres", "localhost", "");
    connects(
        "secretive:hunter2",
        "localhost",
        &format!("channel_binding=require&sslmode=verify-full&{ours}"),
    );

    let settings = format!(
        "[env.dev]\nurl = \"postgres://postgres@localhost:{port}/{name}?sslmode=verify-full&{ours}\"\n"
    );
    it.write("upfront.toml", &settings);
    it.write("src/main.rs", "");
    let below = it.run_in("src", &["check"]);
    assert!(below.starts_with("exit code 3"), "paths are relative to the file: {below}");

    let others = "sslrootcert=others.crt";
    shows!("another_host", run("postgres", "127.0.0.1", &format!("sslmode=verify-full&{ours}")));
    shows!(
        "another_authority",
        run("postgres", "localhost", &format!("sslmode=verify-full&{others}"))
    );
    shows!(
        "another_authority_for_verify_ca",
        run("postgres", "localhost", &format!("sslmode=verify-ca&{others}"))
    );
    shows!(
        "another_authority_for_require",
        run("postgres", "localhost", &format!("sslmode=require&{others}"))
    );
    shows!("a_remote_server_is_verified", run("postgres", "db.example", "hostaddr=127.0.0.1"));
    shows!(
        "no_certificate_in_the_file",
        run("postgres", "localhost", "sslmode=verify-full&sslrootcert=none.crt")
    );
    shows!(
        "no_such_file",
        run("postgres", "localhost", "sslmode=verify-full&sslrootcert=gone.crt")
    );
    shows!("tls_switched_off", run("postgres", "localhost", "sslmode=disable"));
}

#[test]
fn a_client_shows_its_certificate() {
    let ours = Authority::new("ours");
    let server = server(&ours);
    let database = server.database().unwrap();
    let (certificate, key) = ours.sign("certified");
    let it = Place::with(&[
        ("migrations/1_a.sql", "CREATE TABLE a ();\n"),
        ("ours.crt", &ours.pem),
        ("client.crt", &certificate),
        ("client.key", &key),
    ]);
    it.run("hash");
    let (port, name) = (server.tcp_port().unwrap(), database.name());
    let run = |more: &str| {
        let url = format!(
            "postgres://certified@localhost:{port}/{name}?sslmode=verify-full&sslrootcert=ours.crt{more}"
        );
        it.run_in("", &["check", "--url", &url])
    };
    let identity = "&sslcert=client.crt&sslkey=client.key";
    shows!("no_certificate_of_the_client", run(""));
    shows!("a_key_that_others_may_read", run(identity));
    fs::set_permissions(it.path("client.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let shown = run(identity);
    assert!(shown.starts_with("exit code 3"), "{shown}");
    for (from, to) in
        [("client.crt", ".postgresql/postgresql.crt"), ("ours.crt", ".postgresql/root.crt")]
    {
        it.write(to, &it.read(from));
    }
    fs::rename(it.path("client.key"), it.path(".postgresql/postgresql.key")).unwrap();
    let url = format!("postgres://certified@localhost:{port}/{name}?sslmode=verify-full");
    let shown = it.run_in("", &["check", "--url", &url]);
    assert!(shown.starts_with("exit code 3"), "the files of libpq are found: {shown}");
}
