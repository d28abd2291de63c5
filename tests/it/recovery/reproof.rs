//! Two operators let a person set up her sign-in anew (NIST SP 800-63B-4 §4.2.2.2).

use std::sync::Arc;

use countersign::flows::{Progress, reproof, sessions, users};
use countersign::http::admin::{self, AdminCommand, AdminReply, ReProofStep};
use countersign::store::users::UserState;

use super::{events, newest, operate};
use crate::support::authenticator::person_with;
use crate::support::people::{self, PASSWORD, Person};
use crate::support::server::caller;
use crate::support::{Browser, Spec, TestServer, race};

on_both![
    two_operators_let_her_in_again_and_everything_before_ends,
    one_operator_cannot_do_it_twice,
    it_cannot_be_approved_before_she_had_time_to_object,
    it_is_over_when_nobody_approves_it_in_time,
    its_link_is_over_after_a_day,
    she_cancels_it_from_her_account_page,
    an_operator_cancels_it_and_its_link_opens_nothing,
    a_dispute_cancels_it,
    its_link_is_good_once,
    fifty_approvals_at_once_make_one_link,
    fifty_last_steps_at_once_count_once,
    until_the_end_nothing_changes,
    only_an_account_that_was_set_up_is_reproofed,
    whoever_holds_her_factors_is_put_out_by_disabling_first,
    an_account_without_a_factor_is_no_invited_one,
    the_request_of_a_session_that_was_ended_cancels_nothing,
    what_one_operator_hides_is_no_other_operator,
    an_ended_password_needs_two_operators,
    whoever_lost_her_only_key_signs_in_and_comes_back_by_it,
];

const DAY: u64 = 24 * 3600;

fn step(by: &str, step: ReProofStep) -> AdminCommand {
    AdminCommand::UserReProof {
        user: "ada".to_owned(),
        by: by.to_owned(),
        step,
    }
}

/// Begins for ada.
pub async fn begin(server: &TestServer, by: &str) -> Result<AdminReply, String> {
    operate(server, step(by, ReProofStep::Begin)).await
}

/// Approves, and gives the path of the link.
pub async fn approve(server: &TestServer, by: &str) -> Result<String, String> {
    let AdminReply::Invite(invite) = operate(server, step(by, ReProofStep::Approve)).await? else {
        panic!("no link");
    };
    let link = invite.link.0.expose().to_owned();
    Ok(link.strip_prefix(&server.issuer).unwrap().to_owned())
}

/// Begins, waits and approves.
pub async fn link(server: &TestServer) -> String {
    begin(server, "Olga").await.unwrap();
    server.advance(DAY);
    approve(server, "Otto").await.unwrap()
}

/// Opens the link and goes up to the last step; gives what the browser must post there.
async fn up_to_the_end(server: &TestServer, ada: &Person, link: &str) -> (Browser, Person, String) {
    let almost = people::go_through(server, "ada", ada.id, link).await;
    let asked = people::asked_code(&almost.page, &almost.person);
    (almost.browser, almost.person, asked)
}

pub async fn recover(server: &TestServer, ada: &Person, link: &str) -> Person {
    let (mut browser, person, asked) = up_to_the_end(server, ada, link).await;
    let page = browser
        .post("/activate/codes", &[("confirm", &asked)])
        .await;
    assert_eq!(page.status, 200, "{}", page.body);
    // The epoch of everything from before reaches a little ahead.
    server.advance(30);
    person
}

async fn enters(server: &TestServer, person: &Person) -> bool {
    let mut browser = server.browser();
    browser.sign_in(server, person).await;
    browser.is_signed_in().await
}

async fn two_operators_let_her_in_again_and_everything_before_ends(server: TestServer) {
    let ada = server.person("ada").await;
    let client = server.register(Spec::confidential("budget")).await;
    let mut old = server.browser();
    let tokens = old
        .code_flow(&server, &client, &ada, "openid offline_access")
        .await;
    let link = link(&server).await;
    old.sign_in(&server, &ada).await;
    assert!(old.is_signed_in().await, "until then it goes on");
    let new = recover(&server, &ada, &link).await;
    assert!(!old.is_signed_in().await);
    assert!(!enters(&server, &ada).await, "the old app counts no more");
    let refreshed = client.refresh(&server, &tokens.refresh).await;
    assert_eq!(refreshed.status, 400);
    let mut browser = server.browser();
    let old_code = &ada.recovery_codes[0];
    browser.try_sign_in("ada", PASSWORD, old_code).await;
    assert!(!browser.is_signed_in().await);
    assert!(enters(&server, &new).await);
    let grants = "SELECT COUNT(*) FROM grants WHERE revoked_at IS NULL";
    assert_eq!(server.number(grants).await, 0);
    for kind in ["recovery.begun", "recovery.approved", "recovery.finished"] {
        assert_eq!(events(&server, kind).await, 1, "{kind}");
    }
}

async fn one_operator_cannot_do_it_twice(server: TestServer) {
    server.person("ada").await;
    begin(&server, "Olga").await.unwrap();
    server.advance(DAY);
    for same in ["Olga", " olga ", "OLGA", "0lga", "O1ga", "Ölga"] {
        let why = approve(&server, same).await.unwrap_err();
        assert!(why.contains("another operator"), "{why}");
    }
    assert!(approve(&server, "").await.is_err());
    // Its first letter is a Cyrillic one.
    let why = approve(&server, "Оlga").await.unwrap_err();
    assert!(why.contains("several scripts"), "{why}");
    assert_eq!(events(&server, "recovery.refused").await, 6);
    assert_eq!(
        server
            .number("SELECT COUNT(*) FROM invites WHERE used_at IS NULL")
            .await,
        0
    );
    approve(&server, "Otto").await.unwrap();
}

async fn it_cannot_be_approved_before_she_had_time_to_object(server: TestServer) {
    server.person("ada").await;
    begin(&server, "Olga").await.unwrap();
    server.advance(DAY - 1);
    let why = approve(&server, "Otto").await.unwrap_err();
    assert!(why.contains("time to object"), "{why}");
    assert!(begin(&server, "Otto").await.is_err(), "one at a time");
    server.advance(1);
    approve(&server, "Otto").await.unwrap();
}

async fn it_is_over_when_nobody_approves_it_in_time(server: TestServer) {
    server.person("ada").await;
    begin(&server, "Olga").await.unwrap();
    server.advance(4 * DAY);
    assert!(approve(&server, "Otto").await.is_err());
    begin(&server, "Otto").await.unwrap();
    server.advance(DAY);
    assert!(approve(&server, "Otto").await.is_err());
    approve(&server, "Olga").await.unwrap();
}

async fn its_link_is_over_after_a_day(server: TestServer) {
    let ada = server.person("ada").await;
    let link = link(&server).await;
    server.advance(DAY);
    let page = server.browser().get(&link).await;
    assert_eq!(page.status, 410);
    assert!(enters(&server, &ada).await);
}

async fn she_cancels_it_from_her_account_page(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    assert!(
        browser
            .get("/account")
            .await
            .form("/recovery/cancel")
            .is_none()
    );
    begin(&server, "Olga").await.unwrap();
    let page = browser.get("/account").await;
    let action = page.form("/recovery/cancel").unwrap();
    let page = browser
        .post_from(&action, &[], Some("https://evil.example"))
        .await;
    assert_eq!(page.status, 403);
    let page = browser.post(&action, &[]).await;
    assert_eq!(page.location(), "/account?recovery");
    server.advance(DAY);
    assert!(approve(&server, "Otto").await.is_err());
    assert_eq!(events(&server, "recovery.cancelled").await, 1);
    browser.post(&action, &[]).await;
    assert_eq!(events(&server, "recovery.cancelled").await, 1);
}

async fn an_operator_cancels_it_and_its_link_opens_nothing(server: TestServer) {
    let ada = server.person("ada").await;
    let link = link(&server).await;
    let (mut browser, _, asked) = up_to_the_end(&server, &ada, &link).await;
    operate(&server, step("Oscar", ReProofStep::Cancel))
        .await
        .unwrap();
    let page = browser
        .post("/activate/codes", &[("confirm", &asked)])
        .await;
    assert_eq!(page.status, 410);
    assert_eq!(server.browser().get(&link).await.status, 410);
    assert!(enters(&server, &ada).await);
    assert!(
        operate(&server, step("Oscar", ReProofStep::Cancel))
            .await
            .is_err()
    );
}

async fn a_dispute_cancels_it(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    begin(&server, "Olga").await.unwrap();
    browser.post("/account/not-me", &[]).await;
    server.advance(DAY);
    assert!(approve(&server, "Otto").await.is_err());
}

async fn its_link_is_good_once(server: TestServer) {
    let ada = server.person("ada").await;
    let link = link(&server).await;
    let (mut second, _, late) = up_to_the_end(&server, &ada, &link).await;
    let new = recover(&server, &ada, &link).await;
    assert_eq!(server.browser().get(&link).await.status, 410);
    let page = second.post("/activate/codes", &[("confirm", &late)]).await;
    assert_eq!(page.status, 410);
    assert!(approve(&server, "Otto").await.is_err());
    assert!(enters(&server, &new).await);
}

async fn fifty_approvals_at_once_make_one_link(server: TestServer) {
    server.person("ada").await;
    begin(&server, "Olga").await.unwrap();
    server.advance(DAY);
    let made = race(50, |n| {
        let app = Arc::clone(&server.app);
        async move {
            let command = step(&format!("Otto {n}"), ReProofStep::Approve);
            admin::execute(&app, command, &caller(), &Progress::none())
                .await
                .is_ok()
        }
    })
    .await;
    assert_eq!(made.into_iter().filter(|made| *made).count(), 1);
    assert_eq!(events(&server, "recovery.approved").await, 1);
}

async fn fifty_last_steps_at_once_count_once(server: TestServer) {
    let ada = server.person("ada").await;
    let link = link(&server).await;
    let (browser, new, asked) = up_to_the_end(&server, &ada, &link).await;
    let pages = race(50, |_| {
        let (mut browser, asked) = (browser.clone(), asked.clone());
        async move {
            browser
                .post("/activate/codes", &[("confirm", &asked)])
                .await
        }
    })
    .await;
    assert_eq!(pages.iter().filter(|page| page.status == 200).count(), 1);
    assert_eq!(events(&server, "recovery.finished").await, 1);
    server.advance(30);
    assert!(enters(&server, &new).await);
}

async fn until_the_end_nothing_changes(server: TestServer) {
    let ada = server.person("ada").await;
    let link = link(&server).await;
    up_to_the_end(&server, &ada, &link).await;
    assert!(enters(&server, &ada).await);
    let why = users::reinvite(&server.app, "ada", &caller()).await;
    assert!(why.is_err(), "an invitation by one is no way around");
}

async fn only_an_account_that_was_set_up_is_reproofed(server: TestServer) {
    assert!(begin(&server, "Olga").await.is_err(), "nobody");
    people::invite(&server, "ada").await;
    let why = begin(&server, "Olga").await.unwrap_err();
    assert!(why.contains("user invite"), "{why}");
    users::disable(&server.app, "ada", &caller()).await.unwrap();
    let why = begin(&server, "Olga").await.unwrap_err();
    assert!(why.contains("user enable"), "{why}");
}

async fn an_ended_password_needs_two_operators(server: TestServer) {
    let ada = server.person("ada").await;
    // As after a hundred failures in a row.
    server.behind("UPDATE users SET password = NULL").await;
    let Err(countersign::flows::AdminFailure::Refused(why)) =
        users::reinvite(&server.app, "ada", &caller()).await
    else {
        panic!("one operator did it");
    };
    assert!(why.contains("re-proof"), "{why}");
    let link = link(&server).await;
    let new = recover(&server, &ada, &link).await;
    assert!(enters(&server, &new).await);
}

async fn whoever_lost_her_only_key_signs_in_and_comes_back_by_it(server: TestServer) {
    const CODES: &str = "/account/recovery-codes";
    let (ada, _lost) = person_with(&server, "ada", "passkey").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    for (path, status) in [
        ("/account/data", 200),
        ("/account/close", 303),
        (CODES, 403),
    ] {
        let code = ada.next_code(&server);
        let form = [("current", PASSWORD), ("code", code.as_str())];
        let page = browser.post(path, &form).await;
        assert_eq!(page.status, status, "{path}: {}", page.body);
    }
    let link = link(&server).await;
    let new = recover(&server, &ada, &link).await;
    browser.sign_in(&server, &new).await;
    // The key is gone, so that a code is again the strongest that she has.
    let code = new.next_code(&server);
    let form = [("current", PASSWORD), ("code", code.as_str())];
    let page = browser.post(CODES, &form).await;
    assert_eq!(page.location(), CODES, "{}", page.body);
}

/// He objects as soon as she may come back; a disabled account has nobody who could.
async fn whoever_holds_her_factors_is_put_out_by_disabling_first(server: TestServer) {
    let ada = server.person("ada").await;
    let mut intruder = server.browser();
    intruder.sign_in(&server, &ada).await;
    begin(&server, "Olga").await.unwrap();
    users::disable(&server.app, "ada", &caller()).await.unwrap();
    server.advance(DAY);
    assert!(approve(&server, "Otto").await.is_err(), "it ended, too");
    server.behind("UPDATE users SET close_asked_at = 1").await;
    begin(&server, "Olga").await.unwrap();
    server.advance(DAY);
    let link = approve(&server, "Otto").await.unwrap();
    for action in ["/account/recovery/cancel", "/account/not-me"] {
        assert_eq!(intruder.post(action, &[]).await.location(), "/sign-in");
    }
    assert!(!enters(&server, &ada).await);
    let new = recover(&server, &ada, &link).await;
    assert!(!enters(&server, &ada).await, "he holds nothing any more");
    assert!(enters(&server, &new).await);
    assert_eq!(events(&server, "recovery.cancelled").await, 0);
    let wished = "SELECT COUNT(*) FROM users WHERE close_asked_at IS NOT NULL";
    assert_eq!(server.number(wished).await, 0, "his wish to close it, too");
}

/// One operator alone would take over what was set up.
async fn an_account_without_a_factor_is_no_invited_one(server: TestServer) {
    server.person("ada").await;
    for gone in [
        "DELETE FROM totp_factors",
        "DELETE FROM recovery_codes",
        "DELETE FROM recovery_sets",
        "UPDATE users SET password = NULL",
    ] {
        server.behind(gone).await;
    }
    users::disable(&server.app, "ada", &caller()).await.unwrap();
    let enabled = users::enable(&server.app, "ada", &caller()).await.unwrap();
    assert_eq!(enabled.state, UserState::Active);
    // As an earlier version left it.
    server.behind("UPDATE users SET state = 'invited'").await;
    assert!(
        users::reinvite(&server.app, "ada", &caller())
            .await
            .is_err()
    );
    let open = "SELECT COUNT(*) FROM invites WHERE used_at IS NULL";
    assert_eq!(server.number(open).await, 0);
    users::disable(&server.app, "ada", &caller()).await.unwrap();
    begin(&server, "Olga").await.unwrap();
}

async fn the_request_of_a_session_that_was_ended_cancels_nothing(server: TestServer) {
    let ada = server.person("ada").await;
    let mut intruder = server.browser();
    intruder.sign_in(&server, &ada).await;
    let cookie = intruder.cookie("session");
    let held = sessions::current(&server.app, Some(&cookie)).await;
    let held = held.unwrap().unwrap();
    users::disable(&server.app, "ada", &caller()).await.unwrap();
    begin(&server, "Olga").await.unwrap();
    let cancelled = reproof::cancel_own(&server.app, &held, &caller()).await;
    assert!(!cancelled.unwrap());
    server.advance(DAY);
    approve(&server, "Otto").await.unwrap();
}

async fn what_one_operator_hides_is_no_other_operator(server: TestServer) {
    server.person("ada").await;
    begin(&server, "Olga").await.unwrap();
    server.advance(DAY);
    for same in ["Ｏｌｇａ", "olga\u{a0}"] {
        let why = approve(&server, same).await.unwrap_err();
        assert!(why.contains("another operator"), "{why}");
    }
    for hidden in ["ol\u{200b}ga", "olga\u{2060}", "\u{202e}olga"] {
        assert!(approve(&server, hidden).await.is_err(), "{hidden:?}");
    }
    approve(&server, "Otto").await.unwrap();
    let event = newest(&server, "recovery.approved").await;
    assert_eq!(event["detail"]["begun_by"], "olga");
    assert_eq!(event["detail"]["by"], "otto");
    assert_eq!(event["detail"]["told"], "no_way");
}
