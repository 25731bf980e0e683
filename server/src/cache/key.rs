//! What makes two requests the same.

use app::types::Image;
use sha2::{Digest as _, Sha256};

use crate::provider::Content;

/// Changes when the form does, so that a form never meets one of another version in a shared cache.
const VERSION: &[u8] = b"keypool response 1";

/// SHA-256 over the canonical form of a request and whose it is, and over whose it is alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CacheKey {
    tenant: [u8; 32],
    request: [u8; 32],
}

impl CacheKey {
    /// `tenant`: who may see the answer. `model`: the one asked for, defaults filled in.
    pub fn new(tenant: &str, model: &str, content: &Content) -> Self {
        let mut hash = Sha256::new();
        write_canonical(tenant, model, content, &mut |bytes| hash.update(bytes));
        Self {
            tenant: digest_of(tenant),
            request: hash.finalize().into(),
        }
    }

    /// Tells one request of a tenant from another, in the next version's process too.
    pub fn request(&self) -> [u8; 32] {
        self.request
    }

    /// For finding all of one tenant: [`CacheKey::is_of`].
    pub(super) fn tenant(tenant: &str) -> [u8; 32] {
        digest_of(tenant)
    }

    pub(super) fn is_of(&self, tenant: &[u8; 32]) -> bool {
        self.tenant == *tenant
    }
}

fn digest_of(tenant: &str) -> [u8; 32] {
    Sha256::digest(tenant.as_bytes()).into()
}

/// Every field in a fixed order, texts and lists behind their length, what may be absent behind 0 or 1: the fields can be
/// read back, so no two requests have the same form.
fn write_canonical(tenant: &str, model: &str, content: &Content, sink: &mut impl FnMut(&[u8])) {
    // Taken apart by name: a new field must be added here, or this does not compile.
    let Content {
        prompt,
        system,
        images,
        temperature,
        max_output_tokens,
    } = content;
    write_text(VERSION, sink);
    write_text(tenant.as_bytes(), sink);
    write_text(model.as_bytes(), sink);
    write_option(temperature.map(|value| value.to_bits().to_le_bytes()), sink);
    write_option(max_output_tokens.map(u32::to_le_bytes), sink);
    sink(&[u8::from(system.is_some())]);
    write_text(system.as_deref().unwrap_or_default().as_bytes(), sink);
    write_text(prompt.as_bytes(), sink);
    write_length(images.len(), sink);
    for Image { mime_type, data } in images {
        write_text(mime_type.as_bytes(), sink);
        // As base64: two ways to write the same bytes are at worst a call too many.
        write_text(data.as_bytes(), sink);
    }
}

/// For fuzzing.
#[doc(hidden)]
pub fn canonical_form(tenant: &str, model: &str, content: &Content) -> Vec<u8> {
    let mut form = Vec::new();
    write_canonical(tenant, model, content, &mut |bytes| form.extend_from_slice(bytes));
    form
}

fn write_text(text: &[u8], sink: &mut impl FnMut(&[u8])) {
    write_length(text.len(), sink);
    sink(text);
}

fn write_length(length: usize, sink: &mut impl FnMut(&[u8])) {
    sink(&(length as u64).to_le_bytes());
}

fn write_option<const N: usize>(value: Option<[u8; N]>, sink: &mut impl FnMut(&[u8])) {
    sink(&[u8::from(value.is_some())]);
    if let Some(bytes) = value {
        sink(&bytes);
    }
}

#[cfg(test)]
mod tests;
