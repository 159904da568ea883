//! Pickles of CPython (tests/golden/weights.py) and hostile ones.

use super::*;

const PROTOCOLS: [&[u8]; 4] = [
    include_bytes!("../../../../tests/golden/weights_objects_p2.pkl"),
    include_bytes!("../../../../tests/golden/weights_objects_p3.pkl"),
    include_bytes!("../../../../tests/golden/weights_objects_p4.pkl"),
    include_bytes!("../../../../tests/golden/weights_objects_p5.pkl"),
];

#[test]
fn every_protocol_that_torch_can_write_is_read() {
    for (protocol, bytes) in PROTOCOLS.iter().enumerate() {
        let pickle = Pickle::read(bytes).unwrap();
        assert_eq!(pickle.len, bytes.len());
        let root = pickle.root();
        let misc: Vec<_> = root.get("misc").unwrap().items().collect();
        assert!(misc[0].is_none(), "protocol {}", protocol + 2);
        assert_eq!((misc[1].bool(), misc[2].int(), misc[4].int()), (Some(true), Some(-1), None));
        assert_eq!(misc[7].items().next().unwrap().int(), Some(1));
        assert_eq!(misc[8].str().unwrap().len(), 300);
        assert_eq!(root.get("model").unwrap().pairs().count(), 0);
    }
}

#[test]
fn foreign_objects_are_names_and_attributes() {
    for bytes in PROTOCOLS {
        let pickle = Pickle::read(bytes).unwrap();
        let root = pickle.root();
        let args = root.get("args").unwrap();
        assert_eq!(args.get("encoder_attention_heads").unwrap().int(), Some(2));
        assert_eq!(args.get("layer_norm_first").unwrap().bool(), Some(false));
        assert_eq!(args.get("extractor_mode").unwrap().str(), Some("default"));
        let settings = root.get("settings").unwrap();
        assert_eq!((settings.get("width").unwrap().int(), settings.get("name").unwrap().str()), (Some(8), Some("Olá")));
    }
}

#[test]
fn calls_are_described_and_not_made() {
    let pickle = Pickle::read(PROTOCOLS[0]).unwrap();
    let (callable, args) = pickle.root().get("hostile").unwrap().call().unwrap();
    assert!(["posix.system", "nt.system"].contains(&callable.global().unwrap()));
    assert!(args.items().next().unwrap().str().unwrap().starts_with("echo"));
}

#[test]
fn one_object_met_twice_is_one_object() {
    let pickle = Pickle::read(PROTOCOLS[2]).unwrap();
    let shared: Vec<_> = pickle.root().get("shared").unwrap().items().collect();
    assert_eq!(shared[0].id, shared[1].id);
    assert_eq!(shared[0].id, pickle.root().get("labels").unwrap().id);
    // A list that is filled after it was memoized is filled wherever it is met.
    let pickle = Pickle::read(b"\x80\x02]q\x00(h\x00K\x01e.").unwrap();
    assert_eq!(pickle.root().items().next().unwrap().id, pickle.root().id);
}

#[test]
fn numbers_and_texts_are_read_in_every_spelling() {
    let int = |bytes: &[u8]| Pickle::read(bytes).unwrap().root().int();
    assert_eq!(int(b"\x8a\x00."), Some(0));
    assert_eq!(int(b"\x8a\x01\xff."), Some(-1));
    assert_eq!(int(b"\x8a\x02\xff\x00."), Some(255));
    assert_eq!(int(b"J\xfe\xff\xff\xff."), Some(-2));
    let text = |bytes: &[u8]| Pickle::read(bytes).unwrap().root().str().map(str::to_owned);
    assert_eq!(text(b"U\x04Ol\xc3\xa1."), Some("Olá".into()));
    let big = Pickle::read(b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.").unwrap();
    assert_eq!((big.root().int(), big.root().bytes().map(<[u8]>::len)), (None, Some(9)));
}

#[test]
fn malformed_pickles_are_refused_with_the_place() {
    for (bytes, expected) in [
        (&b""[..], "ends early"),
        (b"\x80\x06N.", "newer than 5"),
        (b".", "where there is none"),
        (b"K\x01", "ends early"),
        (b"X\xff\xff\xff\x7fabc.", "ends early"),
        (b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc.", "ends early"),
        (b"h\x07.", "memo 7"),
        (b"}K\x01s.", "where there is none"),
        (b"}(K\x01u.", "a key without a value"),
        (b"t.", "mark"),
        (b"(0(00.", "where there is none"),
        (b"K\x01K\x02a.", "no container"),
        (b"\x95\xff\x00\x00\x00\x00\x00\x00\x00N.", "a frame of 255"),
        (b"\xff.", "opcode 0xff"),
        (b"I1\n.", "opcode 0x49"),
        (b"X\x01\x00\x00\x00\xff.", "not UTF-8"),
        (b"K\x01K\x02\x93.", "without a name"),
    ] {
        let error = format!("{:#}", Pickle::read(bytes).expect_err(&format!("{bytes:?}")));
        assert!(error.contains(expected), "{bytes:?}: {error}");
    }
}

#[test]
fn depth_costs_no_stack() {
    let mut deep = vec![b']'; 1 << 20];
    deep.extend(vec![b'a'; (1 << 20) - 1]);
    deep.push(b'.');
    let pickle = Pickle::read(&deep).unwrap();
    assert_eq!(pickle.root().items().len(), 1);
}

#[test]
fn one_long_value_cannot_be_copied_again_and_again() {
    // A list of 1000 pairs, from which an OrderedDict is made over and over.
    let mut bytes = b"\x80\x02](".to_vec();
    bytes.extend(b"K\x01K\x02\x86".repeat(1000));
    bytes.extend(b"eq\x000ccollections\nOrderedDict\nq\x010");
    bytes.extend(b"h\x01h\x00\x85R0".repeat(1000));
    bytes.extend(b"N.");
    assert!(format!("{:#}", Pickle::read(&bytes).unwrap_err()).contains("copied too often"));
    // A long name, of which a class is made over and over.
    let mut bytes = b"X\x00\x10\x00\x00".to_vec();
    bytes.extend([b'a'; 4096]);
    bytes.extend(b"q\x000");
    bytes.extend(b"h\x00h\x00\x930".repeat(1000));
    bytes.extend(b"N.");
    assert!(format!("{:#}", Pickle::read(&bytes).unwrap_err()).contains("copied too often"));
}
