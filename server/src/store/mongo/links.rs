use app::types::Role;
use mongodb::bson::doc;
use pool::Timestamp;

use super::access::Access;
use super::error::{Result, conflict};
use super::row::{Row, at, bytes};
use super::schema::LINKS;
use super::{api_tokens, users};
use crate::email::Email;
use crate::store::{self, Digest, LinkKind, LinkUse, OPERATOR, StoredLink, StoredUser};

/// In a transaction.
pub(super) async fn insert(db: &mut Access, link: &StoredLink) -> Result<()> {
    let document = doc! {
        "_id": &link.id,
        "token": bytes(&link.token),
        "kind": link.kind.as_str(),
        "email": link.email.as_ref().map(Email::as_str),
        "role": link.role.map(Role::as_str),
        "user_id": &link.user_id,
        "created_by": &link.created_by,
        "created_at": at(link.created_at),
        "expires_at": at(link.expires_at),
    };
    db.insert(LINKS, document).await.map_err(conflict("This link"))
}

pub(super) async fn by_token(db: &mut Access, token: &Digest) -> Result<Option<StoredLink>> {
    let found = db.find_one(LINKS, doc! { "token": bytes(token) }).await?;
    Ok(found.map(|row| read(&row)).transpose()?)
}

pub(super) async fn all(db: &mut Access, kind: LinkKind) -> Result<Vec<StoredLink>> {
    let sort = doc! { "created_at": -1, "_id": -1 };
    let rows = db.find(LINKS, doc! { "kind": kind.as_str() }, sort, 0).await?;
    Ok(rows.iter().map(read).collect::<store::Result<_>>()?)
}

/// In a transaction.
pub(super) async fn delete(db: &mut Access, id: &str) -> Result<bool> {
    db.delete(LINKS, doc! { "_id": id }).await
}

/// In a transaction. What takes its maker's right away deletes the link too, so that one of the two comes second.
pub(super) async fn create_invited_user(
    db: &mut Access,
    token: &Digest,
    user: &StoredUser,
    now: Timestamp,
) -> Result<LinkUse> {
    match by_token(db, token).await? {
        Some(link) if link.kind == LinkKind::Invitation => {
            if link.expires_at <= now {
                return Ok(LinkUse::Expired);
            }
            if !is_of_an_admin(db, &link).await? {
                return Ok(LinkUse::Unknown);
            }
            // A conflict here takes back the whole transaction, so that the invitation stays.
            users::create(db, user).await?;
            delete(db, &link.id).await?;
            Ok(LinkUse::Created)
        }
        _ => Ok(LinkUse::Unknown),
    }
}

/// In a transaction, as above.
pub(super) async fn set_password(
    db: &mut Access,
    token: &Digest,
    hash: &str,
    now: Timestamp,
) -> Result<Option<String>> {
    let link = by_token(db, token).await?;
    let link = link.filter(|link| link.kind == LinkKind::Password && link.expires_at > now);
    let Some(link) = link else { return Ok(None) };
    if !is_of_an_admin(db, &link).await? {
        return Ok(None);
    }
    let Some(user_id) = link.user_id else {
        return Ok(None);
    };
    // The link goes with all links of its kind for this user.
    let is_set = users::set_password_hash(db, &user_id, hash, None).await?;
    api_tokens::delete_of_user(db, &user_id).await?;
    Ok(is_set.then_some(user_id))
}

/// Whether who made the link may still make links. Their links go with the right; one that was made at that moment is left.
async fn is_of_an_admin(db: &mut Access, link: &StoredLink) -> Result<bool> {
    if link.created_by == OPERATOR {
        return Ok(true);
    }
    let maker = users::by_id(db, &link.created_by).await?;
    Ok(maker.is_some_and(|maker| maker.role == Role::Admin && !maker.disabled))
}

fn read(row: &Row) -> store::Result<StoredLink> {
    Ok(StoredLink {
        id: row.text("_id")?,
        token: row.digest("token")?,
        kind: row.word("kind", &LinkKind::ALL, LinkKind::as_str)?,
        email: row.maybe_email("email")?,
        role: row.maybe_role("role")?,
        user_id: row.maybe_text("user_id")?,
        created_by: row.text("created_by")?,
        created_at: row.at("created_at")?,
        expires_at: row.at("expires_at")?,
    })
}
