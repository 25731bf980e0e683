//! The simulator over real HTTP.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod answers;
mod control;
mod corpus;
mod faults;
mod quotas;
mod scripts;
mod streams;

use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use simulator::{Options, Simulator};

const MODEL: &str = "gemini-2.5-flash";

/// A simulator and a client for it.
struct Bed {
    sim: Simulator,
    client: Client,
}

impl Bed {
    async fn start() -> Self {
        Self::with(Options::default()).await
    }

    async fn with(options: Options) -> Self {
        let client = Client::builder().no_proxy().build().unwrap();
        Self {
            sim: Simulator::start(options).await.unwrap(),
            client,
        }
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.sim.base_url()))
    }

    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client
            .post(format!("{}{path}", self.sim.base_url()))
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    fn call(&self, key: &str, model: &str, method: &str, body: &Value) -> RequestBuilder {
        self.post(&format!("/v1beta/models/{model}:{method}"), body)
            .header("x-goog-api-key", key)
    }

    /// `generateContent` with a prompt.
    async fn generate(&self, key: &str, prompt: &str) -> Response {
        self.call(key, MODEL, "generateContent", &asking(prompt))
            .send()
            .await
            .unwrap()
    }

    /// Status and body of `generateContent`.
    async fn generate_json(&self, key: &str, model: &str, body: &Value) -> (u16, Value) {
        let response = self.call(key, model, "generateContent", body).send().await.unwrap();
        (
            response.status().as_u16(),
            serde_json::from_str(&response.text().await.unwrap()).unwrap(),
        )
    }
}

fn asking(prompt: &str) -> Value {
    json!({ "contents": [{ "role": "user", "parts": [{ "text": prompt }] }] })
}

/// All text of one message of the provider.
fn text_of(message: &Value) -> &str {
    message["candidates"][0]["content"]["parts"][0]["text"]
        .as_str()
        .unwrap()
}
