//! `cargo xtask build`: the browser's half of the app, ready to be served.
//!
//! ```text
//! target/site/
//!   manifest.json          {"pkgDir": "pkg-1a2b3c4d"}: what the server puts into its pages
//!   pkg-1a2b3c4d/          keypool.js, keypool_bg.wasm, keypool.css, and snippets if there are any
//!   …                      the files of public/, under their own names
//! ```
//! Beside each file that compresses lie `.br` and `.gz`, to be sent as they are. The folder's name is a hash of what is in
//! it: its files never change and may be cached for ever.

mod assets;
mod css;

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::json;
use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::run::{command, run, timed};
use crate::tools::WASM_TARGET;
use crate::workspace::Workspace;
use crate::{start, tools};

/// The name in front of every file of the package; the server's `LeptosOptions::output_name`.
const OUTPUT_NAME: &str = "keypool";
/// WebAssembly, scripts and styles together, compressed; what a phone on a slow network can be asked for.
const FIRST_LOAD_BYTES_MAX: u64 = 300_000;
const MANIFEST: &str = "manifest.json";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also build the release server
    #[arg(long)]
    release: bool,
}

pub(crate) fn build_command(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    timed("site", || build(workspace))?;
    if args.release {
        timed("server", || start::build_server(workspace))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Brings `target/site` up to date.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    tools::ensure_wasm_target(workspace)?;
    let args = format!("build --locked --package frontend --lib --target {WASM_TARGET} --profile wasm");
    run(&mut command(workspace, "cargo", &args))?;

    let site = workspace.site();
    let stamp_file = workspace.target.join("site.stamp");
    let stamp = fingerprint(workspace)?;
    if site.join(MANIFEST).is_file() && fs::read_to_string(&stamp_file).is_ok_and(|made_from| made_from == stamp) {
        println!("{} is up to date", site.display());
        return Ok(());
    }

    // Made beside the old one and then put in its place: a failure leaves the old one whole.
    let staging = workspace.target.join("site.new");
    remove_dir(&staging)?;
    fill(workspace, &staging)?;
    remove_dir(&site)?;
    fs::rename(&staging, &site).with_context(|| format!("moving to {}", site.display()))?;
    fs::write(&stamp_file, stamp).with_context(|| stamp_file.display().to_string())
}

/// Errors when a browser would load more for a first page than the budget allows.
pub(crate) fn check_budget(workspace: &Workspace) -> Result<()> {
    let bytes = assets::brotli_bytes(&workspace.site())?;
    println!("a first page loads at most {bytes} bytes of {FIRST_LOAD_BYTES_MAX}");
    ensure!(bytes <= FIRST_LOAD_BYTES_MAX, "the site is over its budget");
    Ok(())
}

/// Changes with everything the site is made from: the compiled frontend, the style sheets, the public files, and this
/// program itself.
fn fingerprint(workspace: &Workspace) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(fs::read(wasm_file(workspace)).context("reading the compiled frontend")?);
    for folder in ["style", "public"] {
        hash_folder(&mut hash, &workspace.root.join(folder))?;
    }
    let program = env::current_exe()
        .and_then(|path| path.metadata())
        .context("looking at this program")?;
    let written = program
        .modified()
        .unwrap_or(SystemTime::UNIX_EPOCH)
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    hash.update(written.as_nanos().to_le_bytes());
    Ok(hex(&hash.finalize()))
}

fn fill(workspace: &Workspace, site: &Path) -> Result<()> {
    let unnamed = site.join("pkg");
    timed("  wasm-bindgen", || bind(&wasm_file(workspace), &unnamed))?;
    let css = css::bundle(&workspace.root.join("style/main.css"))?;
    fs::write(unnamed.join(format!("{OUTPUT_NAME}.css")), css).context("writing the style sheet")?;

    let pkg_dir = format!("pkg-{}", &content_hash(&unnamed)?[..8]);
    fs::rename(&unnamed, site.join(&pkg_dir)).context("naming the package")?;
    assets::copy(&workspace.root.join("public"), site)?;
    let manifest = site.join(MANIFEST);
    ensure!(
        !manifest.exists(),
        "public/{MANIFEST} would be overwritten: give it another name"
    );

    let sizes = timed("  compress", || assets::compress(site))?;
    fs::write(&manifest, format!("{}\n", json!({ "pkgDir": pkg_dir }))).context("writing the manifest")?;
    assets::print_sizes(&sizes);
    Ok(())
}

/// The browser's module and the script that loads it, from what the compiler made.
fn bind(wasm: &Path, out: &Path) -> Result<()> {
    let mut bindgen = Bindgen::new();
    let bound = bindgen
        .input_path(wasm)
        .out_name(OUTPUT_NAME)
        .web(true)
        .and_then(|bindgen| {
            bindgen.typescript(false);
            bindgen
                .remove_name_section(true)
                .remove_producers_section(true)
                .generate(out)
        });
    bound.map_err(|error| anyhow!("wasm-bindgen: {error:#}"))
}

fn wasm_file(workspace: &Workspace) -> PathBuf {
    workspace.target.join(WASM_TARGET).join("wasm/frontend.wasm")
}

/// In hexadecimal.
fn content_hash(folder: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    hash_folder(&mut hash, folder)?;
    Ok(hex(&hash.finalize()))
}

/// Names and contents both, so that a renamed file counts too.
fn hash_folder(hash: &mut Sha256, folder: &Path) -> Result<()> {
    for file in assets::files_in(folder)? {
        hash.update(file.as_os_str().as_encoded_bytes());
        hash.update(fs::read(folder.join(&file)).with_context(|| file.display().to_string())?);
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn remove_dir(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", dir.display()))
        }
        _ => Ok(()),
    }
}
