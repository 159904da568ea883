//! Whose turn it is: which stage runs next, so that those that decode have their slots full.

/// What lies where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
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
    pub sounding: usize,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Ask the queue for a request.
    Ask,
    Semantic,
    Coarse,
    Fine,
    /// Wait for the codec.
    Sound,
    End,
}

/// The deepest stage that has work enough: a window of the fine stage fills a CPU by itself, so that an utterance goes
/// through at once, and is heard sooner; a step of the coarse stage pays with all its slots full, and with fewer only if the
/// semantic stage has none to add. The queue is asked ahead of the coarse stage, since a queue that has ended lets the semantic
/// stage's weights go before the coarse stage's are loaded.
pub fn turn(load: &Load) -> Turn {
    let Load { batch, fine_windows, open, semantic, coarse, fine, sounding } = *load;
    if fine >= fine_windows {
        Turn::Fine
    } else if open && semantic < batch && coarse < 2 * batch {
        Turn::Ask
    } else if coarse >= batch || (coarse > 0 && semantic == 0) {
        Turn::Coarse
    } else if semantic > 0 {
        Turn::Semantic
    } else if fine > 0 {
        Turn::Fine
    } else if sounding > 0 {
        Turn::Sound
    } else {
        Turn::End
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR: Load = Load { batch: 4, fine_windows: 1, open: true, semantic: 0, coarse: 0, fine: 0, sounding: 0 };

    #[test]
    fn the_desk_is_asked_until_the_semantic_slots_are_taken() {
        assert_eq!(turn(&FOUR), Turn::Ask);
        assert_eq!(turn(&Load { semantic: 3, ..FOUR }), Turn::Ask);
        assert_eq!(turn(&Load { semantic: 4, ..FOUR }), Turn::Semantic);
        assert_eq!(turn(&Load { semantic: 3, open: false, ..FOUR }), Turn::Semantic);
    }

    #[test]
    fn the_coarse_stage_waits_for_a_full_batch_while_the_semantic_stage_has_rows() {
        assert_eq!(turn(&Load { semantic: 4, coarse: 3, ..FOUR }), Turn::Semantic);
        assert_eq!(turn(&Load { semantic: 4, coarse: 4, ..FOUR }), Turn::Coarse);
        assert_eq!(turn(&Load { semantic: 4, coarse: 6, ..FOUR }), Turn::Coarse);
        assert_eq!(turn(&Load { coarse: 1, open: false, ..FOUR }), Turn::Coarse, "none is left to wait for");
    }

    #[test]
    fn the_fine_stage_takes_an_utterance_at_once() {
        assert_eq!(turn(&Load { semantic: 4, coarse: 4, fine: 1, ..FOUR }), Turn::Fine);
    }

    #[test]
    fn where_windows_pay_together_the_fine_stage_waits_for_them_while_there_is_other_work() {
        let gpu = Load { fine_windows: 3, open: false, ..FOUR };
        assert_eq!(turn(&Load { coarse: 2, fine: 2, ..gpu }), Turn::Coarse);
        assert_eq!(turn(&Load { coarse: 2, fine: 3, ..gpu }), Turn::Fine);
        assert_eq!(turn(&Load { fine: 1, sounding: 1, ..gpu }), Turn::Fine);
    }

    #[test]
    fn requests_that_pass_over_the_semantic_stage_do_not_pile_up() {
        assert_eq!(turn(&Load { coarse: 7, ..FOUR }), Turn::Ask);
        assert_eq!(turn(&Load { coarse: 8, ..FOUR }), Turn::Coarse);
    }

    #[test]
    fn the_codec_is_waited_for_last_and_then_it_is_over() {
        assert_eq!(turn(&Load { open: false, sounding: 1, semantic: 1, ..FOUR }), Turn::Semantic);
        assert_eq!(turn(&Load { open: false, sounding: 1, ..FOUR }), Turn::Sound);
        assert_eq!(turn(&Load { open: false, ..FOUR }), Turn::End);
    }
}
