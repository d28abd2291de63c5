//! How a mail reaches the mail server, or does not.

use std::sync::Arc;
use std::time::Duration;

use countersign::flows::users::{self, NewUser};
use countersign::flows::{AdminFailure, Progress};
use countersign::http::admin::{self, AdminCommand};
use countersign::jobs::mails;
use countersign::store::mails::{self as queue, Waiting};
use countersign::store::outbox;
use serde_json::json;

use super::{delivered, waiting};
use crate::support::certificates::{Algorithm, Authority};
use crate::support::people;
use crate::support::server::caller;
use crate::support::smtp::{Manner, Smtp};
use crate::support::template::Directory;
use crate::support::{Engine, TestServer, race};

on_both_mailed![
    a_refused_mail_is_given_up_and_audited,
    a_mail_that_is_not_taken_now_is_tried_again,
    a_server_that_is_not_there_is_tried_for_three_days,
    a_tick_that_dies_after_sending_sends_the_same_mail_again,
    fifty_ticks_at_once_send_one_mail,
    whoever_lost_the_lease_settles_nothing,
    a_name_writes_no_header,
    a_link_that_is_over_is_not_sent,
    an_old_mail_is_swept,
    a_test_mail_says_what_is_in_the_way,
    a_refusal_for_another_reason_is_tried_again,
    a_domain_of_any_script_is_written_to,
    an_address_that_the_server_cannot_take_holds_up_nobody,
    a_test_that_fails_holds_up_nobody,
    a_letter_that_cannot_be_read_holds_up_nobody,
];

async fn tick(server: &TestServer) {
    mails::tick(&server.app).await.unwrap();
}

async fn not_sent(server: &TestServer) -> i64 {
    let sql = "SELECT COUNT(*) FROM audit_events WHERE kind = 'mail.not_sent'";
    server.number(sql).await
}

async fn a_refused_mail_is_given_up_and_audited(server: TestServer, smtp: Smtp) {
    people::invite(&server, "ada").await;
    smtp.answer(Manner::Answers(
        "RCPT",
        "550 5.1.1 <ada@mail.example> unknown",
    ));
    tick(&server).await;
    assert_eq!((waiting(&server).await, not_sent(&server).await), (0, 1));
    smtp.answer(Manner::Takes);
    server.advance(4000);
    assert!(delivered(&server, &smtp).await.is_empty());
}

async fn a_mail_that_is_not_taken_now_is_tried_again(server: TestServer, smtp: Smtp) {
    people::invite(&server, "ada").await;
    for (command, reply) in [("MAIL", "451 4.3.0 later"), ("RCPT", "450 4.2.1 grey")] {
        smtp.answer(Manner::Answers(command, reply));
        tick(&server).await;
        assert_eq!((waiting(&server).await, not_sent(&server).await), (1, 0));
        smtp.answer(Manner::Takes);
        tick(&server).await;
        assert!(smtp.take().is_empty(), "it waits a while");
        server.advance(121);
    }
    assert_eq!(delivered(&server, &smtp).await.len(), 1);
    assert_eq!(waiting(&server).await, 0);
}

async fn a_server_that_is_not_there_is_tried_for_three_days(server: TestServer, smtp: Smtp) {
    server.person("ada").await;
    smtp.stop().await;
    for _ in 0..80 {
        tick(&server).await;
        server.advance(3601);
    }
    tick(&server).await;
    assert_eq!(waiting(&server).await, 0);
    // The invitation was over before, and nobody needs to know that it was not sent.
    assert_eq!(not_sent(&server).await, 1);
}

async fn a_tick_that_dies_after_sending_sends_the_same_mail_again(server: TestServer, smtp: Smtp) {
    people::invite(&server, "ada").await;
    smtp.answer(Manner::HangsAfterData);
    let app = Arc::clone(&server.app);
    let dying = tokio::spawn(async move { mails::tick(&app).await });
    smtp.arrival().await;
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());
    let server = server.restart().await;
    smtp.answer(Manner::Takes);
    tick(&server).await;
    let first = smtp.take();
    assert_eq!(first.len(), 1, "the dead one still has its lease");
    people::invite(&server, "bea").await;
    server.advance(301);
    let letters = delivered(&server, &smtp).await;
    assert_eq!(letters.len(), 2);
    let again = letters.iter().find(|got| got.to.starts_with("ada"));
    let again = again.unwrap();
    assert_eq!(again.header("Message-ID"), first[0].header("Message-ID"));
    assert_eq!(again.header("Date"), first[0].header("Date"));
    assert_eq!(again.text(), first[0].text());
}

async fn fifty_ticks_at_once_send_one_mail(server: TestServer, smtp: Smtp) {
    people::invite(&server, "ada").await;
    race(50, |_| {
        let app = Arc::clone(&server.app);
        async move { mails::tick(&app).await.unwrap() }
    })
    .await;
    assert_eq!(smtp.take().len(), 1);
    assert_eq!(waiting(&server).await, 0);
}

async fn whoever_lost_the_lease_settles_nothing(server: TestServer, _smtp: Smtp) {
    people::invite(&server, "ada").await;
    let store = &server.app.store;
    let now = server.app.clock.now();
    let mut leased = Vec::new();
    for minutes in [0, 6] {
        let now = now.plus(Duration::from_mins(minutes));
        let until = now.plus(Duration::from_mins(5));
        let due = store.read(move |tx| Box::pin(queue::due(tx, now, 9)));
        let found = due.await.unwrap().remove(0);
        let taken = store.write(move |tx| Box::pin(outbox::lease(tx, found, (now, until))));
        leased.extend(taken.await.unwrap());
        let due = store.read(move |tx| Box::pin(queue::due(tx, now, 9)));
        assert!(due.await.unwrap().is_empty(), "it is leased");
    }
    let settle = async |which: &Waiting, again| {
        let which = which.clone();
        let settled = store
            .write(move |tx| Box::pin(async move { outbox::settle(tx, &which, again).await }))
            .await;
        settled.unwrap()
    };
    for again in [None, Some(now)] {
        assert!(!settle(&leased[0], again).await, "it is somebody else's");
    }
    assert_eq!(waiting(&server).await, 1);
    assert!(settle(&leased[1], Some(now)).await && settle(&leased[1], None).await);
    assert!(!settle(&leased[1], None).await, "it is settled");
    assert_eq!(waiting(&server).await, 0);
}

async fn a_name_writes_no_header(server: TestServer, smtp: Smtp) {
    let mut claims = people::claims("ada");
    let name = "Ada\r\nBcc: evil@evil.example\r\n\r\n<b>Hello";
    claims.insert("name".to_owned(), json!(name));
    let new = NewUser {
        username: "ada".to_owned(),
        claims,
    };
    if users::invite(&server.app, new, &caller()).await.is_err() {
        // It is not even taken.
        return;
    }
    let letters = delivered(&server, &smtp).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].header("Bcc"), "");
    assert!(!letters[0].html().contains("<b>Hello"));
    let rcpt = smtp.commands().into_iter();
    assert_eq!(rcpt.filter(|line| line.starts_with("RCPT")).count(), 1);
}

async fn a_link_that_is_over_is_not_sent(server: TestServer, smtp: Smtp) {
    people::invite(&server, "ada").await;
    server.advance(24 * 3600 + 1);
    assert!(delivered(&server, &smtp).await.is_empty());
    assert_eq!(waiting(&server).await, 0);
}

async fn an_old_mail_is_swept(server: TestServer, smtp: Smtp) {
    people::invite(&server, "ada").await;
    server.advance(97 * 3600);
    countersign::jobs::cleaner::tick(&server.app).await.unwrap();
    assert_eq!(waiting(&server).await, 0);
    assert!(smtp.take().is_empty());
}

async fn a_test_mail_says_what_is_in_the_way(server: TestServer, smtp: Smtp) {
    let send = async |server: &TestServer, to: &str| {
        let command = AdminCommand::MailTest { to: to.to_owned() };
        let done = admin::execute(&server.app, command, &caller(), &Progress::none()).await;
        match done {
            Ok(_) => String::new(),
            Err(AdminFailure::Refused(why)) => why,
            Err(AdminFailure::Fault(fault)) => panic!("{fault}"),
        }
    };
    assert_eq!(send(&server, "ops@bank.example").await, "");
    let letters = smtp.take();
    assert_eq!(letters[0].header("Subject"), "Test mail");
    assert_eq!(letters[0].to, "ops@bank.example");
    assert!(send(&server, "nobody").await.contains("check the address"));
    smtp.answer(Manner::Answers("RCPT", "550 no"));
    assert!(send(&server, "ops@bank.example").await.contains("550"));
    smtp.stop().await;
    let why = send(&server, "ops@bank.example").await;
    assert!(why.contains("mail.host"), "{why}");
    let silent = TestServer::start(server.engine).await;
    let why = send(&silent, "ops@bank.example").await;
    assert!(why.starts_with("mail is not configured; "), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_starttls_nothing_is_sent() {
    let smtp = Smtp::start().await;
    let server = TestServer::start_with(Engine::Sqlite, |file| {
        smtp.configure(file);
        file.mail.security = "starttls".to_owned();
    })
    .await;
    people::invite(&server, "ada").await;
    tick(&server).await;
    assert_eq!((smtp.take().len(), waiting(&server).await), (0, 1));
    let commands = smtp.commands();
    assert!(
        !commands.iter().any(|line| line.starts_with("MAIL")),
        "{commands:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_starttls_it_is_sent_under_a_certificate_that_is_trusted_alone() {
    let directory = Directory::new();
    let authority = Authority::new();
    let files = authority.issue(directory.path(), "localhost", Algorithm::Ecdsa, 2035);
    let ca = directory.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let smtp = Smtp::start_tls(&files.certificate, &files.key).await;
    for trusted in [true, false] {
        let server = TestServer::start_with(Engine::Sqlite, |file| {
            smtp.configure(file);
            let mail = &mut file.mail;
            mail.security = "starttls".to_owned();
            mail.username = Some("countersign".to_owned());
            mail.password = Some("mail password".to_owned());
            mail.ca_file = trusted.then(|| ca.clone());
        })
        .await;
        people::invite(&server, "ada").await;
        tick(&server).await;
        let letters = smtp.take();
        assert_eq!(letters.len(), usize::from(trusted));
        assert!(letters.iter().all(|got| got.sealed));
    }
}

async fn a_refusal_for_another_reason_is_tried_again(server: TestServer, smtp: Smtp) {
    people::invite(&server, "ada").await;
    for (command, reply) in [
        ("RCPT", "550 5.7.1 relaying denied"),
        ("RCPT", "550 no"),
        ("MAIL", "550 5.1.8 bad sender"),
        ("DATA", "554 5.6.0 not now"),
    ] {
        smtp.answer(Manner::Answers(command, reply));
        tick(&server).await;
        let left = (waiting(&server).await, not_sent(&server).await);
        assert_eq!(left, (1, 0), "{reply}");
        server.advance(3601);
    }
    smtp.answer(Manner::Takes);
    assert_eq!(delivered(&server, &smtp).await.len(), 1);
}

async fn invite_at(server: &TestServer, username: &str, address: &str) {
    let mut claims = people::claims(username);
    claims.insert("email".to_owned(), json!(address));
    let new = NewUser {
        username: username.to_owned(),
        claims,
    };
    users::invite(&server.app, new, &caller()).await.unwrap();
}

async fn a_domain_of_any_script_is_written_to(server: TestServer, smtp: Smtp) {
    invite_at(&server, "ada", "ada@müller.example").await;
    let letters = delivered(&server, &smtp).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].to, "ada@xn--mller-kva.example");
}

async fn an_address_that_the_server_cannot_take_holds_up_nobody(server: TestServer, smtp: Smtp) {
    invite_at(&server, "ada", "åda@mail.example").await;
    tick(&server).await;
    assert_eq!((waiting(&server).await, not_sent(&server).await), (0, 1));
    people::invite(&server, "bea").await;
    tick(&server).await;
    assert_eq!(smtp.take().len(), 1, "without a rest");
}

async fn a_test_that_fails_holds_up_nobody(server: TestServer, smtp: Smtp) {
    people::invite(&server, "ada").await;
    smtp.answer(Manner::Answers("MAIL", "530 5.7.0 authenticate first"));
    let command = AdminCommand::MailTest {
        to: "ops@bank.example".to_owned(),
    };
    let done = admin::execute(&server.app, command, &caller(), &Progress::none()).await;
    assert!(done.is_err());
    smtp.answer(Manner::Takes);
    tick(&server).await;
    assert_eq!(smtp.take().len(), 1);
}

async fn a_letter_that_cannot_be_read_holds_up_nobody(server: TestServer, smtp: Smtp) {
    people::invite(&server, "ada").await;
    server.behind("UPDATE mails SET content = id").await;
    tick(&server).await;
    assert_eq!((waiting(&server).await, not_sent(&server).await), (0, 1));
    assert!(smtp.take().is_empty());
}
