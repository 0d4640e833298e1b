//! Secrets in the places in which they are met today, and what looks like one of them and is none.

use watchkeeper_redact::{REDACTED, Redactor, redact, redacted_lines};

/// Made of pieces, so that no scanner takes what is here for a token that somebody lost.
fn token(prefix: &str, of: &str, length: usize) -> String {
    let made: String = of.chars().cycle().take(length).collect();
    format!("{prefix}{made}")
}

const HEX: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const LETTERS: &str = "a1B2c3D4e5F6g7H8i9J0kLmNoPqRsTuV";

#[test]
fn the_tokens_of_their_makers() {
    for (prefix, of, length) in [
        ("hf_", LETTERS, 34),
        ("gsk_", LETTERS, 52),
        ("xoxc-", LETTERS, 60),
        ("xoxd-", "a1B2%2Fc3%2B", 80),
        ("xoxe.xoxp-1-", LETTERS, 40),
        ("sk-proj-", LETTERS, 48),
        ("sk-ant-api03-", LETTERS, 90),
        ("sk-or-v1-", HEX, 64),
        ("AIza", LETTERS, 35),
        ("GOCSPX-", LETTERS, 28),
        ("github_pat_", LETTERS, 80),
        ("glpat-", LETTERS, 20),
        ("glrt-", LETTERS, 20),
        ("npm_", LETTERS, 36),
        ("pypi-AgEIcHlwaS5vcmc", LETTERS, 80),
        ("sk_live_", LETTERS, 24),
        ("rk_live_", LETTERS, 24),
        ("SG.", "a1B2c3D4e5F6g7H8i9J0k.L", 66),
        ("SK", HEX, 32),
        ("dapi", HEX, 32),
        ("hvs.", LETTERS, 90),
        ("hvb.", LETTERS, 90),
        ("AGE-SECRET-KEY-1", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
        ("AKIA", "IOSFODNN7EXAMPLE", 16),
        ("ASIA", "IOSFODNN7EXAMPLE", 16),
        ("ABSK", LETTERS, 120),
        ("ATATT3", LETTERS, 180),
        ("tskey-auth-", LETTERS, 40),
        ("glsa_", LETTERS, 40),
        ("dop_v1_", HEX, 64),
        ("pul-", HEX, 40),
        ("r8_", LETTERS, 37),
        ("pcsk_", LETTERS, 60),
        ("lsv2_pt_", LETTERS, 40),
    ] {
        let token = token(prefix, of, length);
        assert_eq!(redact(&format!("refused {token}, said it")), "refused [redacted], said it");
        assert_eq!(redact(&format!("{{\"x\":\"{token}\"}}")), "{\"x\":\"[redacted]\"}");
    }
}

#[test]
fn addresses_that_are_secrets_still_say_whose_they_are() {
    for (address, path) in [
        ("https://hooks.slack.com/services/", "T0000/B0000/a1B2c3D4e5F6g7H8i9J0"),
        ("https://hooks.slack.com/workflows/", "T0000/A0000/123/a1B2c3D4e5F6"),
        ("https://discord.com/api/webhooks/", "123456789012345678/a1B2c3D4e5F6g7H8_i9J0"),
        ("https://discordapp.com/api/webhooks/", "123456789012345678/a1B2c3D4e5F6g7H8_i9J0"),
        ("https://acme.webhook.office.com/webhookb2/", "0f1e2d3c-4b5a@69788796/IncomingWebhook/a1b2/c3d4"),
        ("https://api.telegram.org/bot", "123456789:a1B2c3D4e5F6g7H8i9J0kLmNoPq"),
    ] {
        assert_eq!(redact(&format!("POST {address}{path} failed")), format!("POST {address}[redacted] failed"));
    }
}

#[test]
fn where_secrets_are_met() {
    let key = token("", LETTERS, 40);
    let id = token("AKIA", "IOSFODNN7EXAMPLE", 16);
    for (line, expected) in [
        // Connections without a scheme
        ("dial admin:hunter2@db:5432/app: refused", "dial admin:[redacted]@db:5432/app: refused"),
        ("dsn=app:p@ss:w0rd@10.0.0.5:3306", "dsn=app:[redacted]@10.0.0.5:3306"),
        ("cache at :s3cret@cache:6379", "cache at :[redacted]@cache:6379"),
        ("\"admin:hunter2@db/app\"", "\"admin:[redacted]@db/app\""),
        ("using admin:hunter2@db.internal.", "using admin:[redacted]@db.internal."),
        ("user:hunter2@db:5432", "user:[redacted]@db:5432"),
        ("(admin:hunter2@db:5432)", "(admin:[redacted]@db:5432)"),
        ("root:hunter2@unix(/run/mysqld.sock)/app", "root:[redacted]@unix(/run/mysqld.sock)/app"),
        ("jdbc:oracle:thin:app/hunter2@db:1521/x", "jdbc:oracle:thin:app/[redacted]@db:1521/x"),
        // Cut before their `@`
        ("cannot parse postgres://app:S3cr3tP", "cannot parse postgres://app:[redacted]"),
        ("cannot parse postgres://app:secret", "cannot parse postgres://app:[redacted]"),
        ("cannot parse postgres://app:S3cr/3t?P...", "cannot parse postgres://app:[redacted]"),
        ("redis://:S3cr3tP", "redis://:[redacted]"),
        ("git https://bob:S3cr3tP", "git https://bob:[redacted]"),
        ("{\"m\":\"postgres://app:S3cr3tP\"}", "{\"m\":\"postgres://app:[redacted]\"}"),
        // Lists
        (r#"{"tokens":["abcd1234"],"n":1}"#, r#"{"tokens":["[redacted]"],"n":1}"#),
        (r#"{"passwords":["a","b, c"],"n":1}"#, r#"{"passwords":["[redacted]"],"n":1}"#),
        (r#"{"m":"{\"passwords\":[\"a\", \"b\"],\"n\":1}"}"#, r#"{"m":"{\"passwords\":[\"[redacted]\"],\"n\":1}"}"#),
        (r#"{"api_key": ["abcd1234", "efgh5678"]}"#, r#"{"api_key": ["[redacted]"]}"#),
        ("passwords=['a b', 'c']", "passwords=['[redacted]']"),
        ("passwords:[hunter2 hunter3] n:1", "passwords:[[redacted]] n:1"),
        (r#"{"authorization":["Bearer abcd1234"]}"#, r#"{"authorization":["Bearer [redacted]"]}"#),
        (r#"{"set-cookie":["sid=abcd; Path=/","b=c"]}"#, r#"{"set-cookie":["[redacted]"]}"#),
        // Commands
        ("mysql -u root -phunter2 app", "mysql -u root -p[redacted] app"),
        ("/usr/bin/mysqldump -h db -p'hun ter2' app", "/usr/bin/mysqldump -h db -p'[redacted]' app"),
        ("redis-cli -h cache -a hunter2 ping", "redis-cli -h cache -a [redacted] ping"),
        (r#"["redis-cli","-a","hunter2","ping"]"#, r#"["redis-cli","-a","[redacted]","ping"]"#),
        (r#"{"c":"[\"redis-cli\",\"-a\",\"hunter2\"]"}"#, r#"{"c":"[\"redis-cli\",\"-a\",\"[redacted]\"]"}"#),
        ("mongosh -u root -p hunter2", "mongosh -u root -p [redacted]"),
        ("sshpass -p 'hun ter2' ssh bob@host", "sshpass -p '[redacted]' ssh bob@host"),
        ("sqlcmd -S db -U sa -P hunter2", "sqlcmd -S db -U sa -P [redacted]"),
        ("docker login -u bob -p hunter2 ghcr.io", "docker login -u bob -p [redacted] ghcr.io"),
        ("curl -sS -ubob:hunter2 http://x", "curl -sS -ubob:[redacted] http://x"),
        ("curl -u 'bob:hun ter2' http://x", "curl -u 'bob:[redacted]' http://x"),
        ("curl --proxy-user bob:hunter2 http://x", "curl --proxy-user bob:[redacted] http://x"),
        ("start --password hunter2 -v", "start --password [redacted] -v"),
        (r#"["start","--password","hunter2"]"#, r#"["start","--password","[redacted]"]"#),
        (r#"["start","--db-password=hunter2"]"#, r#"["start","--db-password=[redacted]"]"#),
        ("PGPASSWORD=hunter2 psql -h db", "PGPASSWORD=[redacted] psql -h db"),
        ("MYSQL_PWD=hunter2 mysql", "MYSQL_PWD=[redacted] mysql"),
        // Headers
        ("> Authorization: Basic dXNlcjpwYXNz", "> Authorization: Basic [redacted]"),
        ("Set-Cookie: sid=abcd1234; Path=/; HttpOnly", "Set-Cookie: [redacted]"),
        ("< cookie: a=b; c=d", "< cookie: [redacted]"),
        // Clouds
        (
            "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=ab/cd+ef==;EndpointSuffix=core.windows.net",
            "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=[redacted];EndpointSuffix=core.windows.net",
        ),
        (
            "Endpoint=sb://x/;SharedAccessKeyName=root;SharedAccessKey=ab/cd+ef=",
            "Endpoint=sb://x/;SharedAccessKeyName=root;SharedAccessKey=[redacted]",
        ),
        ("SharedAccessSignature sr=x&sig=ab%2Fcd%3D&se=17", "SharedAccessSignature sr=x&sig=[redacted]&se=17"),
        (
            "https://x.blob.core.windows.net/c?sp=r&sig=ab%2Fcd%3D",
            "https://x.blob.core.windows.net/c?sp=r&sig=[redacted]",
        ),
        (
            "https://b/k?X-Amz-Security-Token=IQoJb3Jp%2F&X-Amz-Signature=abcdef01&X-Amz-Date=20261120T100000Z",
            "https://b/k?X-Amz-Security-Token=[redacted]&X-Amz-Signature=[redacted]&X-Amz-Date=20261120T100000Z",
        ),
        (&format!("found {id}:{key} there"), "found [redacted] there"),
        (&format!("{{\"{id}\":\"{key}\"}}"), "{\"[redacted]\"}"),
        (&format!("{id} stopped"), "[redacted] stopped"),
    ] {
        let redacted = redact(line);
        assert_eq!(redacted, expected, "{line}");
        assert_eq!(redact(&redacted), redacted, "again: {line}");
    }
}

#[test]
fn what_looks_like_one_of_them_stays() {
    for line in [
        "mail to ops@example.com, user:bob2026@example.com, mailto:bob2026@example.com, <bob@example.com>",
        "owner: bob@example.com; from:alice1984@example.com",
        "ssh bob@host, git@github.com:acme/app.git, rsync app:data@host:/srv",
        "listening on 0.0.0.0:8080, db:5432, [::1]:8080 and localhost:3000",
        "GET http://localhost:8080 http://localhost:8080/ http://localhost:8080: refused",
        "connect to http://localhost:8080",
        "connect to \"postgres://db:5432\" or 'redis://cache:6379'",
        "set DATABASE_URL to postgres://host:port/name or postgres://$HOST:$PORT",
        "mongodb://h1:27017,h2:27017",
        "http://[fd00::1]:80",
        "image docker://nginx:latest",
        "ghcr.io/acme/agent:v0.2.0@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "localhost:5000/acme/agent:v1.2.3@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "npm:lodash4@4.17.21 pkg:npm/lodash@4.17.21 lodash@4.17.21",
        "arn:aws:ecs:eu-west-1:123456789012:task/dbward/8f1c2e7a9b3d4c5e8f1c2e7a9b3d4c5e",
        "arn:aws:iam::123456789012:role/agent-role-17 at arn:aws:sns:eu-west-1:123456789012:ops@x",
        "2026-11-20T10:04:29.123Z 10:04:30@node 12:30@room",
        "id 6a6bb1a8-0540-5d72-9369-e0f9e723f830 of c0ffee00c0ffee00c0ffee00c0ffee01",
        "celery@worker-1 ready; worker:3@node1; com.acme.Pool:conn@6d06d69c",
        "max_tokens=4096 \"stop_tokens\":[\"</s>\",\"User\"] \"tokens\":[1,2,3] \"tokens\":[\"the\",\"cat\"]",
        r#""secrets":[{"name":"DB_PASSWORD","valueFrom":"arn:aws:ssm:eu-west-1:123456789012:parameter/x"}]"#,
        "docker run -p 8080:80 -a stdout x; psql -p 5432 -U app; ssh -p 22 host; nc -p 80",
        "mysql: connection refused; mysql -u root -h db -P 3306; the login -prompt hangs",
        "redis-cli -h cache -p 6379 ping",
        "skipped sk-learn hf_hub gsk_ npm_config dapi SG.1 SK-17 r8_ xai-model AKIA hvs. pul-request",
        "hooks.slack.com/services/ answered 404; discord.com/api/webhooks/ answered 404",
        "commit 6d5bd24c94d85d9580ca116a8f4c59933d59df44 by 0f1e2d3",
        "see https://docs.example.com/a/b:c and https://example.com/users/@bob:here",
        "at connect (node:net:1555:16) at /app/node_modules/@acme/db:3:14",
        "at fn@https://cdn.example.com/app.js:10:3 sip:bob7@host:5060",
        "Cookie expired; cookie: none",
        "jdbc:oracle:thin:@db:1521/x jdbc:oracle:thin:@//db:1521/x",
        "customerEmail:bob1984@example.com controllers 1@b1:9093,2@b2:9093",
        "curl -u bob http://x:8080/; curl --url http://x:8080",
        "docker run --name mysql -p 3306:3306 mysql:8",
        "password: [FILTERED] token=[REDACTED]",
    ] {
        assert_eq!(redact(line), line);
    }
}

#[test]
fn private_keys_in_one_line_and_in_pieces() {
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    let (begin, end) = ("-----BEGIN EC PRIVATE KEY-----", "-----END EC PRIVATE KEY-----");
    for (line, expected) in [
        (format!(r"KEY={begin}\n{body}\nab12\n{end}\n ok"), r"KEY=[redacted]\n ok"),
        (format!(r#"{{"k":"{begin}\n{body}\n{end}\n","n":1}}"#), r#"{"k":"[redacted]\n","n":1}"#),
        (format!("{begin} {body} {body} {end} ok"), "[redacted] ok"),
        // Cut at the end, and at the beginning.
        (format!(r"KEY={begin}\n{body}\nab"), "KEY=[redacted]"),
        (format!(r"...\n{body}\nab12==\n{end}\n ok"), r"...[redacted]\n ok"),
        (format!("loading {body} {body} ab12 {end} ok"), "loading [redacted] ok"),
    ] {
        assert_eq!(redact(&line), expected, "{line}");
    }
    let lines = ["2026 loading", begin, "Proc-Type: 4,ENCRYPTED", body, body, "ab12==", end, "2026 done"];
    let kept = redacted_lines(lines);
    assert!(!kept.concat().contains("MIIE") && !kept.concat().contains("ab12"), "{kept:?}");
    assert_eq!(
        (kept.first().map(String::as_str), kept.last().map(String::as_str)),
        (Some("2026 loading"), Some("2026 done"))
    );
    let mut redactor = Redactor::default();
    assert_eq!(redactor.line(begin).as_deref(), Some(REDACTED));
    assert_eq!((redactor.line(body), redactor.line(end)), (None, None));
}
