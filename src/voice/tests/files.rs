//! Voices unjudged, mended, in every form, cut and compared, and what their files tell of them.

use super::*;
use crate::npz::write_npz;

fn raw(name: &str) -> RawVoice {
    Place::Npz(fixture(name)).read().unwrap()
}

/// The raw voice with its array `index` put through `change`.
fn altered(index: usize, change: impl FnOnce(&mut RawArray)) -> RawVoice {
    let mut raw = raw("int64.npz");
    change(raw.arrays[index].as_mut().unwrap());
    raw
}

#[test]
fn what_bark_would_refuse_is_named() {
    for name in ["announcer.npz", "preset.npz", "int64.npz"] {
        assert!(problems(&raw(name)).is_empty(), "{name}");
    }
    let cases = [
        ("short_deflated.npz", "Bark looks for `coarse_prompt`; here it is called `coarse`"),
        ("bad_missing.npz", "no array `coarse_prompt`"),
        ("bad_range.npz", "`fine_prompt` holds "),
        ("bad_negative.npz", "`semantic_prompt` holds 1 numbers outside of 0 to 9999"),
        ("bad_rows.npz", "`coarse_prompt` has the shape [3, 90], expected (2, T)"),
        ("odd_flat.npz", "`semantic_prompt` has the shape [1, 60], expected one dimension"),
        ("bad_ratio.npz", "60 semantic tokens do not go with 75 coarse frames"),
    ];
    for (name, problem) in cases {
        let problems = problems(&raw(name));
        assert!(problems.iter().any(|p| p.starts_with(problem)), "{name}: {problems:?}");
    }
    let narrow = altered(1, |coarse| coarse.kind = "u1".into());
    assert!(problems(&narrow)[0].contains("overflow in 8 bits"));
    let presets_of_hugging_face =
        Place::Npy(["semantic", "coarse", "fine"].map(|key| fixture(&format!("hf_{key}_prompt.npy"))));
    assert!(problems(&presets_of_hugging_face.read().unwrap()).is_empty());
}

#[test]
fn what_can_be_mended_becomes_a_voice_that_bark_takes_and_the_change_is_told() {
    let transposed = altered(2, |fine| fine.values = fine.values.clone().reversed_axes());
    let padded = altered(0, |semantic| {
        let more = semantic.values.iter().copied().chain([10_000, 10_000, 129_595]);
        semantic.values = ArrayD::from_shape_vec(vec![63], more.collect()).unwrap();
    });
    let stray = altered(1, |coarse| coarse.values[[1, 40]] = 1024);
    let short_fine = altered(2, |fine| fine.values.slice_axis_inplace(ndarray::Axis(1), ndarray::Slice::from(10..)));
    let cut = |array: &mut RawArray| array.values.slice_axis_inplace(ndarray::Axis(1), ndarray::Slice::from(15..));
    let mut short_codes = altered(1, cut);
    cut(short_codes.arrays[2].as_mut().unwrap());
    let cases = [
        (raw("bad_ratio.npz"), "`coarse_prompt` is made of the first two rows"),
        (short_codes, "`semantic_prompt` is cut to its last 51 of 60"),
        (raw("bad_missing.npz"), "`coarse_prompt` is made of the first two rows of `fine_prompt`"),
        (raw("bad_rows.npz"), "`coarse_prompt` is made of the first two rows"),
        (raw("bad_negative.npz"), "neighbours' tokens in place of 1 numbers"),
        (raw("odd_flat.npz"), "`semantic_prompt` has the shape [60] instead of [1, 60]"),
        (raw("odd_float.npz"), "`semantic_prompt` is of type int64 instead of f4"),
        (raw("short_deflated.npz"), "`fine` is called `fine_prompt`"),
        (transposed, "`fine_prompt` has the shape [8, 90] instead of [90, 8]"),
        (padded, "`semantic_prompt` ends before 3 padding tokens"),
        (stray, "neighbours' tokens in place of 1 numbers outside of 0 to 1023"),
        (short_fine, "`coarse_prompt` is cut to its last 80 of 90"),
    ];
    for (raw, change) in cases {
        let mended = repair(raw).unwrap();
        assert!(mended.changes.iter().any(|c| c.contains(change)), "{change}: {:?}", mended.changes);
        let (s, t, f) = (mended.voice.semantic.len(), mended.voice.coarse.frames(), mended.voice.fine.frames());
        assert!(fits(s, t) && t == f, "{change}: {s} {t} {f}");
    }
}

#[test]
fn what_is_well_is_left_alone_and_what_is_lost_is_refused() {
    for name in ["announcer.npz", "preset.npz", "int64.npz"] {
        let mended = repair(raw(name)).unwrap();
        assert!(mended.changes.is_empty() && mended.voice == expected(), "{name}: {:?}", mended.changes);
    }
    let mut none = raw("int64.npz");
    none.arrays[2] = None;
    let sums = altered(1, |coarse| coarse.values += 10_000);
    let square = altered(2, |fine| fine.values = ArrayD::zeros(vec![5, 5]));
    for (raw, reason) in [(none, "no array `fine_prompt`"), (square, "it is no voice's")] {
        let error = repair(raw).unwrap_err();
        assert!(format!("{error:#}").contains(reason) && exit_code(&error) == 3, "{error:#}");
    }
    let mended = repair(sums).unwrap();
    assert!(mended.changes.iter().any(|c| c.contains("made of the first two rows")), "{:?}", mended.changes);
}

#[test]
fn three_files_are_found_by_their_name_by_one_of_them_and_by_their_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let place = Place::separate(&path("ana"));
    place.write(&expected(), None, Form::Bark, false).unwrap();
    assert_eq!(VoiceFile::open(&path("ana")).unwrap().voice, expected());
    assert_eq!(VoiceFile::open(&path("ana_coarse_prompt.npy")).unwrap().voice, expected());
    assert_eq!(VoiceFile::open(folder.path()).unwrap().voice, expected());
    assert_eq!((place.name().to_str(), place.to_string()), (Some("ana"), path("ana").display().to_string()));
    assert_eq!(exit_code(&place.write(&expected(), None, Form::Bark, false).unwrap_err()), 6);
    Place::separate(&path("rui")).write(&expected(), None, Form::Bark, false).unwrap();
    let refused = |path: &Path| format!("{:#}", VoiceFile::open(path).unwrap_err());
    assert!(refused(folder.path()).contains("it holds 2 voices"));
    let empty = tempfile::tempdir().unwrap();
    assert!(refused(empty.path()).contains("a folder without any"));
    fs::remove_file(path("rui_fine_prompt.npy")).unwrap();
    assert!(refused(&path("rui")).contains("rui_fine_prompt.npy"));
    fs::write(path("rui_fine_prompt.npy"), b"\x93NUMPY\x01\x00").unwrap();
    assert!(refused(&path("rui")).contains("not a numpy array"));
}

fn known() -> Provenance {
    let quantizer = provenance::ModelName::of("pt").with_hash("cd".repeat(32));
    let origin = Provenance { quantizer: Some(quantizer), source_sha256: Some("ab".repeat(32)), ..Provenance::new() };
    origin.consented(Some("Ana, 2026: for this project")).unwrap()
}

#[test]
fn provenance_is_kept_beside_the_tokens_and_changes_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ana.npz");
    for form in [Form::Bark, Form::Compact] {
        Place::Npz(path.clone()).write(&expected(), Some(&known()), form, true).unwrap();
        let file = VoiceFile::open(&path).unwrap();
        assert_eq!((file.provenance, file.voice.hash()), (Some(known()), expected().hash()));
    }
    let bytes = fs::read(&path).unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
    let names: Vec<_> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    assert_eq!(names[3], "barkclone_provenance.npy");
    let mut npy = Vec::new();
    std::io::Read::read_to_end(&mut archive.by_index(3).unwrap(), &mut npy).unwrap();
    let header = String::from_utf8_lossy(&npy[..128]).into_owned();
    assert!(header.contains("'descr': '|u1'") && header.contains("'fortran_order': False"), "{header}");
    let json: serde_json::Value = serde_json::from_slice(&npy[128..]).unwrap();
    assert_eq!(json["consent"], "Ana, 2026: for this project");
    assert_eq!(json["quantizer"]["language"], "pt");
}

#[test]
fn provenance_that_cannot_be_read_is_a_note_and_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd.npz");
    let [semantic, coarse, fine] = raw("int64.npz").arrays.map(|array| array.unwrap().values);
    let odd = ndarray::arr1(b"{\"tool\": 7}".as_slice());
    write_npz(&path, &[(KEYS[0], &semantic), (KEYS[1], &coarse), (KEYS[2], &fine), (provenance::KEY, &odd)]);
    let raw = Place::Npz(path.clone()).read().unwrap();
    assert!(raw.provenance.is_none() && raw.notes[0].contains("cannot be read"), "{:?}", raw.notes);
    assert_eq!(Voice::read(&path).unwrap(), expected());
}

#[test]
fn a_quantizer_of_the_registry_begins_with_its_language() {
    let language = |choice| provenance::ModelName::of(choice).language;
    assert_eq!((language("pt"), language("en-large")), (Some("pt".into()), Some("en".into())));
    assert_eq!((language("demo"), language("models/pt"), language("pt.pth")), (None, None, None));
    assert_eq!(provenance::ModelName::of("/home/ana/secret/pt.pth").name, "pt.pth");
}

#[test]
fn consent_is_something() {
    assert!(Provenance::new().consented(Some(" ")).is_err());
    assert!(Provenance::new().consented(Some(&"x".repeat(10_001))).is_err());
    assert_eq!(Provenance::new().consented(None).unwrap().consent, None);
}

#[test]
fn the_compact_form_is_smaller_and_holds_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let voice = Voice::from_parts(semantic(998), fine(1500)).unwrap();
    let [bark, compact] = [Form::Bark, Form::Compact].map(|form| {
        let path = folder.path().join(format!("{form:?}.npz"));
        Place::Npz(path.clone()).write(&voice, None, form, false).unwrap();
        assert_eq!(Voice::read(&path).unwrap(), voice);
        assert!(problems(&Place::Npz(path.clone()).read().unwrap()).is_empty());
        fs::metadata(path).unwrap().len()
    });
    assert!(compact * 4 < bark, "{compact} of {bark}");
}

#[test]
fn a_directory_of_endless_entries_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.npz");
    fs::write(&path, b"PK\x01\x02".repeat(2000)).unwrap();
    assert!(refusal(&path).contains("more than 1000 entries"));
}

#[test]
fn a_stretch_of_a_voice_keeps_its_end_and_the_ratio() {
    let voice = Voice::from_parts(semantic(998), fine(1500)).unwrap();
    let end = voice.cut(13.0..20.0).unwrap();
    assert_eq!((end.semantic.len(), end.coarse.frames(), end.fine.frames()), (349, 525, 525));
    assert_eq!(end.semantic.as_slice(), &voice.semantic.as_slice()[649..]);
    assert_eq!(end.fine.rows()[7], voice.fine.rows()[7][975..]);
    let middle = voice.cut(4.0..6.0).unwrap();
    assert_eq!(middle.fine.rows()[0], voice.fine.rows()[0][300..450]);
    assert_eq!(middle.semantic.as_slice(), &voice.semantic.as_slice()[199..299]);
    for seconds in 1..200 {
        let kept = voice.cut(20.0 - f64::from(seconds) / 10.0..20.0);
        assert!(kept.is_ok_and(|v| fits(v.semantic.len(), v.coarse.frames())), "{seconds}");
    }
    for (start, end) in [(-1.0, 2.0), (5.0, 5.0), (3.0, 21.0), (f64::NAN, 2.0), (0.0, f64::INFINITY), (0.0, 0.001)] {
        assert_eq!(exit_code(&voice.cut(start..end).unwrap_err()), 3, "{start} {end}");
    }
}

#[test]
fn voices_are_joined_in_time() {
    let (a, b) = (Voice::from_parts(semantic(100), fine(145)).unwrap(), expected());
    let both = Voice::join(&[a.clone(), b.clone()]).unwrap();
    assert_eq!(both.semantic.as_slice(), [a.semantic.as_slice(), b.semantic.as_slice()].concat());
    assert_eq!(both.fine.rows()[3], [&a.fine.rows()[3][..], &b.fine.rows()[3][..]].concat());
    let uneven = Voice::new(semantic(60), Coarse::new([vec![0; 90], vec![0; 90]], 1024).unwrap(), fine(80)).unwrap();
    assert!(Voice::join(&[a, uneven]).unwrap_err().to_string().contains("voice fix"));
    assert!(Voice::join(&[]).is_err());
}

#[test]
fn differences_are_counted_from_the_end() {
    let whole = Voice::from_parts(semantic(998), fine(1500)).unwrap();
    let end = whole.cut(13.0..20.0).unwrap();
    let [semantic_end, _, fine_end] = differences(&whole, &end);
    assert_eq!((semantic_end.lengths, semantic_end.compared, semantic_end.equal), ([998, 349], 349, 349));
    assert!(semantic_end.first.is_none() && !semantic_end.is_none() && fine_end.equal == 525);
    let other = Voice::from_parts(semantic(998), fine(1501)).unwrap();
    let [same, _, shifted] = differences(&whole, &other);
    assert!(same.is_none() && shifted.equal < 100, "{shifted:?}");
    assert_eq!(shifted.first, Some(0));
}
