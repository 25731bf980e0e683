//! A model's answer as HTML that can do no harm: `CommonMark` with tables and strikethrough, then an allow-list.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::Builder;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// Deeper than anyone writes, and shallow enough for whoever has to draw it: a browser's tree grows with it, and the time to
/// clean it with its square.
const NESTING_MAX: u32 = 24;

/// Raw HTML is shown as the text it is, images as their description; links go to `http`, `https` and `mailto` only.
/// Headings start at the third level, whichever the model starts at: the page has its first, the answer's card its second.
pub fn to_html(markdown: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let levels: BTreeSet<HeadingLevel> = Parser::new_ext(markdown, options).filter_map(heading_level).collect();
    let mut depth = 0;
    let events = Parser::new_ext(markdown, options)
        .filter(|event| is_shallow(event, &mut depth))
        .filter_map(|event| tame(event, &levels));
    let mut rendered = String::with_capacity(markdown.len() * 3 / 2);
    html::push_html(&mut rendered, events);
    CLEANER.clean(&rendered).to_string()
}

/// False for what opens or closes something too deep; the text in it stays.
fn is_shallow(event: &Event<'_>, depth: &mut u32) -> bool {
    match event {
        Event::Start(_) => {
            *depth += 1;
            *depth <= NESTING_MAX
        }
        Event::End(_) => {
            *depth = depth.saturating_sub(1);
            *depth < NESTING_MAX
        }
        _ => true,
    }
}

fn heading_level(event: Event<'_>) -> Option<HeadingLevel> {
    match event {
        Event::Start(Tag::Heading { level, .. }) => Some(level),
        _ => None,
    }
}

fn tame<'a>(event: Event<'a>, levels: &BTreeSet<HeadingLevel>) -> Option<Event<'a>> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        Event::Start(Tag::Heading { level, .. }) => Some(Event::Start(Tag::Heading {
            level: demoted(level, levels),
            id: None,
            classes: Vec::new(),
            attrs: Vec::new(),
        })),
        Event::End(TagEnd::Heading(level)) => Some(Event::End(TagEnd::Heading(demoted(level, levels)))),
        other => Some(other),
    }
}

/// The highest level in use becomes the third, the next in use the fourth, and so on: no gap for a screen reader to fall into.
fn demoted(level: HeadingLevel, levels: &BTreeSet<HeadingLevel>) -> HeadingLevel {
    match levels.range(..level).count() {
        0 => HeadingLevel::H3,
        1 => HeadingLevel::H4,
        2 => HeadingLevel::H5,
        _ => HeadingLevel::H6,
    }
}

/// The second lock on the same door: what pulldown-cmark writes is already tame, unless one of us is wrong.
static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let tags = [
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "em",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "strong",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    ];
    let mut cleaner = Builder::empty();
    cleaner
        .tags(HashSet::from(tags))
        .clean_content_tags(HashSet::from(["script", "style"]))
        .tag_attributes(HashMap::from([
            ("a", HashSet::from(["href", "title"])),
            ("ol", HashSet::from(["start"])),
        ]))
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(ammonia::UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"));
    cleaner
});

#[cfg(test)]
mod tests {
    use super::to_html;

    fn check(markdown: &str, html: &str) {
        assert_eq!(to_html(markdown).trim(), html, "for {markdown:?}");
    }

    #[test]
    fn ordinary_markdown_becomes_html() {
        check(
            "one *two* **three** ~~four~~",
            "<p>one <em>two</em> <strong>three</strong> <del>four</del></p>",
        );
        check("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>");
        check("3. a", "<ol start=\"3\">\n<li>a</li>\n</ol>");
        check("```rust\nfn main() {}\n```", "<pre><code>fn main() {}\n</code></pre>");
        check(
            "| a | b |\n|---|--:|\n| 1 | 2 |",
            "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>\n<tr><td>1</td><td>2</td></tr>\n</tbody></table>",
        );
    }

    #[test]
    fn headings_leave_the_first_two_levels_to_the_page() {
        for top in ["# a", "### a", "###### a"] {
            check(top, "<h3>a</h3>");
        }
        check("## a\n#### b\n## c", "<h3>a</h3>\n<h4>b</h4>\n<h3>c</h3>");
        check(
            "# a\n## b\n### c\n#### d\n##### e\n###### f",
            "<h3>a</h3>\n<h4>b</h4>\n<h5>c</h5>\n<h6>d</h6>\n<h6>e</h6>\n<h6>f</h6>",
        );
    }

    #[test]
    fn raw_html_is_shown_and_not_run() {
        check("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;");
        check(
            "a <img src=x onerror=alert(1)> b",
            "<p>a &lt;img src=x onerror=alert(1)&gt; b</p>",
        );
        check(
            "<p style=\"position:fixed\">a</p>",
            "&lt;p style=\"position:fixed\"&gt;a&lt;/p&gt;",
        );
        check(
            "`<script>alert(1)</script>`",
            "<p><code>&lt;script&gt;alert(1)&lt;/script&gt;</code></p>",
        );
        check(
            "<scr<script>ipt>alert(1)",
            "<p>&lt;scr&lt;script&gt;ipt&gt;alert(1)</p>",
        );
    }

    #[test]
    fn links_open_nothing_but_the_web_and_mail() {
        check(
            "[a](https://example.com/?a=1&b=2)",
            "<p><a href=\"https://example.com/?a=1&amp;b=2\" rel=\"noopener noreferrer nofollow\">a</a></p>",
        );
        for target in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java&#10;script:alert(1)",
            "&#x6A;avascript:alert(1)",
            "data:text/html;base64,PHNjcmlwdD4=",
            "vbscript:x",
            "file:///etc/passwd",
            "//evil.example/",
            "/sign-out",
        ] {
            let html = to_html(&format!("[a](<{target}>)"));
            assert!(!html.contains("href"), "{target} became {html}");
        }
        check(
            "<javascript:alert(1)>",
            "<p><a rel=\"noopener noreferrer nofollow\">javascript:alert(1)</a></p>",
        );
    }

    #[test]
    fn images_are_their_description_and_fetch_nothing() {
        check("![a chart](https://tracker.example/pixel.png)", "<p>a chart</p>");
        check(
            "[![a](https://tracker.example/x.png)](javascript:alert(1))",
            "<p><a rel=\"noopener noreferrer nofollow\">a</a></p>",
        );
        check("![a\" onerror=\"alert(1)](x)", "<p>a\" onerror=\"alert(1)</p>");
    }

    #[test]
    fn an_attribute_cannot_be_smuggled_into_a_title_or_a_fence() {
        let html = to_html("[a](https://example.com \"x\\\" onmouseover=\\\"alert(1)\")");
        assert!(html.contains("title=\"x&quot; onmouseover=&quot;alert(1)\""), "{html}");
        check("```\" onclick=\"alert(1)\na\n```", "<pre><code>a\n</code></pre>");
    }

    #[test]
    fn deep_nesting_ends() {
        let html = to_html(&format!("{}deep", "> ".repeat(500_000)));
        assert!(html.contains("deep"));
        assert_eq!(html.matches("<blockquote>").count() as u32, super::NESTING_MAX);
        let list: String = (0..400)
            .map(|depth| format!("{}- item\n", "  ".repeat(depth)))
            .collect();
        assert_eq!(
            to_html(&list).matches("item").count(),
            400,
            "the text of what is too deep stays"
        );
    }
}
