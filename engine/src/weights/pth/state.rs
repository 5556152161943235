//! The state dict within what a PyTorch file holds.

use std::collections::{BTreeMap, HashSet};

use super::object::{Id, Object, Pickle};

/// Keys under which training scripts keep the state dict, the likeliest first.
const WRAPPERS: [&str; 9] = [
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "model_state",
    "params",
    "weights",
    "module",
];
/// Deepest nesting of dictionaries looked into.
const MAX_DEPTH: usize = 8;
/// Longest key of a tensor or of a dictionary with tensors, in bytes.
const MAX_KEY: usize = 1000;
/// Most values looked at.
const MAX_VISITS: usize = 1_000_000;

/// A state dict and what stands beside it.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Tensors by name; keys of nested dictionaries are joined by dots.
    pub tensors: BTreeMap<String, Id>,
    /// Numbers, texts and lists of them beside the state dict.
    pub metadata: BTreeMap<String, String>,
}

/// Finds the state dict: the root itself, or what one of the usual wrappers holds. A prefix `module.`
/// that all names share, which `DataParallel` adds, is left out.
///
/// # Errors
/// A file without named tensors, or with a name that stands for two of them.
pub(super) fn state(pickle: &Pickle) -> Result<State, String> {
    let mut state = State::default();
    let mut root = pickle.root;
    for _ in 0..MAX_DEPTH {
        note(pickle, root, &mut state.metadata);
        match wrapped(pickle, root)? {
            Some(inner) => root = inner,
            None => break,
        }
    }
    state.tensors = flat(pickle, root)?;
    if state.tensors.is_empty() {
        return Err("holds no named tensors; it should be a state dict".into());
    }
    if state.tensors.keys().all(|name| name.starts_with("module.")) {
        let names = std::mem::take(&mut state.tensors).into_iter();
        state.tensors = names.map(|(name, id)| (name[7..].into(), id)).collect();
    }
    Ok(state)
}

/// The dictionary with tensors that a wrapper holds; `None` when this one is the state dict.
fn wrapped(pickle: &Pickle, root: Id) -> Result<Option<Id>, String> {
    let Object::Dict(items) = &pickle.objects[root] else {
        return Ok(None);
    };
    let is_tensor = |(_, value): &(Id, Id)| matches!(pickle.objects[*value], Object::Tensor(_));
    if items.iter().any(is_tensor) {
        return Ok(None);
    }
    for wrapper in WRAPPERS {
        for (key, value) in items {
            let named = matches!(&pickle.objects[*key], Object::Text(key) if key == wrapper);
            if named && !flat(pickle, *value)?.is_empty() {
                return Ok(Some(*value));
            }
        }
    }
    Ok(None)
}

/// All tensors in a dictionary and those it holds.
fn flat(pickle: &Pickle, root: Id) -> Result<BTreeMap<String, Id>, String> {
    let mut found = BTreeMap::new();
    let mut visits = 0;
    let mut waiting = vec![(root, String::new(), 0)];
    while let Some((dict, prefix, depth)) = waiting.pop() {
        let Object::Dict(items) = &pickle.objects[dict] else {
            continue;
        };
        let mut seen = HashSet::new();
        for (key, value) in items {
            visits += 1;
            if visits > MAX_VISITS {
                return Err(format!("nests more than {MAX_VISITS} values"));
            }
            let Object::Text(key) = &pickle.objects[*key] else {
                continue;
            };
            if key.len() > MAX_KEY {
                return Err(format!("has a key of {} bytes", key.len()));
            }
            let name = format!("{prefix}{key}");
            let is_new = match pickle.objects[*value] {
                Object::Tensor(_) => found.insert(name.clone(), *value).is_none(),
                Object::Dict(_) if depth < MAX_DEPTH => {
                    waiting.push((*value, format!("{name}."), depth + 1));
                    true
                }
                _ => true,
            };
            if !is_new || !seen.insert(key) {
                return Err(format!("the key {name} stands there twice"));
            }
        }
    }
    Ok(found)
}

fn note(pickle: &Pickle, dict: Id, metadata: &mut BTreeMap<String, String>) {
    let Object::Dict(items) = &pickle.objects[dict] else {
        return;
    };
    for (key, value) in items {
        if let (Object::Text(key), Some(text)) = (&pickle.objects[*key], said(pickle, *value)) {
            metadata.insert(key.clone(), text);
        }
    }
}

/// A number, a text, or a short list of them with commas between.
fn said(pickle: &Pickle, value: Id) -> Option<String> {
    const LONGEST: usize = 64;
    let simple = |id: Id| match &pickle.objects[id] {
        Object::Bool(x) => Some(x.to_string()),
        Object::Int(x) => Some(x.to_string()),
        Object::Float(x) => Some(x.to_string()),
        Object::Text(x) => Some(x.clone()),
        _ => None,
    };
    match &pickle.objects[value] {
        Object::List(items) | Object::Tuple(items) if items.len() <= LONGEST => {
            let items: Option<Vec<String>> = items.iter().map(|&id| simple(id)).collect();
            items.filter(|x| !x.is_empty()).map(|x| x.join(","))
        }
        _ => simple(value),
    }
}
