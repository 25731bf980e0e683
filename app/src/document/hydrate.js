((module, wasm) => {
  // Parents before children: an island's children are only there once it is hydrated.
  const hydrate = async (node, mod) => {
    if (node.tagName === "LEPTOS-ISLAND") await mod[node.dataset.component]?.(node);
    for (const child of [...node.children]) await hydrate(child, mod);
  };
  import(module).then(async (mod) => {
    await mod.default({ module_or_path: wasm });
    mod.hydrate();
    await hydrate(document.body, mod);
    document.documentElement.dataset.hydrated = "";
  });
})
