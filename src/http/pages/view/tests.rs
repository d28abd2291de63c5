use super::*;
use crate::words::Lang;

fn chrome() -> Chrome {
    Chrome {
        institution: "Meridian Bank".into(),
        help_phone: Some("+31 (20) 555-0100".into()),
        css_href: "/static/countersign.css?v=1".into(),
        reveal_href: "/static/reveal.js?v=1".into(),
        keys_href: Some("/static/passkeys.js?v=1".into()),
        logo: None,
        logo_dark: None,
        languages: Lang::ALL.to_vec(),
        say: Lang::En.words(),
        here: "/sign-in".into(),
        issuer: "https://id.meridian.example/bank".into(),
    }
}

fn sign_in(chrome: &Chrome, problem: Option<Problem>) -> SignIn<'_> {
    SignIn {
        chrome,
        action: "/sign-in/1".into(),
        asked_by: Some("<script>x</script>".into()),
        username: "\"><b>ada".into(),
        problem,
        cancel_action: Some("/cancel/1".into()),
        reason: None,
        upstream: None,
    }
}

#[test]
fn what_people_and_clients_wrote_is_escaped() -> askama::Result<()> {
    let chrome = chrome();
    let page = sign_in(&chrome, None).render()?;
    assert!(!page.contains("<script>"));
    let own = page.matches("<script src=\"/static/").count();
    assert_eq!(
        page.matches("<script").count(),
        own,
        "our own, by their addresses"
    );
    assert!(!page.contains("<b>ada"));
    assert!(page.contains("&#60;script&#62;"));
    Ok(())
}

#[test]
fn an_error_starts_the_title_and_takes_the_focus() -> askama::Result<()> {
    let chrome = chrome();
    let page = sign_in(&chrome, Some(Problem::of("These details don’t match."))).render()?;
    assert!(page.contains("<title>Error: Sign in"));
    assert!(page.contains("role=\"alert\" tabindex=\"-1\" autofocus"));
    assert!(!page.contains("aria-invalid"), "one verdict names no field");
    assert!(!sign_in(&chrome, None).render()?.contains("Error: "));
    Ok(())
}

#[test]
fn a_field_points_to_its_error_and_its_hint() -> askama::Result<()> {
    let chrome = chrome();
    let problem = Problem::of("Not saved.").field("password", "Too short.");
    let page = ActivatePassword {
        chrome: &chrome,
        action: "/a".into(),
        username: "ada".into(),
        problem: Some(problem),
    }
    .render()?;
    assert!(
        page.contains("aria-invalid=\"true\" aria-describedby=\"password-error password-hint\"")
    );
    assert!(page.contains("id=\"password-error\""));
    assert!(page.contains("href=\"#password\""));
    assert!(!page.contains("id=\"repeat-error\""));
    Ok(())
}

#[test]
fn the_page_with_a_qr_code_stays_under_fourteen_kibibytes() -> Result<(), Box<dyn std::error::Error>>
{
    let url = format!(
        "otpauth://totp/{0}:{0}?secret={0}&issuer={0}",
        "A".repeat(32)
    );
    let chrome = chrome();
    let page = ActivateFactor {
        chrome: &chrome,
        action: "/a".into(),
        passkey_action: Some("/p".into()),
        qr: Qr::of(&url)?,
        key_groups: vec!["AAAA".into(); 8],
        account_label: "Meridian Bank: ada".into(),
        otpauth_url: url,
        problem: None,
    }
    .render()?;
    assert!(page.len() < 14 * 1024, "{} bytes", page.len());
    assert!(
        !page.contains("style="),
        "the content security policy refuses inline styles"
    );
    Ok(())
}

#[test]
fn the_form_post_script_carries_its_nonce_and_the_button_stays() -> askama::Result<()> {
    let chrome = chrome();
    let page = FormPost {
        chrome: &chrome,
        action: "https://app.example/cb".into(),
        fields: vec![("state".into(), "\"&<".into())],
        client_name: "Pocket Budget".into(),
        nonce: "abc".into(),
    }
    .render()?;
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("<script nonce=\"abc\">"));
    assert!(page.contains("name=\"state\" value=\"&#34;&#38;&#60;\""));
    assert!(page.contains("<button class=\"primary\">Continue</button>"));
    Ok(())
}

#[test]
fn the_chrome_words_its_address_and_its_telephone() {
    let chrome = chrome();
    assert_eq!(chrome.host(), "id.meridian.example");
    assert_eq!(chrome.help_href().as_deref(), Some("tel:+31205550100"));
    assert_eq!(chrome.initial(), "M");
}
