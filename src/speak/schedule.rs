//! Which stage runs next, so that those that decode have their slots full.

/// How much lies before each stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Rows that one stage decodes at a time.
    pub batch: usize,
    /// Utterances that the fine stage best takes together.
    pub fine_windows: usize,
    /// Whether the queue may have more.
    pub open: bool,
    /// Rows in the semantic stage, waiting or under way.
    pub semantic: usize,
    /// Rows in the coarse stage, waiting or under way.
    pub coarse: usize,
    /// Utterances before the fine stage.
    pub fine: usize,
    /// Utterances that the codec has.
    pub codec: usize,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Take a request from the queue.
    Request,
    Semantic,
    Coarse,
    Fine,
    /// Wait until the codec has finished an utterance.
    Sound,
    End,
}

/// The deepest stage that has work enough: a window of the fine stage fills a CPU by itself, so that an utterance goes
/// through at once, and is heard sooner; a step of the coarse stage pays with all its slots full, and with fewer only
/// if the semantic stage has none to add. The queue is asked ahead of the coarse stage, since a queue that has ended
/// lets the semantic stage's weights go before the coarse stage's are loaded.
pub fn next_step(occupancy: &Occupancy) -> Step {
    let Occupancy { batch, fine_windows, open, semantic, coarse, fine, codec } = *occupancy;
    if fine >= fine_windows {
        Step::Fine
    } else if open && semantic < batch && coarse < 2 * batch {
        Step::Request
    } else if coarse >= batch || (coarse > 0 && semantic == 0) {
        Step::Coarse
    } else if semantic > 0 {
        Step::Semantic
    } else if fine > 0 {
        Step::Fine
    } else if codec > 0 {
        Step::Sound
    } else {
        Step::End
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR: Occupancy =
        Occupancy { batch: 4, fine_windows: 1, open: true, semantic: 0, coarse: 0, fine: 0, codec: 0 };

    #[test]
    fn the_desk_is_asked_until_the_semantic_slots_are_taken() {
        assert_eq!(next_step(&FOUR), Step::Request);
        assert_eq!(next_step(&Occupancy { semantic: 3, ..FOUR }), Step::Request);
        assert_eq!(next_step(&Occupancy { semantic: 4, ..FOUR }), Step::Semantic);
        assert_eq!(next_step(&Occupancy { semantic: 3, open: false, ..FOUR }), Step::Semantic);
    }

    #[test]
    fn the_coarse_stage_waits_for_a_full_batch_while_the_semantic_stage_has_rows() {
        assert_eq!(next_step(&Occupancy { semantic: 4, coarse: 3, ..FOUR }), Step::Semantic);
        assert_eq!(next_step(&Occupancy { semantic: 4, coarse: 4, ..FOUR }), Step::Coarse);
        assert_eq!(next_step(&Occupancy { semantic: 4, coarse: 6, ..FOUR }), Step::Coarse);
        assert_eq!(next_step(&Occupancy { coarse: 1, open: false, ..FOUR }), Step::Coarse, "none is left to wait for");
    }

    #[test]
    fn the_fine_stage_takes_an_utterance_at_once() {
        assert_eq!(next_step(&Occupancy { semantic: 4, coarse: 4, fine: 1, ..FOUR }), Step::Fine);
    }

    #[test]
    fn where_windows_pay_together_the_fine_stage_waits_for_them_while_there_is_other_work() {
        let gpu = Occupancy { fine_windows: 3, open: false, ..FOUR };
        assert_eq!(next_step(&Occupancy { coarse: 2, fine: 2, ..gpu }), Step::Coarse);
        assert_eq!(next_step(&Occupancy { coarse: 2, fine: 3, ..gpu }), Step::Fine);
        assert_eq!(next_step(&Occupancy { fine: 1, codec: 1, ..gpu }), Step::Fine);
    }

    #[test]
    fn requests_that_pass_over_the_semantic_stage_do_not_pile_up() {
        assert_eq!(next_step(&Occupancy { coarse: 7, ..FOUR }), Step::Request);
        assert_eq!(next_step(&Occupancy { coarse: 8, ..FOUR }), Step::Coarse);
    }

    #[test]
    fn the_codec_is_waited_for_last_and_then_it_is_over() {
        assert_eq!(next_step(&Occupancy { open: false, codec: 1, semantic: 1, ..FOUR }), Step::Semantic);
        assert_eq!(next_step(&Occupancy { open: false, codec: 1, ..FOUR }), Step::Sound);
        assert_eq!(next_step(&Occupancy { open: false, ..FOUR }), Step::End);
    }
}
