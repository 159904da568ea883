//! The stack machine: one method a group of opcodes.

use super::reader::Reader;
use super::{Id, Memo, Node, Object, Pickle};
use anyhow::{Context, Result, bail, ensure};

/// Model descriptions are far smaller (tensors lie outside of the pickle); what is larger is refused.
const MAX_BYTES: usize = 1 << 26;
const MAX_NODES: usize = 1 << 22;

const NOTHING: &str = "it takes a value where there is none";

const NONE: Id = 0;
const FALSE: Id = 1;
const TRUE: Id = 2;

struct Machine<'a> {
    input: Reader<'a>,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: Memo,
    /// Pairs and letters that may still be copied from values seen before.
    copies_left: usize,
}

pub(super) fn run(data: &[u8]) -> Result<Pickle> {
    let data = &data[..data.len().min(MAX_BYTES)];
    let mut machine = Machine {
        input: Reader::new(data),
        nodes: vec![Node::None, Node::Bool(false), Node::Bool(true)],
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Memo::new(),
        copies_left: data.len(),
    };
    loop {
        let at = machine.input.at;
        let opcode = machine.input.u8()?;
        if opcode == b'.' {
            let root = machine.pop()?;
            return Ok(Pickle { nodes: machine.nodes, root, len: machine.input.at });
        }
        machine.step(opcode).with_context(|| format!("malformed pickle at byte {at}"))?;
    }
}

impl Machine<'_> {
    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            b'J' | b'K' | b'M' | b'G' | 0x8a | 0x8b => self.number(opcode),
            b'T' | b'U' | b'X' | b'B' | b'C' | 0x8c | 0x8d | 0x8e | 0x96 => self.text(opcode),
            b'N' => self.push_id(NONE),
            0x88 => self.push_id(TRUE),
            0x89 => self.push_id(FALSE),
            b'(' | b'0' | b'1' | 0x80 | 0x95 => self.stack_order(opcode),
            b'q' | b'r' | b'h' | b'j' | 0x94 => self.remember(opcode),
            b']' | b'}' | b')' | b't' | 0x85..=0x87 | 0x8f | 0x91 => self.container(opcode),
            b'a' | b'e' | b's' | b'u' | 0x90 => self.extend(opcode),
            b'c' | b'R' | 0x81 | 0x92 | 0x93 => self.object(opcode),
            b'b' => self.build(),
            b'Q' => self.persistent(),
            _ => bail!("opcode {opcode:#04x} has no place in a model file"),
        }
    }

    fn push(&mut self, node: Node) -> Result<()> {
        ensure!(self.nodes.len() < MAX_NODES, "more than {MAX_NODES} values");
        self.nodes.push(node);
        self.push_id(self.nodes.len() as Id - 1)
    }

    fn push_id(&mut self, id: Id) -> Result<()> {
        self.stack.push(id);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        ensure!(self.stack.len() > floor, NOTHING);
        self.stack.pop().context(NOTHING)
    }

    fn top(&self) -> Result<Id> {
        self.stack.last().copied().context(NOTHING)
    }

    /// Everything above the last mark.
    fn pop_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().context("it closes a mark that was not set")?;
        ensure!(mark <= self.stack.len(), "the stack fell below a mark");
        Ok(self.stack.split_off(mark))
    }

    fn number(&mut self, opcode: u8) -> Result<()> {
        let node = match opcode {
            b'J' => Node::Int(i32::from_le_bytes(self.input.array()?).into()),
            b'K' => Node::Int(self.input.u8()?.into()),
            b'M' => Node::Int(self.input.uint::<2>()? as i64),
            b'G' => {
                self.input.array::<8>()?;
                Node::Float
            }
            0x8a => long(self.input.counted::<1>()?),
            _ => long(self.input.counted::<4>()?),
        };
        self.push(node)
    }

    fn text(&mut self, opcode: u8) -> Result<()> {
        let input = &mut self.input;
        let node = match opcode {
            b'X' => Node::Str(input.text::<4>()?.into()),
            0x8c => Node::Str(input.text::<1>()?.into()),
            0x8d => Node::Str(input.text::<8>()?.into()),
            b'T' => python2_str(input.counted::<4>()?),
            b'U' => python2_str(input.counted::<1>()?),
            b'B' => Node::Bytes(input.counted::<4>()?.into()),
            b'C' => Node::Bytes(input.counted::<1>()?.into()),
            _ => Node::Bytes(input.counted::<8>()?.into()),
        };
        self.push(node)
    }

    fn stack_order(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            b'(' => self.marks.push(self.stack.len()),
            // POP also takes back a mark that nothing follows.
            b'0' if self.marks.last() == Some(&self.stack.len()) => drop(self.marks.pop()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_mark()?),
            0x80 => ensure!(self.input.u8()? <= 5, "its protocol is newer than 5"),
            _ => {
                let frame = self.input.uint::<8>()?;
                let left = (self.input.len() - self.input.at) as u64;
                ensure!(frame <= left, "a frame of {frame} bytes, of which {left} are there");
            }
        }
        Ok(())
    }

    fn remember(&mut self, opcode: u8) -> Result<()> {
        let key = match opcode {
            b'q' | b'h' => self.input.u8()?.into(),
            0x94 => self.memo.len() as u32,
            _ => self.input.uint::<4>()? as u32,
        };
        if matches!(opcode, b'h' | b'j') {
            let id = *self.memo.get(&key).with_context(|| format!("memo {key} is not set"))?;
            return self.push_id(id);
        }
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn container(&mut self, opcode: u8) -> Result<()> {
        let node = match opcode {
            b']' => Node::List(vec![]),
            b'}' => Node::Dict(vec![]),
            b')' => Node::Tuple(vec![]),
            0x8f => Node::Set(vec![]),
            b't' => Node::Tuple(self.pop_mark()?),
            0x91 => Node::Set(self.pop_mark()?),
            _ => {
                let mut items = (0x85..=opcode).map(|_| self.pop()).collect::<Result<Vec<_>>>()?;
                items.reverse();
                Node::Tuple(items)
            }
        };
        self.push(node)
    }

    fn extend(&mut self, opcode: u8) -> Result<()> {
        let added = match opcode {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.pop_mark()?,
        };
        let target = self.top()? as usize;
        match (&mut self.nodes[target], opcode) {
            (Node::List(items), b'a' | b'e') | (Node::Set(items), 0x90) => items.extend(added),
            (Node::Dict(pairs), b's' | b'u') => pairs.extend(in_pairs(&added)?),
            (Node::Object(object), b's' | b'u') => object.pairs.extend(in_pairs(&added)?),
            (Node::Object(object), _) => object.items.extend(added),
            _ => bail!("it adds elements to what is no container"),
        }
        Ok(())
    }

    fn object(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            b'c' => {
                let (module, name) = (self.input.line()?, self.input.line()?);
                self.push(global(module, name))
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Node::Str(module), Node::Str(name)) = (&self.nodes[module as usize], &self.nodes[name as usize])
                else {
                    bail!("a class without a name")
                };
                let (node, copied) = (global(module, name), module.len() + name.len());
                self.charge(copied)?;
                self.push(node)
            }
            0x92 => {
                self.pop()?; // keyword arguments
                self.call()
            }
            _ => self.call(),
        }
    }

    /// Makes the inert object of the callable and arguments on the stack; an `OrderedDict` becomes a dictionary.
    fn call(&mut self) -> Result<()> {
        let (args, callable) = (self.pop()?, self.pop()?);
        let ordered = matches!(&self.nodes[callable as usize], Node::Global(n) if &**n == "collections.OrderedDict");
        let node = if ordered {
            Node::Dict(self.ordered_pairs(args)?)
        } else {
            Node::Object(Box::new(Object { callable, args, state: None, items: vec![], pairs: vec![] }))
        };
        self.push(node)
    }

    /// The pairs of `OrderedDict()` or, as Python 2 wrote it, of `OrderedDict([[key, value], ...])`.
    fn ordered_pairs(&mut self, args: Id) -> Result<Vec<(Id, Id)>> {
        let Node::Tuple(args) = &self.nodes[args as usize] else { bail!("arguments that are no tuple") };
        let Some(&first) = args.first() else { return Ok(vec![]) };
        let Node::List(entries) = &self.nodes[first as usize] else { bail!("an OrderedDict of no list") };
        let pair = |id: &Id| match &self.nodes[*id as usize] {
            Node::List(pair) | Node::Tuple(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
            _ => bail!("an OrderedDict's entry is no pair"),
        };
        let count = entries.len();
        let pairs = if count <= self.copies_left { entries.iter().map(pair).collect::<Result<_>>()? } else { vec![] };
        self.charge(count)?;
        Ok(pairs)
    }

    /// Copies draw on a budget, so that a short pickle cannot copy one long value again and again.
    fn charge(&mut self, count: usize) -> Result<()> {
        self.copies_left = self.copies_left.checked_sub(count).context("a value is copied too often")?;
        Ok(())
    }

    fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        let target = self.top()? as usize;
        // Attributes of anything else, such as a state dict's `_metadata`, say nothing of use here.
        if let Node::Object(object) = &mut self.nodes[target] {
            object.state = Some(state);
        }
        Ok(())
    }

    fn persistent(&mut self) -> Result<()> {
        let id = self.pop()?;
        self.push(Node::Persistent(id))
    }
}

fn global(module: &str, name: &str) -> Node {
    Node::Global(format!("{module}.{name}").into())
}

fn in_pairs(flat: &[Id]) -> Result<Vec<(Id, Id)>> {
    ensure!(flat.len().is_multiple_of(2), "a key without a value");
    Ok(flat.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

/// A little-endian two's complement integer of any width.
fn long(bytes: &[u8]) -> Node {
    if bytes.len() > 8 {
        return Node::BigInt(bytes.into());
    }
    let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    Node::Int(i64::from_le_bytes(wide))
}

/// Python 2 had one type for text and bytes.
fn python2_str(bytes: &[u8]) -> Node {
    match std::str::from_utf8(bytes) {
        Ok(text) => Node::Str(text.into()),
        Err(_) => Node::Bytes(bytes.into()),
    }
}
