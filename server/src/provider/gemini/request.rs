//! What is asked: address, key header and body.

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::provider::{Call, Content, Mode};

const KEY_HEADER: &str = "x-goog-api-key";

/// The provider's address, checked once.
#[derive(Debug, Clone)]
pub(super) struct Address(Url);

impl Address {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        plain.then_some(Self(url))
    }

    /// `…/v1beta/models/{name}`, where `name` is one path segment whatever is in it.
    fn model(&self, name: &str) -> Url {
        let mut url = self.0.clone();
        // Never an error: http and https addresses have a path.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["v1beta", "models", name]);
        }
        url
    }
}

/// `None` when the secret cannot be a key.
pub(super) fn generate(address: &Address, call: &Call) -> Option<Request> {
    let url = match call.mode {
        Mode::Whole => address.model(&format!("{}:generateContent", call.model)),
        Mode::Streamed => {
            let mut url = address.model(&format!("{}:streamGenerateContent", call.model));
            url.set_query(Some("alt=sse"));
            url
        }
    };
    let mut request = with_key(Method::POST, url, &call.secret)?;
    request
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Bytes are shared, not copied, when the request is sent again.
    *request.body_mut() = Some(Bytes::from(body(&call.content)).into());
    Some(request)
}

/// `models.get`, which costs no quota. `None` when the secret cannot be a key.
pub(super) fn probe(address: &Address, secret: &SecretString, model: &str) -> Option<Request> {
    with_key(Method::GET, address.model(model), secret)
}

fn with_key(method: Method, url: Url, secret: &SecretString) -> Option<Request> {
    let mut key = HeaderValue::from_str(secret.expose_secret()).ok()?;
    if key.is_empty() {
        return None;
    }
    key.set_sensitive(true);
    let mut request = Request::new(method, url);
    request.headers_mut().insert(KEY_HEADER, key);
    Some(request)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    contents: [Turn<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Instruction<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_config: Option<Config>,
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    parts: Vec<Part<'a>>,
}

#[derive(Serialize)]
struct Instruction<'a> {
    parts: [Part<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Part<'a> {
    Text(&'a str),
    #[serde(rename_all = "camelCase")]
    InlineData {
        mime_type: &'a str,
        data: &'a str,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
}

fn body(content: &Content) -> Vec<u8> {
    let images = content.images.iter().map(|image| Part::InlineData {
        mime_type: &image.mime_type,
        data: &image.data,
    });
    let body = Body {
        contents: [Turn {
            role: "user",
            parts: std::iter::once(Part::Text(&content.prompt)).chain(images).collect(),
        }],
        system_instruction: content.system.as_deref().map(|text| Instruction {
            parts: [Part::Text(text)],
        }),
        generation_config: (content.temperature.is_some() || content.max_output_tokens.is_some()).then_some(Config {
            temperature: content.temperature,
            max_output_tokens: content.max_output_tokens,
        }),
    };
    // Never an error: strings and numbers only.
    serde_json::to_vec(&body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use app::types::Image;
    use serde_json::{Value, json};

    use super::*;

    fn call(content: Content, mode: Mode) -> Call {
        Call {
            secret: SecretString::from("AQ.canary"),
            model: "gemini-2.5-flash".to_owned(),
            content: Arc::new(content),
            mode,
        }
    }

    fn content() -> Content {
        Content {
            prompt: "Why?".to_owned(),
            system: None,
            images: Vec::new(),
            temperature: None,
            max_output_tokens: None,
        }
    }

    fn sent(content: Content) -> Value {
        serde_json::from_slice(&body(&content)).unwrap()
    }

    #[test]
    fn a_bare_prompt_sends_no_settings() {
        assert_eq!(
            sent(content()),
            json!({ "contents": [{ "role": "user", "parts": [{ "text": "Why?" }] }] })
        );
    }

    #[test]
    fn everything_asked_for_is_sent() {
        let image = Image {
            mime_type: "image/png".to_owned(),
            data: "iVBORw==".to_owned(),
        };
        let full = Content {
            system: Some("Be brief.".to_owned()),
            images: vec![image],
            temperature: Some(0.5),
            max_output_tokens: Some(64),
            ..content()
        };
        let parts = json!([{ "text": "Why?" }, { "inlineData": { "mimeType": "image/png", "data": "iVBORw==" } }]);
        let expected = json!({
            "contents": [{ "role": "user", "parts": parts }],
            "systemInstruction": { "parts": [{ "text": "Be brief." }] },
            "generationConfig": { "temperature": 0.5, "maxOutputTokens": 64 },
        });
        assert_eq!(sent(full), expected);
    }

    #[test]
    fn the_key_is_in_a_sensitive_header_and_not_in_the_address() {
        let address = Address::parse("https://proxy.example/gemini/").unwrap();
        for (mode, url) in [
            (
                Mode::Whole,
                "https://proxy.example/gemini/v1beta/models/gemini-2.5-flash:generateContent",
            ),
            (
                Mode::Streamed,
                "https://proxy.example/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
            ),
        ] {
            let request = generate(&address, &call(content(), mode)).unwrap();
            assert_eq!(request.url().as_str(), url);
            assert!(request.headers()[KEY_HEADER].is_sensitive());
            assert!(!format!("{request:?}").contains("canary"));
        }
    }

    #[test]
    fn a_model_name_cannot_leave_its_place_in_the_path() {
        let address = Address::parse("http://127.0.0.1:9").unwrap();
        assert_eq!(
            address.model("../x?y#z").as_str(),
            "http://127.0.0.1:9/v1beta/models/..%2Fx%3Fy%23z"
        );
    }

    #[test]
    fn a_secret_that_fits_no_header_is_no_key() {
        let address = Address::parse("http://127.0.0.1:9").unwrap();
        for secret in ["", "two\nlines", "nul\0"] {
            assert!(
                probe(&address, &SecretString::from(secret), "m").is_none(),
                "{secret:?}"
            );
        }
    }

    #[test]
    fn an_address_carries_nothing_but_scheme_host_and_path() {
        for text in [
            "ftp://a.b",
            "not a url",
            "https://user:word@a.b",
            "https://a.b/?key=x",
            "https://a.b/#x",
            "mailto:a@b.c",
        ] {
            assert!(Address::parse(text).is_none(), "{text}");
        }
    }
}
