//! A pickle reader that executes nothing: classes and functions are names, calls become inert objects.
//!
//! Python's pickle is a little stack machine (opcodes: CPython `Lib/pickletools.py`). Its values are kept in one arena
//! and refer to each other by index, so that shared and cyclic containers cost nothing, and so that no input, however
//! deeply nested, can overflow the stack. Every opcode makes at most a few values, hence memory stays in proportion to
//! the input; the one operation that copies (an `OrderedDict` from a list of pairs) draws on a budget of the input's
//! size.

mod machine;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

/// Index of a value in its [`Pickle`].
type Id = u32;

/// One value of a pickle.
#[derive(Debug)]
enum Node {
    None,
    Bool(bool),
    Int(i64),
    /// An integer beyond 64 bits: little-endian two's complement.
    BigInt(Box<[u8]>),
    /// Its value, which no description needs, is not kept.
    Float,
    Str(Box<str>),
    Bytes(Box<[u8]>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Set(Vec<Id>),
    /// Also `collections.OrderedDict`.
    Dict(Vec<(Id, Id)>),
    /// `module.name` of a class or function.
    Global(Box<str>),
    Object(Box<Object>),
    /// What the pickler stored elsewhere: torch's storages.
    Persistent(Id),
}

/// The call `callable(*args)`, not made, and what would have been done to its result.
#[derive(Debug)]
struct Object {
    callable: Id,
    args: Id,
    state: Option<Id>,
    items: Vec<Id>,
    pairs: Vec<(Id, Id)>,
}

/// All values of one pickle.
#[derive(Debug)]
pub struct Pickle {
    nodes: Vec<Node>,
    root: Id,
    /// Bytes of input that it took.
    pub len: usize,
}

impl Pickle {
    /// Reads the pickle at the start of `data`, protocols 2 to 5 (torch writes 2; without out-of-band buffers).
    ///
    /// # Errors
    /// Truncated or malformed input, naming the byte.
    pub fn read(data: &[u8]) -> anyhow::Result<Self> {
        machine::run(data)
    }

    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        self.value(self.root)
    }

    /// What every persistent reference in the pickle refers to, in order of appearance.
    pub fn persistent(&self) -> impl Iterator<Item = Value<'_>> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Persistent(id) => Some(self.value(*id)),
            _ => None,
        })
    }

    fn value(&self, id: Id) -> Value<'_> {
        Value { pickle: self, id }
    }
}

/// A value within a pickle; what it is not, it answers with `None` or nothing.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    pickle: &'a Pickle,
    id: Id,
}

impl<'a> Value<'a> {
    fn node(self) -> &'a Node {
        &self.pickle.nodes[self.id as usize]
    }

    pub fn is_none(self) -> bool {
        matches!(self.node(), Node::None)
    }

    pub fn bool(self) -> Option<bool> {
        match self.node() {
            Node::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub fn int(self) -> Option<i64> {
        match self.node() {
            Node::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub fn str(self) -> Option<&'a str> {
        match self.node() {
            Node::Str(value) => Some(value),
            _ => None,
        }
    }

    /// The bytes of a `bytes`, or of an integer too large for 64 bits.
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self.node() {
            Node::Bytes(value) | Node::BigInt(value) => Some(value),
            _ => None,
        }
    }

    /// `module.name` of a class or function.
    pub fn global(self) -> Option<&'a str> {
        match self.node() {
            Node::Global(name) => Some(name),
            _ => None,
        }
    }

    /// Whether this is a dictionary.
    pub fn is_dict(self) -> bool {
        matches!(self.node(), Node::Dict(_))
    }

    /// Key and value pairs of a dictionary, or of an object that behaves as one.
    pub fn pairs(self) -> impl Iterator<Item = (Value<'a>, Value<'a>)> {
        let pairs: &[(Id, Id)] = match self.node() {
            Node::Dict(pairs) => pairs,
            Node::Object(object) => &object.pairs,
            _ => &[],
        };
        pairs.iter().map(move |&(key, value)| (self.pickle.value(key), self.pickle.value(value)))
    }

    /// Elements of a list, tuple or set, or of an object that behaves as a list.
    pub fn items(self) -> impl ExactSizeIterator<Item = Value<'a>> {
        let items: &[Id] = match self.node() {
            Node::List(items) | Node::Tuple(items) | Node::Set(items) => items,
            Node::Object(object) => &object.items,
            _ => &[],
        };
        items.iter().map(move |&id| self.pickle.value(id))
    }

    /// Callable and arguments of an object.
    pub fn call(self) -> Option<(Value<'a>, Value<'a>)> {
        match self.node() {
            Node::Object(object) => Some((self.pickle.value(object.callable), self.pickle.value(object.args))),
            _ => None,
        }
    }

    /// What a persistent reference refers to.
    pub fn reference(self) -> Option<Value<'a>> {
        match self.node() {
            Node::Persistent(id) => Some(self.pickle.value(*id)),
            _ => None,
        }
    }

    /// The value under `key`: of a dictionary (the last one counts, as in Python), or the attribute of an object.
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        let find = |value: Value<'a>| value.pairs().filter(|(k, _)| k.str() == Some(key)).last().map(|(_, v)| v);
        find(self).or_else(|| self.state().and_then(find))
    }

    /// The attributes of an object: its state, or the first part of a `(attributes, slots)` pair.
    fn state(self) -> Option<Value<'a>> {
        let Node::Object(object) = self.node() else { return None };
        let state = self.pickle.value(object.state?);
        if state.is_dict() { Some(state) } else { state.items().next() }
    }
}

/// The machine's numbered notes of values seen before.
type Memo = HashMap<u32, Id>;
