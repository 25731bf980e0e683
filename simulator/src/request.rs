//! A generating request, read as the provider reads it.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

/// What an image costs at the provider, in tokens.
const IMAGE_TOKENS: u64 = 258;

/// What the simulated answer is made from.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// Text of the last turn of the user.
    pub(crate) prompt: String,
    /// Images and other inline data of all turns.
    pub(crate) images: Vec<Inline>,
    /// Turns of the conversation, of the user and of the model.
    pub(crate) turns: usize,
    pub(crate) has_system: bool,
    pub(crate) wants_json: bool,
    pub(crate) output_tokens_max: Option<u64>,
    /// Tokens of all of it, about a quarter of the characters and 258 an image.
    pub(crate) input_tokens: u64,
}

/// Data sent within the request.
#[derive(Debug)]
pub(crate) struct Inline {
    pub(crate) mime_type: String,
    pub(crate) bytes: Vec<u8>,
}

/// About what a tokenizer makes of a text.
pub(crate) fn tokens(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(4)
}

impl Request {
    /// Reads a body; the error is the provider's message for it.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        let body: Value =
            serde_json::from_slice(body).map_err(|error| format!("Invalid JSON payload received. {error}."))?;
        // `countTokens` takes the whole request in a field as well.
        let body = field(&body, "generateContentRequest", "generate_content_request").unwrap_or(&body);
        let mut request = Self::default();
        request.read_contents(body.get("contents"))?;
        if let Some(system) = field(body, "systemInstruction", "system_instruction") {
            request.has_system = true;
            request.input_tokens += tokens(&texts(system).join(""));
        }
        if let Some(config) = field(body, "generationConfig", "generation_config") {
            request.read_config(config)?;
        }
        Ok(request)
    }

    fn read_contents(&mut self, contents: Option<&Value>) -> Result<(), String> {
        // A single content is taken for a list of one, as protobuf's JSON does not; the provider does.
        let contents = match contents {
            Some(Value::Array(contents)) if !contents.is_empty() => contents.as_slice(),
            Some(content @ Value::Object(_)) => std::slice::from_ref(content),
            None | Some(Value::Null | Value::Array(_)) => {
                return Err("* GenerateContentRequest.contents: contents is not specified\n".to_owned());
            }
            Some(_) => {
                return Err(
                    "Invalid value at 'contents' (type.googleapis.com/google.ai.generativelanguage.v1beta.Content)"
                        .to_owned(),
                );
            }
        };
        self.turns = contents.len();
        for (index, content) in contents.iter().enumerate() {
            let role = content.get("role").and_then(Value::as_str).unwrap_or("user");
            if !["user", "model", "function"].contains(&role) {
                return Err("Please use a valid role: user, model.".to_owned());
            }
            let text = self.read_parts(index, content)?;
            if role == "user" {
                self.prompt = text;
            }
        }
        Ok(())
    }

    /// Takes in the parts of a content and returns their text.
    fn read_parts(&mut self, index: usize, content: &Value) -> Result<String, String> {
        let parts = match content.get("parts") {
            Some(Value::Array(parts)) if !parts.is_empty() => parts.as_slice(),
            Some(part @ Value::Object(_)) => std::slice::from_ref(part),
            _ => {
                return Err(format!(
                    "* GenerateContentRequest.contents[{index}].parts: contents.parts must not be empty.\n"
                ));
            }
        };
        let mut text = String::new();
        for (part_index, part) in parts.iter().enumerate() {
            let at = format!("contents[{index}].parts[{part_index}]");
            match part.get("text") {
                Some(Value::String(part)) => {
                    self.input_tokens += tokens(part);
                    text.push_str(part);
                    text.push('\n');
                }
                Some(other) => return Err(format!("Invalid value at '{at}.text' (TYPE_STRING), {other}")),
                None if part.as_object().is_none_or(serde_json::Map::is_empty) => {
                    return Err(format!(
                        "* GenerateContentRequest.{at}.data: required oneof field 'data' must have one initialized field\n"
                    ));
                }
                None => {}
            }
            if let Some(inline) = field(part, "inlineData", "inline_data") {
                self.images.push(read_inline(&at, inline)?);
                self.input_tokens += IMAGE_TOKENS;
            }
        }
        Ok(text)
    }

    fn read_config(&mut self, config: &Value) -> Result<(), String> {
        for (camel, snake) in [("temperature", "temperature"), ("topP", "top_p"), ("topK", "top_k")] {
            match field(config, camel, snake) {
                None | Some(Value::Number(_) | Value::Null) => {}
                Some(other) => {
                    return Err(format!(
                        "Invalid value at 'generation_config.{snake}' (TYPE_FLOAT), {other}"
                    ));
                }
            }
        }
        self.output_tokens_max = match field(config, "maxOutputTokens", "max_output_tokens") {
            None | Some(Value::Null) => None,
            Some(value) => match value.as_i64() {
                Some(max) if max > 0 => Some(max.unsigned_abs()),
                Some(max) => return Err(format!("max_output_tokens must be positive, but got {max}.")),
                None => {
                    return Err(format!(
                        "Invalid value at 'generation_config.max_output_tokens' (TYPE_INT32), {value}"
                    ));
                }
            },
        };
        let mime_type = field(config, "responseMimeType", "response_mime_type").and_then(Value::as_str);
        self.wants_json = mime_type == Some("application/json");
        Ok(())
    }
}

fn read_inline(at: &str, inline: &Value) -> Result<Inline, String> {
    let mime_type = field(inline, "mimeType", "mime_type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if mime_type.is_empty() {
        return Err(format!(
            "* GenerateContentRequest.{at}.inline_data.mime_type: The mimeType parameter must be set.\n"
        ));
    }
    let data = inline.get("data").and_then(Value::as_str).unwrap_or_default();
    let Some(bytes) = decode_base64(data).filter(|bytes| !bytes.is_empty()) else {
        return Err(format!(
            "Invalid value at '{at}.inline_data.data' (TYPE_BYTES), Base64 decoding failed"
        ));
    };
    Ok(Inline {
        mime_type: mime_type.to_owned(),
        bytes,
    })
}

/// Both alphabets, padded or not, as protobuf's JSON takes them.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}

/// A field by either of the names that protobuf's JSON knows it by.
fn field<'a>(value: &'a Value, camel: &str, snake: &str) -> Option<&'a Value> {
    value.get(camel).or_else(|| value.get(snake))
}

fn texts(content: &Value) -> Vec<&str> {
    let parts = match content.get("parts") {
        Some(Value::Array(parts)) => parts.as_slice(),
        Some(part) => std::slice::from_ref(part),
        None => &[],
    };
    parts.iter().filter_map(|part| part.get("text")?.as_str()).collect()
}
