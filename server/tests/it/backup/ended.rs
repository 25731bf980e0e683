//! What a restore brings back of accounts, and what it leaves in the audit log.

use serde_json::{Value, json};
use simulator::Simulator;

use super::{PERSON, fill, shown};
use crate::support::{PASSWORD, Reply};
use crate::vault::{Place, Served};

const STATUS: &str = "/api/ai-analysis/service-status";

/// Whether a request with it is signed in.
async fn opens(served: &Served, path: &str, header: (&str, &str)) -> bool {
    let request = served.client.get(format!("{}{path}", served.base));
    request.header(header.0, header.1).send().await.unwrap().status() == 200
}

/// Credentials of all kinds.
struct Given {
    cookie: String,
    access: String,
    refresh: String,
    api_token: String,
    invitation: String,
}

async fn sign_in(served: &Served) -> Given {
    let form = json!({ "email": PERSON, "password": PASSWORD });
    let login = served
        .client
        .post(format!("{}/api/auth/login", served.base))
        .json(&form);
    let login = login.send().await.unwrap();
    let cookie = login.headers()["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let login = Reply::of(login).await;
    let access = login.text("/data/accessToken");
    let new = json!({ "name": "nightly", "scopes": ["status"] });
    let made = served
        .client
        .post(format!("{}/api/tokens", served.base))
        .bearer_auth(&access);
    let api_token = Reply::of(made.json(&new).send().await.unwrap())
        .await
        .text("/data/token");
    let invited = served.post("/api/admin/invitations", &json!({ "role": "user" })).await;
    let (_, invitation) = invited.body["data"]["url"]
        .as_str()
        .unwrap()
        .split_once("?token=")
        .unwrap();
    Given {
        cookie,
        access,
        refresh: login.text("/data/refreshToken"),
        api_token,
        invitation: invitation.to_owned(),
    }
}

impl Given {
    /// Cookie, access token and API token.
    async fn open(&self, served: &Served) -> [bool; 3] {
        [
            opens(served, STATUS, ("cookie", &self.cookie)).await,
            opens(served, STATUS, ("authorization", &format!("Bearer {}", self.access))).await,
            opens(served, STATUS, ("authorization", &format!("Bearer {}", self.api_token))).await,
        ]
    }
}

#[tokio::test]
async fn a_restore_ends_every_sign_in_and_link_and_is_in_the_audit_log() {
    let sim = Simulator::start(simulator::Options::default()).await.unwrap();
    let mut place = Place::new(&sim);
    let served = place.serve().await;
    fill(&served).await;
    let given = sign_in(&served).await;
    assert_eq!(given.open(&served).await, [true; 3]);
    let file = shown(&place.folder.path().join("one.backup"));
    place.run(&["backup", "create", &file], 0);
    drop(served);
    let verdict: Value = serde_json::from_str(&place.run(&["audit", "verify", "--json"], 0)).unwrap();

    let said: Value = serde_json::from_str(&place.run(&["backup", "restore", &file, "--force", "--json"], 0)).unwrap();
    // A session and a sign-in each: Ada's first and second, and the admin's.
    assert_eq!((&said["ended"], &said["apiTokens"]), (&json!(6), &json!(1)), "{said}");
    assert!(place.run(&["audit", "verify"], 0).contains("intact: "));
    let entries = place.run(&["audit", "list", "--action", "backup.restore", "--json"], 0);
    let entries: Value = serde_json::from_str(&entries).unwrap();
    assert_eq!(entries.as_array().unwrap().len(), 1);
    let entry = &entries[0];
    assert_eq!(
        (&entry["before"]["entries"], &entry["before"]["head"]),
        (&verdict["entries"], &verdict["head"]),
        "where the log ended that was moved aside"
    );
    assert_eq!(entry["after"]["madeAt"], said["madeAt"]);

    let served = place.serve().await;
    assert_eq!(given.open(&served).await, [false, false, true]);
    let renew = served.client.post(format!("{}/api/auth/refresh", served.base));
    let renew = renew
        .json(&json!({ "refreshToken": given.refresh }))
        .send()
        .await
        .unwrap();
    assert_eq!(renew.status(), 401);
    let form =
        json!({ "email": "eve@example.org", "password": PASSWORD, "name": "Eve", "invitation": given.invitation });
    let register = served.post("/api/auth/register", &form).await;
    assert!(register.status >= 400, "the invitation was ended: {}", register.body);
}
