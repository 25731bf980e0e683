//! `cargo xtask sbom`: what the program is made of, as CycloneDX 1.5 (<https://cyclonedx.org/docs/1.5/json/>).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::run::{command, output};
use crate::workspace::Workspace;

/// The two programs that people get: the server, and the half of the app in the browser.
const PROGRAMS: [&str; 2] = ["server", "frontend"];

pub(crate) fn sbom(workspace: &Workspace) -> Result<ExitCode> {
    let mut metadata = command(workspace, "cargo", "metadata --locked --format-version 1");
    let metadata: Value = serde_json::from_str(&output(&mut metadata)?).context("cargo metadata")?;
    let lock = fs::read_to_string(workspace.root.join("Cargo.lock")).context("Cargo.lock")?;
    let bill = bill(&metadata, &checksums(&lock))?;
    let path = workspace.target.join("sbom.json");
    fs::create_dir_all(&workspace.target).context("the target folder")?;
    fs::write(&path, format!("{bill:#}\n")).with_context(|| path.display().to_string())?;
    let components = bill["components"].as_array().map_or(0, Vec::len);
    println!("{}: {components} components", path.display());
    Ok(ExitCode::SUCCESS)
}

/// Of "name version", from the lock file.
fn checksums(lock: &str) -> BTreeMap<String, String> {
    let mut checksums = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let field = |name: &str| {
            let start = format!("{name} = \"");
            let line = package.lines().find_map(|line| line.strip_prefix(&start));
            line.and_then(|value| value.strip_suffix('"'))
        };
        if let (Some(name), Some(version), Some(checksum)) = (field("name"), field("version"), field("checksum")) {
            checksums.insert(format!("{name} {version}"), checksum.to_owned());
        }
    }
    checksums
}

/// Everything that the programs are linked from or built by; what only tests need is left out.
fn bill(metadata: &Value, checksums: &BTreeMap<String, String>) -> Result<Value> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages: BTreeMap<String, Value> = list(&metadata["packages"])
        .into_iter()
        .map(|package| (text(&package["id"]), package))
        .collect();
    let nodes: BTreeMap<String, Vec<String>> = list(&metadata["resolve"]["nodes"])
        .iter()
        .map(|node| (text(&node["id"]), shipped_dependencies(node)))
        .collect();
    let mut wanted: Vec<String> = packages
        .iter()
        .filter(|(_, package)| package["source"].is_null() && PROGRAMS.contains(&text(&package["name"]).as_str()))
        .map(|(id, _)| id.clone())
        .collect();
    ensure!(
        wanted.len() == PROGRAMS.len(),
        "the programs are not among the packages"
    );
    let roots = wanted.clone();
    let mut seen = BTreeSet::new();
    while let Some(id) = wanted.pop() {
        if seen.insert(id.clone()) {
            wanted.extend(nodes.get(&id).into_iter().flatten().cloned());
        }
    }
    let url = |id: &String| packages.get(id).map(package_url).unwrap_or_default();
    let components: Vec<Value> = seen
        .iter()
        .filter_map(|id| packages.get(id))
        .map(|package| component(package, checksums))
        .collect();
    let mut dependencies: Vec<Value> = seen
        .iter()
        .map(|id| {
            let on: Vec<String> = nodes.get(id).into_iter().flatten().map(url).collect();
            json!({ "ref": url(id), "dependsOn": on })
        })
        .collect();
    let version = packages.get(&roots[0]).map(|package| package["version"].clone());
    let product = format!("pkg:generic/keypool@{}", version.as_ref().map(text).unwrap_or_default());
    dependencies.push(json!({ "ref": product, "dependsOn": roots.iter().map(url).collect::<Vec<_>>() }));
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": { "type": "application", "name": "keypool", "version": version, "bom-ref": product },
            "tools": { "components": [{ "type": "application", "name": "cargo xtask sbom" }] },
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// Without those for tests alone.
fn shipped_dependencies(node: &Value) -> Vec<String> {
    let dependencies = node["deps"].as_array().into_iter().flatten();
    dependencies
        .filter(|dependency| {
            let kinds = dependency["dep_kinds"].as_array();
            kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"] != "dev"))
        })
        .filter_map(|dependency| dependency["pkg"].as_str().map(str::to_owned))
        .collect()
}

fn component(package: &Value, checksums: &BTreeMap<String, String>) -> Value {
    let url = package_url(package);
    let (name, version) = (&package["name"], &package["version"]);
    let mut component = json!({
        "type": "library",
        "name": name,
        "version": version,
        "bom-ref": url,
        "purl": url,
        "scope": "required",
    });
    let of_package = format!(
        "{} {}",
        name.as_str().unwrap_or_default(),
        version.as_str().unwrap_or_default()
    );
    if let Some(checksum) = checksums.get(&of_package) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    if let Some(license) = package["license"].as_str() {
        // Older crates write a slash for "or".
        component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
    }
    component
}

fn package_url(package: &Value) -> String {
    let field = |name: &str| package[name].as_str().unwrap_or_default();
    // A `+` is reserved there.
    format!("pkg:cargo/{}@{}", field("name"), field("version").replace('+', "%2B"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Value {
        let package = |name: &str, source: Option<&str>, license: &str| json!({ "id": name, "name": name, "version": "1.0.0+x", "source": source, "license": license });
        let on = |name: &str, kind: Option<&str>| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [
                package("server", None, "MIT"), package("frontend", None, "MIT"), package("used", Some("r"), "MIT/Apache-2.0"),
                package("built-by", Some("r"), "ISC"), package("for-tests", Some("r"), "MIT"),
            ],
            "resolve": { "nodes": [
                { "id": "server", "deps": [on("used", None), on("for-tests", Some("dev"))] },
                { "id": "frontend", "deps": [] },
                { "id": "used", "deps": [on("built-by", Some("build"))] },
                { "id": "built-by", "deps": [] },
                { "id": "for-tests", "deps": [] },
            ]},
        });
        let lock = "[[package]]\nname = \"used\"\nversion = \"1.0.0+x\"\nchecksum = \"00ff\"\n";
        bill(&metadata, &checksums(lock)).expect("a bill")
    }

    #[test]
    fn the_bill_has_what_is_shipped_and_not_what_only_tests_need() {
        let bill = made();
        assert_eq!(
            (&bill["bomFormat"], &bill["specVersion"]),
            (&json!("CycloneDX"), &json!("1.5"))
        );
        let components = bill["components"].as_array().expect("a list");
        let names: Vec<_> = components.iter().filter_map(|part| part["name"].as_str()).collect();
        assert_eq!(names, ["built-by", "frontend", "server", "used"]);
        let used = &components[3];
        assert_eq!(used["purl"], "pkg:cargo/used@1.0.0%2Bx");
        assert_eq!(used["licenses"], json!([{ "expression": "MIT OR Apache-2.0" }]));
        assert_eq!(used["hashes"], json!([{ "alg": "SHA-256", "content": "00ff" }]));
    }

    #[test]
    fn every_reference_of_the_bill_leads_somewhere() {
        let bill = made();
        let parts = bill["components"].as_array().expect("a list").iter();
        let mut known: BTreeSet<&str> = parts.filter_map(|part| part["bom-ref"].as_str()).collect();
        known.extend(bill["metadata"]["component"]["bom-ref"].as_str());
        let dependencies = bill["dependencies"].as_array().expect("a list");
        assert_eq!(dependencies.len(), known.len());
        for dependency in dependencies {
            let on = dependency["dependsOn"].as_array().into_iter().flatten();
            for reference in on.chain([&dependency["ref"]]) {
                assert!(
                    reference.as_str().is_some_and(|name| known.contains(name)),
                    "{reference}"
                );
            }
        }
    }
}
