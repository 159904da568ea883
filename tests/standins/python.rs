//! Python values and their pickle, protocol 2, as torch.save writes it.

use crate::noise::rule;

/// The numbers of a float32 tensor, made when they are written.
#[derive(Clone)]
pub enum Data {
    Rule { name: String, shape: Vec<usize>, seed: u64 },
    Zeros(Vec<usize>),
    Values(Vec<f32>, Vec<usize>),
}

impl Data {
    pub fn shape(&self) -> &[usize] {
        match self {
            Data::Rule { shape, .. } | Data::Zeros(shape) | Data::Values(_, shape) => shape,
        }
    }

    /// Number of elements.
    pub fn count(&self) -> usize {
        self.shape().iter().product()
    }

    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Data::Rule { name, shape, seed } => bytemuck::cast_slice(&rule::values(name, shape, *seed)).to_vec(),
            Data::Zeros(_) => vec![0; 4 * self.count()],
            Data::Values(values, _) => bytemuck::cast_slice(values).to_vec(),
        }
    }
}

/// A Python value.
#[derive(Clone)]
pub enum Py {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    List(Vec<Py>),
    Dict(Vec<(Py, Py)>),
    OrderedDict(Vec<(Py, Py)>),
    Tensor(Data),
    /// An instance of `module.name` with these attributes.
    Object(&'static str, &'static str, Vec<(Py, Py)>),
}

impl Py {
    pub fn str(text: &str) -> Self {
        Py::Str(text.to_owned())
    }

    pub fn dict<'a>(entries: impl IntoIterator<Item = (&'a str, Py)>) -> Self {
        Py::Dict(keyed(entries))
    }

    pub fn object<'a>(
        module: &'static str,
        name: &'static str,
        attributes: impl IntoIterator<Item = (&'a str, Py)>,
    ) -> Self {
        Py::Object(module, name, keyed(attributes))
    }

    /// A plain dictionary of tensors.
    pub fn state(state: impl IntoIterator<Item = (String, Data)>) -> Self {
        Py::Dict(state.into_iter().map(|(name, data)| (Py::Str(name), Py::Tensor(data))).collect())
    }

    /// The `OrderedDict` of tensors that `state_dict()` returns.
    pub fn ordered(state: impl IntoIterator<Item = (String, Data)>) -> Self {
        Py::OrderedDict(state.into_iter().map(|(name, data)| (Py::Str(name), Py::Tensor(data))).collect())
    }
}

fn keyed<'a>(entries: impl IntoIterator<Item = (&'a str, Py)>) -> Vec<(Py, Py)> {
    entries.into_iter().map(|(key, value)| (Py::str(key), value)).collect()
}

/// Writes pickles and collects the tensors met, whose storage keys are their numbers.
pub struct Pickler {
    out: Vec<u8>,
    pub tensors: Vec<Data>,
    /// The legacy stream's storage references have a sixth part.
    legacy: bool,
}

impl Pickler {
    pub fn new(legacy: bool) -> Self {
        Self { out: vec![], tensors: vec![], legacy }
    }

    /// One complete pickle.
    pub fn dump(&mut self, value: &Py) -> Vec<u8> {
        self.out = vec![0x80, 2];
        self.write(value);
        self.out.push(b'.');
        std::mem::take(&mut self.out)
    }

    fn write(&mut self, value: &Py) {
        match value {
            Py::None => self.out.push(b'N'),
            Py::Bool(value) => self.out.push(if *value { 0x88 } else { 0x89 }),
            Py::Int(value) => self.int(*value),
            Py::Float(value) => self.op(b'G', &value.to_be_bytes()),
            Py::Str(text) => self.text(text),
            Py::List(items) => {
                self.op(b']', b"(");
                items.iter().for_each(|item| self.write(item));
                self.out.push(b'e');
            }
            Py::Dict(pairs) => {
                self.out.push(b'}');
                self.pairs(pairs);
            }
            Py::OrderedDict(pairs) => {
                self.op(b'c', b"collections\nOrderedDict\n)R");
                self.pairs(pairs);
            }
            Py::Tensor(data) => self.tensor(data),
            Py::Object(module, name, attributes) => {
                self.op(b'c', format!("{module}\n{name}\n)").as_bytes());
                self.op(0x81, b"}");
                self.pairs(attributes);
                self.out.push(b'b');
            }
        }
    }

    fn op(&mut self, opcode: u8, argument: &[u8]) {
        self.out.push(opcode);
        self.out.extend_from_slice(argument);
    }

    fn int(&mut self, value: i64) {
        match i32::try_from(value) {
            Ok(value) => self.op(b'J', &value.to_le_bytes()),
            Err(_) => {
                self.op(0x8a, &[8]);
                self.out.extend_from_slice(&value.to_le_bytes());
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.op(b'X', &(text.len() as u32).to_le_bytes());
        self.out.extend_from_slice(text.as_bytes());
    }

    fn pairs(&mut self, pairs: &[(Py, Py)]) {
        self.out.push(b'(');
        for (key, value) in pairs {
            self.write(key);
            self.write(value);
        }
        self.out.push(b'u');
    }

    fn tuple(&mut self, sizes: &[usize]) {
        self.out.push(b'(');
        sizes.iter().for_each(|&size| self.int(size as i64));
        self.out.push(b't');
    }

    /// `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, backward_hooks)`
    fn tensor(&mut self, data: &Data) {
        self.op(b'c', b"torch._utils\n_rebuild_tensor_v2\n((");
        self.text("storage");
        self.op(b'c', b"torch\nFloatStorage\n");
        self.text(&self.tensors.len().to_string());
        self.text("cpu");
        self.int(data.count() as i64);
        if self.legacy {
            self.out.push(b'N');
        }
        self.op(b't', b"Q");
        self.int(0);
        let shape = data.shape();
        let strides: Vec<_> = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
        self.tuple(shape);
        self.tuple(&strides);
        self.op(0x89, b"ccollections\nOrderedDict\n)RtR");
        self.tensors.push(data.clone());
    }
}
