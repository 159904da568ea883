use super::*;

/// A recording made of (seconds, level in dB) pieces: what is at -60 dB or below is silence, all else is speech, and
/// what is at 0 dB is clipped.
fn recording(pieces: &[(f64, f32)]) -> (Frames, f64) {
    let mut frames = Frames::default();
    for &(seconds, level) in pieces {
        for _ in 0..(seconds / FRAME_SECONDS).round() as usize {
            frames.probabilities.push(if level > -60.0 { 0.9 } else { 0.1 });
            frames.decibels.push(level);
            frames.clipped.push(level >= 0.0);
        }
    }
    let seconds = frames.decibels.len() as f64 * FRAME_SECONDS;
    (frames, seconds)
}

fn chosen(pieces: &[(f64, f32)]) -> Stretch {
    let (frames, seconds) = recording(pieces);
    choose(&frames, seconds).unwrap()
}

#[track_caller]
fn assert_lies(stretch: &Stretch, start: f64, end: f64) {
    let Range { start: found_start, end: found_end } = stretch.seconds;
    assert!((found_start - start).abs() < 0.05 && (found_end - end).abs() < 0.05, "{stretch:?}");
}

const SPEECH: f32 = -20.0;
const SILENCE: f32 = -70.0;

#[test]
fn a_clip_that_is_good_is_taken_whole() {
    let (frames, seconds) = recording(&[(0.2, SILENCE), (3.0, SPEECH), (0.4, SILENCE), (4.0, SPEECH), (0.3, SILENCE)]);
    let stretch = choose(&frames, seconds).unwrap();
    assert!(stretch.whole && stretch.seconds == (0.0..seconds), "{stretch:?}");
}

#[test]
fn silence_around_speech_is_trimmed_to_a_short_lead_and_tail() {
    let stretch = chosen(&[(3.0, SILENCE), (6.0, SPEECH), (4.0, SILENCE)]);
    assert_lies(&stretch, 2.9, 9.25);
    assert!(!stretch.whole && stretch.pause.is_none());
}

#[test]
fn of_long_speech_a_stretch_of_5_to_12_seconds_that_ends_at_the_longest_pause_is_taken() {
    let sentences = [(4.0, SPEECH), (0.25, SILENCE), (4.0, SPEECH), (0.7, SILENCE), (4.0, SPEECH), (0.25, SILENCE)];
    let stretch = chosen(&[&sentences[..], &[(4.0, SPEECH), (0.25, SILENCE), (3.0, SPEECH)]].concat());
    assert_lies(&stretch, 0.0, 8.5);
    assert!((stretch.pause.unwrap() - 0.7).abs() < 0.02);
}

#[test]
fn a_last_word_that_is_cut_off_is_left_out() {
    let stretch = chosen(&[(0.2, SILENCE), (6.0, SPEECH), (0.4, SILENCE), (3.0, SPEECH)]);
    assert_lies(&stretch, 0.1, 6.45);
}

#[test]
fn clear_speech_is_preferred_to_speech_in_noise_and_to_clipped_speech() {
    let (clear, noisy) = ([(1.0, -90.0), (7.0, SPEECH), (1.0, -90.0)], [(7.0, SPEECH), (1.0, -35.0)]);
    // The noise between the phrases is no speech, though it is loud.
    let (mut frames, seconds) = recording(&[&noisy[..], &clear[..], &noisy[..]].concat());
    frames.probabilities.iter_mut().zip(&frames.decibels).filter(|(_, d)| **d == -35.0).for_each(|(p, _)| *p = 0.1);
    assert_lies(&choose(&frames, seconds).unwrap(), 8.9, 16.25);
    let stretch = chosen(&[(1.0, SILENCE), (7.0, 0.0), (1.0, SILENCE), (7.0, SPEECH), (1.0, SILENCE)]);
    assert_lies(&stretch, 8.9, 16.25);
    assert_eq!(stretch.clipped, 0.0);
}

#[test]
fn dense_speech_is_preferred_to_scattered_words() {
    let scattered = [(0.5, SPEECH), (2.0, SILENCE)].repeat(6);
    let stretch = chosen(&[&scattered[..], &[(7.0, SPEECH), (1.0, SILENCE)], &scattered[..]].concat());
    assert_lies(&stretch, 14.9, 22.25);
}

#[test]
fn speech_without_a_pause_is_cut_where_it_is_quietest() {
    let stretch = chosen(&[(0.5, SILENCE), (7.0, SPEECH), (0.08, -35.0), (20.0, SPEECH)]);
    assert!(stretch.seconds.end - stretch.seconds.start <= 12.0);
    let (frames, seconds) = recording(&[(40.0, SPEECH)]);
    let stretch = choose(&frames, seconds).unwrap();
    assert!(LENGTHS.contains(&(stretch.seconds.end - stretch.seconds.start)), "{stretch:?}");
}

#[test]
fn what_is_short_is_taken_with_all_its_speech() {
    let stretch = chosen(&[(1.0, SILENCE), (1.2, SPEECH), (0.3, SILENCE), (1.5, SPEECH), (1.0, SILENCE)]);
    assert_lies(&stretch, 0.9, 4.25);
}

#[test]
fn where_nobody_speaks_there_is_nothing_to_choose() {
    let (frames, seconds) = recording(&[(30.0, SILENCE)]);
    assert_eq!(choose(&frames, seconds), None);
    assert_eq!(choose(&Frames::default(), 0.0), None);
}

#[test]
fn shares_add_up_to_one_for_a_perfect_stretch() {
    let stretch = chosen(&[(1.0, SILENCE), (8.0, SPEECH), (1.0, SILENCE), (1.0, SPEECH)]);
    assert!(stretch.score > 0.99, "{stretch:?}");
}

#[test]
fn an_hour_is_chosen_from_quickly_enough_to_test() {
    let stretch = chosen(&[(2.3, SPEECH), (0.2, SILENCE)].repeat(1440));
    assert!(LENGTHS.contains(&(stretch.seconds.end - stretch.seconds.start)));
}
