//! One minified style sheet from `style/main.css` and what it imports.
//!
//! Lightning CSS has a bundler too, but it brings a source-map writer with two dozen crates of its own. Our imports are
//! local files, each perhaps in a layer; for them the parser is enough.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use lightningcss::printer::PrinterOptions;
use lightningcss::rules::CssRule;
use lightningcss::rules::import::ImportRule;
use lightningcss::stylesheet::{MinifyOptions, ParserOptions, StyleSheet};
use lightningcss::targets::{Browsers, Targets};
use lightningcss::traits::ToCss;

/// Reads a style sheet with everything it imports and returns it as one, minified.
pub(super) fn bundle(main: &Path) -> Result<String> {
    let joined = join(main, &mut Vec::new())?;
    let mut sheet = parse(&joined, main)?;
    let targets = targets();
    sheet
        .minify(MinifyOptions {
            targets,
            ..Default::default()
        })
        .map_err(|error| anyhow!("{}: {error}", main.display()))?;
    let options = PrinterOptions {
        minify: true,
        targets,
        ..Default::default()
    };
    Ok(sheet
        .to_css(options)
        .map_err(|error| anyhow!("{}: {error}", main.display()))?
        .code)
}

/// The first versions that know nesting and `light-dark()`: both are kept as written, prefixes are added where needed.
fn targets() -> Targets {
    let version = |major: u32, minor: u32| Some(major << 16 | minor << 8);
    Targets::from(Browsers {
        chrome: version(123, 0),
        edge: version(123, 0),
        firefox: version(121, 0),
        ios_saf: version(17, 5),
        safari: version(17, 5),
        ..Default::default()
    })
}

fn join(file: &Path, importing: &mut Vec<PathBuf>) -> Result<String> {
    ensure!(
        !importing.iter().any(|outer| outer == file),
        "{} imports itself",
        file.display()
    );
    let code = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let sheet = parse(&code, file)?;
    importing.push(file.to_path_buf());
    let mut joined = String::new();
    for rule in &sheet.rules.0 {
        match rule {
            CssRule::Import(import) => joined.push_str(&import_text(import, file, importing)?),
            rule => joined.push_str(&text(rule)?),
        }
        joined.push('\n');
    }
    importing.pop();
    Ok(joined)
}

fn import_text(import: &ImportRule<'_>, file: &Path, importing: &mut Vec<PathBuf>) -> Result<String> {
    let url = import.url.as_ref();
    let place = format!("{}:{}", file.display(), import.loc.line + 1);
    ensure!(
        !url.contains("://") && !url.starts_with('/'),
        "{place}: only files beside this one can be imported"
    );
    ensure!(
        import.supports.is_none(),
        "{place}: put the condition into the imported file"
    );
    let imported = join(&file.parent().unwrap_or(Path::new(".")).join(url), importing).context(place)?;
    let layered = match &import.layer {
        None => imported,
        Some(None) => format!("@layer {{ {imported} }}"),
        Some(Some(name)) => format!("@layer {} {{ {imported} }}", text(name)?),
    };
    Ok(if import.media.media_queries.is_empty() {
        layered
    } else {
        format!("@media {} {{ {layered} }}", text(&import.media)?)
    })
}

fn parse<'code>(code: &'code str, file: &Path) -> Result<StyleSheet<'code>> {
    let options = ParserOptions {
        filename: file.display().to_string(),
        ..Default::default()
    };
    match StyleSheet::parse(code, options) {
        Ok(sheet) => Ok(sheet),
        Err(error) => bail!("{error}"),
    }
}

fn text(value: &impl ToCss) -> Result<String> {
    value
        .to_css_string(PrinterOptions::default())
        .map_err(|error| anyhow!("printing CSS: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes the files to a folder of their own and bundles the first.
    fn check(name: &str, files: &[(&str, &str)]) -> Result<String> {
        let folder = std::env::temp_dir().join(format!("keypool-css-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder)?;
        for (file, code) in files {
            fs::write(folder.join(file), code)?;
        }
        let bundled = bundle(&folder.join(files[0].0));
        fs::remove_dir_all(&folder)?;
        bundled
    }

    #[test]
    fn imports_are_put_in_place_in_their_layer_and_order() {
        let css = check(
            "layers",
            &[
                (
                    "main.css",
                    "@layer reset, base;\n@import \"reset.css\" layer(reset);\n@import 'base.css' layer(base);\n",
                ),
                ("reset.css", "@import \"deep.css\";\n* { margin: 0px; }"),
                ("deep.css", "html { color: #ff0000; }"),
                ("base.css", "a { color: blue; &:hover { color: #00ff00; } }"),
            ],
        );
        assert_eq!(
            css.unwrap(),
            "@layer reset{html{color:red}*{margin:0}}@layer base{a{color:#00f;&:hover{color:#0f0}}}"
        );
    }

    #[test]
    fn an_import_for_print_stays_for_print() {
        let css = check(
            "print",
            &[
                ("main.css", "@import 'p.css' print;"),
                ("p.css", "nav { display: none }"),
            ],
        );
        assert_eq!(css.unwrap(), "@media print{nav{display:none}}");
    }

    #[test]
    fn a_missing_import_names_the_line_that_asks_for_it() {
        let error = check("missing", &[("main.css", "\n@import 'gone.css';")]).unwrap_err();
        assert!(format!("{error:#}").contains("main.css:2"), "{error:#}");
    }

    #[test]
    fn a_sheet_that_imports_itself_is_refused() {
        let error = check("cycle", &[("a.css", "@import 'b.css';"), ("b.css", "@import 'a.css';")]).unwrap_err();
        assert!(format!("{error:#}").contains("imports itself"), "{error:#}");
    }

    #[test]
    fn a_mistake_names_its_file() {
        let error = check("mistake", &[("main.css", "a { color: red; } }")]).unwrap_err();
        assert!(format!("{error:#}").contains("main.css"), "{error:#}");
    }

    #[test]
    fn our_own_style_sheet_is_without_mistakes() {
        let css = bundle(&crate::workspace::Workspace::here().root.join("style/main.css")).unwrap();
        assert!(css.contains("@layer") && !css.contains("@import"), "{css}");
    }
}
