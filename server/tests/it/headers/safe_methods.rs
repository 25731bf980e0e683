//! Reading changes nothing: links, prefetching browsers and other sites' images send GET with the cookie.

use std::path::Path;

use leptos::server_fn::axum::server_fn_paths;
use reqwest::Method;
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use server::http::policies;

use crate::headers::client;
use crate::support::{App, Setup, spawn_app};

/// Every row of every table.
fn rows(database: &Path) -> Vec<String> {
    let database = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut names = database
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        .unwrap();
    let names: Vec<String> = names
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut all = Vec::new();
    for name in names {
        let mut select = database.prepare(&format!("SELECT * FROM \"{name}\"")).unwrap();
        let columns = select.column_count();
        let mut found = select.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let values: Vec<String> = (0..columns)
                .map(|column| format!("{:?}", row.get_ref(column).unwrap()))
                .collect();
            all.push(format!("{name}: {}", values.join(", ")));
        }
    }
    all.sort();
    all
}

async fn with_some_of_everything() -> (App, String, String) {
    let app = spawn_app().await;
    let admin = app.admin().await;
    let analysis = app.analyze(&admin).await.text("/data/id");
    for (path, body) in [
        ("/api/tokens", json!({ "name": "script", "scopes": ["status"] })),
        ("/api/admin/invitations", json!({ "role": "user" })),
        ("/api/auth/two-factor", json!({ "password": crate::support::PASSWORD })),
    ] {
        let made = app.post(path, &admin, &body).await;
        assert!(matches!(made.status, 200 | 201), "{path}: {}", made.body);
    }
    // What is written a little later is written when a server stops.
    (app.restart(Setup::default()).await, admin, analysis)
}

#[tokio::test]
async fn no_route_changes_anything_when_it_is_read() {
    let (app, admin, analysis) = with_some_of_everything().await;
    let client = client();
    let ready = client.get(format!("{}/readyz", app.base)).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    let database = app.data_dir().join("keypool.db");
    let before = rows(&database);
    assert!(before.len() > 10, "there is something to change: {before:?}");
    for (_, path) in policies() {
        for method in [Method::HEAD, Method::GET] {
            let address = format!("{}{}", app.base, path.replace("{id}", &analysis));
            let response = client
                .request(method.clone(), address)
                .bearer_auth(&admin)
                .send()
                .await
                .unwrap();
            assert!(response.status().as_u16() < 500, "{method} {path}");
            drop(response);
            let after = rows(&database);
            let changed: Vec<&String> = after.iter().filter(|row| !before.contains(row)).collect();
            assert_eq!(
                after.len(),
                before.len(),
                "{method} {path}: rows came or went: {changed:?}"
            );
            assert!(changed.is_empty(), "{method} {path}: {changed:?}");
        }
    }
}

/// Server functions take any site's GET without asking who sent it.
#[test]
fn no_server_function_is_called_by_get() {
    let by_get: Vec<_> = server_fn_paths().filter(|(_, method)| *method == Method::GET).collect();
    assert!(by_get.is_empty(), "{by_get:?}");
    let mut sources = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../app/src"), &mut sources);
    assert!(sources.len() > 10, "the app's sources are found");
    for (path, source) in sources {
        let offence = get_encoding(&source);
        assert!(offence.is_none(), "{path}: {offence:?}");
    }
}

fn collect(folder: &Path, sources: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The first `#[server(…)]` whose arguments come in the query of a GET.
fn get_encoding(source: &str) -> Option<&str> {
    let attributes = source.match_indices("#[").filter_map(|(start, _)| {
        let attribute = source.get(start + 2..)?;
        let name = attribute.split(['(', ']']).next()?.trim();
        let end = attribute.find("]\n").unwrap_or(attribute.len());
        (name == "server" || name.ends_with("::server")).then(|| attribute.get(..end))?
    });
    let mut found = attributes.filter(|attribute| attribute.contains("GetUrl") || attribute.contains("Get<"));
    found.next()
}

#[test]
fn a_get_encoding_is_found_however_it_is_written() {
    for wrong in [
        "#[server(input = GetUrl)]\npub async fn load() {}",
        "#[server(\n    name = Load,\n    input = leptos::server_fn::codec::GetUrl,\n)]\nasync fn load() {}",
        "#[leptos::server(protocol = Http<GetUrl, Json>)]\nasync fn load() {}",
        "/// Text.\n#[server(Load, \"/api\", \"GetUrl\")]\nasync fn load() {}",
    ] {
        assert!(get_encoding(wrong).is_some(), "{wrong}");
    }
    for right in [
        "#[server]\nasync fn save() {}",
        "#[server(input = PostUrl)]\nasync fn save() {}",
        "// GetUrl\n#[component]\nfn A() {}",
    ] {
        assert_eq!(get_encoding(right), None, "{right}");
    }
}
