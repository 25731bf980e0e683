//! What the fuzz targets of `fuzz/` call, and the test that replays their findings: bytes from anywhere into the code that
//! reads them. Each checks what must hold of whatever comes out, and panics when it does not.
//!
//! Not a part of the server: nothing else calls it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::LazyLock;

use app::types::{IMAGE_TYPES, Image};
use pool::Timestamp;
use secrecy::SecretString;

use crate::accounts::TokenSigner;
use crate::cache::canonical_form;
use crate::config::{self, Layers};
use crate::http::read_upload;
use crate::provider::{Content, fuzzing as provider};
use crate::url_guard;

/// Signs the tokens of the corpus.
const JWT_SECRET: &str = "fuzz-0123456789-abcdefghijklmnopqrstuvwxyz";
/// Thursday 15 January 2026, 12:00 UTC.
const NOW: Timestamp = Timestamp::from_millis(1_768_478_400_000);

/// A target: its name in `fuzz/`, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 8] = [
    ("cache_key", cache_key),
    ("error_body", error_body),
    ("gemini_request", gemini_request),
    ("jwt", jwt),
    ("settings", settings),
    ("sse", sse),
    ("upload", upload),
    ("url_guard", url_guard),
];

/// A provider's answer: its bytes, in two pieces after the first byte says where.
pub fn sse(data: &[u8]) {
    provider::answer(data);
}

/// A provider's refusal: status, `Retry-After` on the first line, and a body.
pub fn error_body(data: &[u8]) {
    provider::refusal(data);
}

/// A request in JSON, translated for the provider.
pub fn gemini_request(data: &[u8]) {
    let Some(request) = upload_of("application/json", data) else {
        return;
    };
    let content = Content {
        prompt: request.prompt,
        system: request.system,
        images: request.images,
        temperature: request.temperature,
        max_output_tokens: request.max_output_tokens,
    };
    provider::request(content, request.model.as_deref().unwrap_or("gemini-2.5-flash"));
}

/// Settings, a line each: `NAME=value`.
pub fn settings(data: &[u8]) {
    const CANARY: &str = "canary7f3a";
    let text = String::from_utf8_lossy(data);
    let environment: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        // Those name files of this machine.
        .filter(|(name, _)| !name.ends_with("_FILE") && !name.contains(CANARY))
        .map(|(name, value)| (name.to_owned(), value.replace('~', CANARY)))
        .collect();
    let layers = Layers {
        environment,
        ..Layers::default()
    };
    if let Err(mistakes) = config::check(&layers) {
        assert!(!mistakes.0.is_empty(), "refused for no reason");
        assert!(!mistakes.to_string().contains(CANARY), "a value is in: {mistakes}");
    }
}

/// An access token.
pub fn jwt(data: &[u8]) {
    static SIGNER: LazyLock<Option<TokenSigner>> =
        LazyLock::new(|| TokenSigner::new(&SecretString::from(JWT_SECRET)).ok());
    let (Some(signer), Ok(token)) = (SIGNER.as_ref(), std::str::from_utf8(data)) else {
        return;
    };
    if let Ok(claims) = signer.verify(token, NOW) {
        let now = NOW.as_millis() / 1000;
        assert!(claims.iss == "keypool" && claims.aud == "keypool-api" && !claims.sub.is_empty());
        assert!(claims.exp + 30 > now && claims.nbf <= now + 30, "{claims:?}");
        assert!(!signer.is_operator(token, NOW), "one token of two kinds");
    }
}

/// An address for a webhook, and an IP address.
pub fn url_guard(data: &[u8]) {
    if let Some(octets) = data.first_chunk::<16>() {
        let address = Ipv6Addr::from(*octets);
        if address.to_ipv4().is_some() || address.is_unique_local() || address.is_multicast() {
            assert!(!url_guard::is_public(IpAddr::V6(address)), "{address}");
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(url) = url_guard::check_url(text, &[]) {
        assert_eq!(url.scheme(), "https");
        assert!(url.username().is_empty() && url.password().is_none(), "{url}");
        let host = url.host_str().unwrap_or_default();
        assert!(!host.is_empty(), "{url}");
        // As whoever connects reads it.
        let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        if let Ok(address) = bare.parse::<IpAddr>() {
            assert!(url_guard::is_public(address), "{url}");
        }
        assert_eq!(
            url_guard::check_url(url.as_str(), &[]),
            Ok(url),
            "as it is written is as it is read"
        );
    }
}

/// An upload: multipart with the boundary `X`, or JSON when it begins with a brace.
pub fn upload(data: &[u8]) {
    let content_type = if data.first() == Some(&b'{') {
        "application/json"
    } else {
        "multipart/form-data; boundary=X"
    };
    if let Some(request) = upload_of(content_type, data) {
        assert!(!request.prompt.trim().is_empty());
        for image in &request.images {
            assert!(IMAGE_TYPES.contains(&image.mime_type.as_str()), "{}", image.mime_type);
        }
    }
}

fn upload_of(content_type: &'static str, data: &[u8]) -> Option<app::types::AnalyzeRequest> {
    static RUNTIME: LazyLock<Option<tokio::runtime::Runtime>> = LazyLock::new(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().build().ok()
    });
    let read = read_upload(content_type, data.to_vec());
    RUNTIME.as_ref()?.block_on(read).ok()
}

/// Two requests: the same form means the same request.
pub fn cache_key(data: &[u8]) {
    let mut fields = data.split(|byte| *byte == 0xff);
    let [one, two] = [request(&mut fields), request(&mut fields)];
    let form = |(tenant, model, content): &(String, String, Content)| canonical_form(tenant, model, content);
    // Two numbers that are not numbers are the same bits, and no number equals itself then.
    let is_number =
        |(_, _, content): &(String, String, Content)| content.temperature.is_none_or(|value| !value.is_nan());
    if is_number(&one) && is_number(&two) {
        let is_zero = |(_, _, content): &(String, String, Content)| content.temperature == Some(0.0);
        // 0 and -0 are equal and have two forms: at worst a call too many.
        assert!(
            form(&one) != form(&two) || one == two,
            "{one:?} and {two:?} have one form"
        );
        assert!(
            one != two || is_zero(&one) || form(&one) == form(&two),
            "{one:?} has two forms"
        );
    }
}

fn request<'a>(fields: &mut impl Iterator<Item = &'a [u8]>) -> (String, String, Content) {
    let mut text = || String::from_utf8_lossy(fields.next().unwrap_or_default()).into_owned();
    let (tenant, model, prompt, system, numbers) = (text(), text(), text(), text(), text());
    let images = (0..numbers.len() % 3).map(|_| Image {
        mime_type: text(),
        data: text(),
    });
    let content = Content {
        prompt,
        images: images.collect(),
        system: Some(system).filter(|text| !text.is_empty()),
        temperature: numbers.parse().ok(),
        max_output_tokens: numbers.parse().ok(),
    };
    (tenant, model, content)
}
