//! Makes an element look like new HTML by changing only what differs. What stays is the same node, so focus, scrolling,
//! selections and open details stay too.

use wasm_bindgen::JsCast as _;
use web_sys::{Element, Node};

/// Replaces what is inside of `element` by `html`, which comes from our own server.
pub(super) fn inner_html(element: &Element, html: &str) {
    let Ok(new) = element.clone_node() else { return };
    let new: Element = new.unchecked_into();
    new.set_inner_html(html);
    children(element, &new);
}

const ISLAND: &str = "leptos-island";

fn children(old: &Node, new: &Node) {
    let mut at = old.first_child();
    let mut next = new.first_child();
    while let Some(wanted) = next {
        next = wanted.next_sibling();
        match place(at.clone(), &wanted) {
            Place::Here(here) => {
                drop_between(old, at, &here);
                at = here.next_sibling();
                node(old, &here, &wanted);
            }
            Place::New => {
                strip_islands(&wanted);
                let _ = old.insert_before(&wanted, at.as_ref());
            }
        }
    }
    while let Some(rest) = at {
        at = rest.next_sibling();
        let _ = old.remove_child(&rest);
    }
}

enum Place {
    /// This node, at or behind the current one, is to become it.
    Here(Node),
    New,
}

/// A node with an id is only ever itself; others are told apart by their place.
fn place(at: Option<Node>, wanted: &Node) -> Place {
    let Some(first) = at else { return Place::New };
    match (id(&first), id(wanted)) {
        (None, None) => Place::Here(first),
        (_, None) => Place::New,
        (_, Some(wanted)) => {
            let mut other = Some(first);
            while let Some(node) = other {
                if id(&node).as_ref() == Some(&wanted) {
                    return Place::Here(node);
                }
                other = node.next_sibling();
            }
            Place::New
        }
    }
}

fn id(node: &Node) -> Option<String> {
    let element = node.dyn_ref::<Element>()?;
    Some(element.id()).filter(|id| !id.is_empty())
}

/// Nodes from `at` up to `here` are gone.
fn drop_between(parent: &Node, mut at: Option<Node>, here: &Node) {
    while let Some(node) = at {
        if node.is_same_node(Some(here)) {
            break;
        }
        at = node.next_sibling();
        let _ = parent.remove_child(&node);
    }
}

fn node(parent: &Node, old: &Node, new: &Node) {
    let is_island = |node: &Node| node.node_name().eq_ignore_ascii_case(ISLAND);
    // An island that is there works, and keeps itself up to date.
    if old.is_equal_node(Some(new)) || (is_island(old) && is_island(new)) {
        return;
    }
    match (old.dyn_ref::<Element>(), new.dyn_ref::<Element>()) {
        (Some(old), Some(new)) if is_alike(old, new) => {
            attributes(old, new);
            children(old, new);
        }
        (None, None) if old.node_type() == new.node_type() => old.set_node_value(new.node_value().as_deref()),
        _ => {
            strip_islands(new);
            let _ = parent.replace_child(new, old);
        }
    }
}

/// Whether one can become the other. A drawing is replaced whole: nobody is inside of it.
fn is_alike(old: &Element, new: &Element) -> bool {
    let tag = old.tag_name();
    tag == new.tag_name() && tag != "svg"
}

fn attributes(old: &Element, new: &Element) {
    let names = |of: &Element| {
        of.get_attribute_names()
            .iter()
            .filter_map(|name| name.as_string())
            .collect::<Vec<_>>()
    };
    for name in names(new) {
        let value = new.get_attribute(&name).unwrap_or_default();
        // What the reader opened stays open, and what they closed closed.
        if name != "open" && old.get_attribute(&name).as_deref() != Some(&value) {
            let _ = old.set_attribute(&name, &value);
        }
    }
    for name in names(old) {
        if name != "open" && !new.has_attribute(&name) {
            let _ = old.remove_attribute(&name);
        }
    }
}

/// An island that comes with the new HTML is not hydrated: it would be a button that does nothing.
fn strip_islands(node: &Node) {
    let Some(element) = node.dyn_ref::<Element>() else {
        return;
    };
    while let Ok(Some(island)) = element.query_selector(ISLAND) {
        island.remove();
    }
}
