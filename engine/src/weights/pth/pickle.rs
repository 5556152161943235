//! A machine for the small part of Python's pickle language that state dicts are written in. It builds
//! data and calls nothing: the few functions it knows stand for tensors and dictionaries, and any other
//! name is refused.

use std::collections::HashMap;

use super::literal::{number, text};
use super::object::{Global, Id, Object, Pickle, Storage, View};
use super::reader::Reader;
use super::rebuild::global;

/// Most values a pickle may make; a state dict of ten thousand tensors makes fewer than a million.
const MAX_OBJECTS: usize = 4_000_000;

/// Reads one pickle. Returns it and how many bytes it took.
///
/// # Errors
/// A pickle that is cut short or contradictory, or that names anything but parts of a state dict.
pub(super) fn read(bytes: &[u8]) -> Result<(Pickle, usize), String> {
    let mut machine = Machine {
        input: Reader::new(bytes),
        objects: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    loop {
        let at = machine.input.position();
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => {
                let taken = machine.input.position();
                let objects = machine.objects;
                return Ok((Pickle { objects, root }, taken));
            }
            Err(message) => return Err(format!("pickle, byte {at}: {message}")),
        }
    }
}

struct Machine<'a> {
    input: Reader<'a>,
    objects: Vec<Object>,
    stack: Vec<Id>,
    /// Heights of the stack at open marks.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

impl Machine<'_> {
    /// Does one instruction; the last one gives the result.
    fn step(&mut self) -> Result<Option<Id>, String> {
        let code = self.input.byte()?;
        match code {
            b'.' => return self.pop().map(Some),
            0x80 => self.input.skip(1)?,               // PROTO
            0x95 => self.input.skip(8)?,               // FRAME
            b'(' => self.marks.push(self.stack.len()), // MARK
            b'0' => drop(self.pop()?),                 // POP
            b'1' => drop(self.pop_mark()?),            // POP_MARK
            b'2' => {
                let top = self.pop()?; // DUP
                self.stack.extend([top, top]);
            }
            b'N' => self.push(Object::None)?,
            0x88 | 0x89 => self.push(Object::Bool(code == 0x88))?,
            b'J' | b'K' | b'M' | 0x8a | 0x8b | b'I' | b'L' | b'G' | b'F' => {
                let number = number(&mut self.input, code)?;
                self.push(number)?;
            }
            b'X' | b'V' | 0x8c | 0x8d | b'U' | b'T' | b'S' => {
                let text = text(&mut self.input, code)?;
                self.push(Object::Text(text))?;
            }
            b'C' | b'B' | 0x8e => {
                self.input.counted(code)?;
                self.push(Object::Opaque)?;
            }
            b')' | b']' | b'}' | 0x8f | b't' | b'l' | b'd' | 0x85..=0x87 | 0x91 => {
                self.container(code)?;
            }
            b'a' | b'e' | b's' | b'u' | 0x90 => self.insert(code)?,
            b'q' | b'r' | b'p' | 0x94 => {
                let key = match code {
                    0x94 => self.memo.len() as u64,
                    _ => self.input.memo_key(code)?,
                };
                let top = *self.stack.last().ok_or("the stack is empty")?;
                self.memo.insert(key, top);
            }
            b'h' | b'j' | b'g' => {
                let key = self.input.memo_key(code)?;
                let found = self.memo.get(&key).copied();
                self.stack
                    .push(found.ok_or("it recalls what it never stored")?);
            }
            b'c' | 0x93 => self.global(code)?,
            b'Q' => self.storage()?,
            b'R' | 0x81 => self.call()?,
            b'b' => self.build()?,
            // INST, OBJ, NEWOBJ_EX, PERSID, extensions and whatever is no instruction at all.
            other => return Err(format!("the instruction 0x{other:02x} is refused")),
        }
        Ok(None)
    }

    fn push(&mut self, object: Object) -> Result<(), String> {
        if self.objects.len() == MAX_OBJECTS {
            return Err(format!("it makes more than {MAX_OBJECTS} values"));
        }
        self.stack.push(self.objects.len());
        self.objects.push(object);
        Ok(())
    }

    /// The topmost value above the last mark.
    fn pop(&mut self) -> Result<Id, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len() > floor {
            true => self.stack.pop().ok_or_else(|| "the stack is empty".into()),
            false => Err("the stack is empty".into()),
        }
    }

    /// Everything above the last mark, which is removed.
    fn pop_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or("a mark is missing")?;
        Ok(self.stack.split_off(mark))
    }

    fn container(&mut self, code: u8) -> Result<(), String> {
        let object = match code {
            b')' => Object::Tuple(Vec::new()),
            b']' => Object::List(Vec::new()),
            b'}' => Object::Dict(Vec::new()),
            0x8f => Object::Opaque,
            b't' => Object::Tuple(self.pop_mark()?),
            b'l' => Object::List(self.pop_mark()?),
            b'd' => Object::Dict(pairs(&self.pop_mark()?)?),
            0x91 => {
                self.pop_mark()?;
                Object::Opaque
            }
            _ => {
                let mut items = Vec::new();
                for _ in 0x84..code {
                    items.push(self.pop()?);
                }
                items.reverse();
                Object::Tuple(items)
            }
        };
        self.push(object)
    }

    /// Adds to the list, dictionary or set below.
    fn insert(&mut self, code: u8) -> Result<(), String> {
        let items = match code {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.pop_mark()?,
        };
        let below = *self.stack.last().ok_or("the stack is empty")?;
        match (&mut self.objects[below], code) {
            (Object::List(list), b'a' | b'e') => list.extend(items),
            (Object::Dict(dict), b's' | b'u') => dict.extend(pairs(&items)?),
            (Object::Opaque, 0x90) => {}
            _ => return Err("it adds to what is no list or dictionary".into()),
        }
        Ok(())
    }

    fn global(&mut self, code: u8) -> Result<(), String> {
        let found = if code == b'c' {
            let module = self.input.line()?;
            global(module, self.input.line()?)?
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            match (&self.objects[module], &self.objects[name]) {
                (Object::Text(module), Object::Text(name)) => global(module, name)?,
                _ => return Err("a global without a name is refused".into()),
            }
        };
        self.push(Object::Global(found))
    }

    /// A reference to a storage, which `torch.save` writes as a persistent identifier.
    fn storage(&mut self) -> Result<(), String> {
        let id = self.pop()?;
        let storage = Storage::read(&self.objects, id)?;
        self.push(Object::Storage(storage))
    }

    /// Stands for the call of a known function.
    fn call(&mut self) -> Result<(), String> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let Object::Tuple(arguments) = &self.objects[arguments] else {
            return Err("a call without arguments".into());
        };
        let object = match &self.objects[function] {
            Object::Global(Global::OrderedDict) => match arguments.first() {
                None => Object::Dict(Vec::new()),
                Some(&items) => Object::Dict(self.listed_pairs(items)?),
            },
            Object::Global(Global::RebuildTensor) => {
                Object::Tensor(View::read(&self.objects, arguments)?)
            }
            // A parameter is its tensor, and a size its tuple.
            Object::Global(Global::RebuildParameter | Global::Size) => {
                let first = *arguments.first().ok_or("a call without arguments")?;
                self.stack.push(first);
                return Ok(());
            }
            _ => return Err("it calls what cannot be called".into()),
        };
        self.push(object)
    }

    /// Pairs of `OrderedDict([(key, value), …])`.
    fn listed_pairs(&self, items: Id) -> Result<Vec<(Id, Id)>, String> {
        let Object::List(items) = &self.objects[items] else {
            return Err("a dictionary is made of something else than pairs".into());
        };
        let pair = |&item: &Id| match &self.objects[item] {
            Object::Tuple(pair) | Object::List(pair) => match pair.as_slice() {
                &[key, value] => Some((key, value)),
                _ => None,
            },
            _ => None,
        };
        let pairs: Option<Vec<(Id, Id)>> = items.iter().map(pair).collect();
        pairs.ok_or_else(|| "a dictionary is made of something else than pairs".into())
    }

    /// Attributes of a dictionary, such as the `_metadata` of a state dict, carry no weights.
    fn build(&mut self) -> Result<(), String> {
        self.pop()?;
        let target = *self.stack.last().ok_or("the stack is empty")?;
        match self.objects[target] {
            Object::Dict(_) => Ok(()),
            _ => Err("it sets attributes of what is no dictionary".into()),
        }
    }
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, String> {
    let (pairs, rest) = items.as_chunks::<2>();
    match rest.is_empty() {
        true => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
        false => Err("a key has no value".into()),
    }
}
