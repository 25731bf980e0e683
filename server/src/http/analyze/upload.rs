//! An analysis as it is sent: JSON, or multipart with the same fields.

use app::error::{AppError, ErrorCode};
use app::image_type::sniff;
use app::types::{AnalyzeRequest, Image};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::http::body::{UPLOAD_BYTES_MAX, check_not_encoded, from_json, is_type, read as read_body};

/// Parts of a form; more than an analysis has fields and images.
const PARTS_MAX: usize = 64;

/// What came, and what was wrong with it: the fields are kept so that a form can show them again.
pub(in crate::http) struct Upload {
    pub request: AnalyzeRequest,
    pub checked: Result<(), AppError>,
}

/// Reads and checks a request.
///
/// # Errors
/// The caller's mistakes, each with what to do about it.
pub(in crate::http) async fn read(headers: &HeaderMap, body: Body) -> Result<AnalyzeRequest, AppError> {
    let Upload { request, checked } = read_any(headers, body).await?;
    checked.map(|()| request)
}

/// As [`read`], but gives the fields back also when they are refused.
///
/// # Errors
/// When not even the fields could be read.
pub(in crate::http) async fn read_any(headers: &HeaderMap, body: Body) -> Result<Upload, AppError> {
    let multipart = is_type(headers, "multipart/form-data");
    if !multipart && !is_type(headers, "application/json") {
        let message = "Send the request as JSON (Content-Type: application/json) or as multipart/form-data.";
        return Err(AppError::new(ErrorCode::UnsupportedMediaType, message));
    }
    check_not_encoded(headers)?;
    let bytes = read_body(body, UPLOAD_BYTES_MAX).await?;
    let mut request = if multipart {
        from_multipart(headers, bytes).await?
    } else {
        from_json(&bytes)?
    };
    let checked = request
        .check()
        .and_then(|()| request.images.iter_mut().try_for_each(check_image));
    Ok(Upload { request, checked })
}

/// For fuzzing: [`read`] without a connection.
///
/// # Errors
/// As [`read`].
#[doc(hidden)]
pub async fn read_upload(content_type: &'static str, body: Vec<u8>) -> Result<AnalyzeRequest, AppError> {
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]);
    read(&headers, Body::from(body)).await
}

async fn from_multipart(headers: &HeaderMap, bytes: Bytes) -> Result<AnalyzeRequest, AppError> {
    let broken = || {
        AppError::new(
            ErrorCode::BadRequest,
            "The form cannot be read: it is not well-formed multipart/form-data.",
        )
    };
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = multer::parse_boundary(content_type.unwrap_or_default()).map_err(|_| broken())?;
    let whole = futures::stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
    let mut form = multer::Multipart::new(whole, boundary);
    let mut request = AnalyzeRequest::default();
    let mut parts = 0;
    while let Some(field) = form.next_field().await.map_err(|_| broken())? {
        parts += 1;
        if parts > PARTS_MAX {
            let message = format!("The form has too many parts: at most {PARTS_MAX} are taken.");
            return Err(AppError::new(ErrorCode::BadRequest, message));
        }
        let name = field.name().unwrap_or_default().to_owned();
        let mime_type = field.content_type().map(|mime| mime.essence_str().to_ascii_lowercase());
        let has_file_name = field.file_name().is_some_and(|name| !name.is_empty());
        let bytes = field.bytes().await.map_err(|_| broken())?;
        if name == "images" {
            // A browser sends an empty part for a file field that was left empty.
            if !bytes.is_empty() || has_file_name {
                let (mime_type, data) = (mime_type.unwrap_or_default(), STANDARD.encode(&bytes));
                request.images.push(Image { mime_type, data });
            }
            continue;
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| {
            AppError::new(
                ErrorCode::BadRequest,
                format!("The field {name:.40} is not UTF-8 text."),
            )
        })?;
        set(&mut request, &name, text)?;
    }
    Ok(request)
}

fn set(request: &mut AnalyzeRequest, name: &str, text: &str) -> Result<(), AppError> {
    let given = Some(text.trim()).filter(|text| !text.is_empty());
    let wrong = |must: &str| AppError::new(ErrorCode::BadRequest, format!("{name} must be {must}.")).field(name);
    match name {
        // Browsers send line ends of forms as CRLF.
        "prompt" => request.prompt = text.replace("\r\n", "\n"),
        "model" => request.model = given.map(str::to_owned),
        "system" => request.system = given.map(|text| text.replace("\r\n", "\n")),
        "temperature" => {
            request.temperature = given
                .map(|text| text.parse().map_err(|_| wrong("a number from 0 to 2")))
                .transpose()?
        }
        "maxOutputTokens" => {
            request.max_output_tokens = given
                .map(|text| text.parse().map_err(|_| wrong("a whole number from 1 to 65536")))
                .transpose()?;
        }
        "maxRetries" => {
            request.max_retries = given
                .map(|text| text.parse().map_err(|_| wrong("a whole number from 0 to 8")))
                .transpose()?
        }
        "fresh" => {
            request.fresh = given
                .map(|text| text.parse().map_err(|_| wrong("true or false")))
                .transpose()?
        }
        _ => {
            return Err(AppError::new(
                ErrorCode::BadRequest,
                format!("The form has a field that is not known: {name:.40}."),
            ));
        }
    }
    Ok(())
}

/// Bytes decide what an image is; a type that says otherwise is refused. Nothing is decoded beyond the first bytes.
fn check_image(image: &mut Image) -> Result<(), AppError> {
    let bytes = STANDARD
        .decode(image.data.trim())
        .map_err(|_| AppError::new(ErrorCode::BadRequest, "An image is not valid base64.").field("images"))?;
    match sniff(&bytes) {
        Some(found) if found == image.mime_type => Ok(()),
        Some(found) => {
            let message = format!(
                "An image says it is {} but its content is {found}. Send it with its real type.",
                image.mime_type
            );
            Err(AppError::new(ErrorCode::UnsupportedMediaType, message).field("images"))
        }
        None => {
            let message = format!(
                "A file says it is {} but its content is no image of a known type. Use PNG, JPEG, WebP, HEIC or HEIF.",
                image.mime_type
            );
            Err(AppError::new(ErrorCode::UnsupportedMediaType, message).field("images"))
        }
    }
}
