//! Which redirects are followed, and what goes along.

use super::*;

const MOVED: &str = "HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn follows_redirects_on_the_same_host_only() {
    let (outcome, asked) = answered(|_| (), &[MOVED, MOVED, OK]).await;
    passes(&outcome);
    assert_eq!(asked.len(), 3);
    assert!(asked[2].starts_with("GET /next HTTP/1.1\r\n"), "{asked:?}");
    assert!(!asked[2].contains("referer"), "{asked:?}");

    let (outcome, asked) = answered(|settings| settings.redirects = 1, &[MOVED]).await;
    fails(&outcome, Reason::UnexpectedStatus);
    assert_eq!(asked.len(), 2);
    assert_eq!(message(&outcome), "status 302, expected 2xx, and its redirect is not followed");

    let (outcome, asked) = answered(|settings| settings.redirects = 0, &[MOVED]).await;
    fails(&outcome, Reason::UnexpectedStatus);
    assert_eq!(asked.len(), 1);

    let away = "HTTP/1.1 302 Found\r\nLocation: http://localhost:1/login\r\nContent-Length: 0\r\n\r\n";
    let (outcome, _) = answered(|_| (), &[away]).await;
    fails(&outcome, Reason::UnexpectedStatus);
    assert_eq!(status(&outcome), 302.0);
}

#[tokio::test]
async fn a_redirect_that_is_expected_is_the_answer() {
    let expected = |settings: &mut Settings| {
        settings.expect.status = Statuses(OneOrMany(vec![Codes::parse("302").unwrap()]));
        let location = HeaderName::from_static("location");
        settings.expect.header.push((location, Pattern::parse("/next").unwrap()));
    };
    let (outcome, asked) = answered(expected, &[MOVED, OK]).await;
    passes(&outcome);
    assert_eq!(status(&outcome), 302.0);
    assert_eq!(asked.len(), 1);
}

#[tokio::test]
async fn what_is_configured_goes_only_to_its_own_origin() {
    let secrets = |settings: &mut Settings| {
        settings.headers.insert(HeaderName::from_static("x-api-key"), HeaderValue::from_static("hush"));
        settings.url.set_username("me").unwrap();
        settings.url.set_password(Some("hush")).unwrap();
    };
    let (outcome, asked) = answered(secrets, &[MOVED, OK]).await;
    passes(&outcome);
    for request in &asked {
        assert!(
            request.contains("x-api-key: hush") && request.contains("authorization: Basic "),
            "{request}"
        );
    }

    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port();
    let away =
        format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{port}/\r\nContent-Length: 0\r\n\r\n");
    let there = async {
        let mut stream = other.accept().await.unwrap().0;
        let asked = request(&mut stream).await;
        stream.write_all(OK.as_bytes()).await.unwrap();
        asked
    };
    let answers = [away.as_str()];
    let ((outcome, _), asked) = tokio::join!(answered(secrets, &answers), there);
    passes(&outcome);
    for secret in ["hush", "x-api-key", "authorization"] {
        assert!(!asked.contains(secret), "{asked}");
    }
    assert!(asked.contains(&format!("host: 127.0.0.1:{port}\r\n")), "{asked}");
}

#[tokio::test]
async fn a_body_goes_along_only_where_the_status_says_so_and_never_to_another_origin() {
    let post = |settings: &mut Settings| {
        settings.method = Verb::Post;
        settings.body = Some(Secret::new("hush"));
    };
    let kept = MOVED.replace("302 Found", "307 Temporary Redirect");
    let (outcome, asked) = answered(post, &[&kept, OK]).await;
    passes(&outcome);
    assert!(asked[1].starts_with("POST /next ") && asked[1].contains("content-length: 4\r\n"), "{asked:?}");

    let (outcome, asked) = answered(post, &[MOVED, OK]).await;
    passes(&outcome);
    assert!(asked[1].starts_with("GET /next ") && !asked[1].contains("content-length"), "{asked:?}");

    let away = kept.replace("/next", "http://127.0.0.1:1/");
    let (outcome, asked) = answered(post, &[&away]).await;
    fails(&outcome, Reason::UnexpectedStatus);
    assert_eq!(asked.len(), 1);
}
