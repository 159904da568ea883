use super::*;
use crate::kernels::Isa;
use crate::layout::Stage;
use crate::layout::demo::{self, Size};

/// The bits of the logits that follow one more token in each of `slots`, whose contexts differ in length.
fn step(gpt: &Gpt, cache: &mut Cache, slots: &[usize]) -> Vec<Vec<u32>> {
    let tokens: Vec<u32> = (20..60).collect();
    for &slot in slots {
        cache.truncate(slot, 0);
        let input = Input { slot, tokens: &tokens[..1 + 2 * slot], overlay: &[] };
        gpt.forward(&[input], cache, 0..1).unwrap();
    }
    let inputs: Vec<_> = slots.iter().map(|&slot| Input { slot, tokens: &tokens[slot..=slot], overlay: &[] }).collect();
    let logits = gpt.forward(&inputs, cache, 0..50).unwrap();
    logits.chunks(50).map(|row| row.iter().map(|logit| logit.to_bits()).collect()).collect()
}

#[test]
#[cfg_attr(miri, ignore = "too long to interpret")]
fn a_row_of_a_batch_has_the_bits_of_the_row_alone_on_each_instruction_set() {
    let bark = demo::demo_bark(Size::Tiny, 1);
    let (config, weights) = bark.stage(Stage::Coarse, DType::F32, &Device::Cpu).unwrap();
    let gpt = Gpt::new(&config, &weights).unwrap();
    for isa in Isa::available() {
        isa.with(|| {
            let mut cache = gpt.cache(16).unwrap();
            let alone: Vec<_> = (0..16).flat_map(|slot| step(&gpt, &mut cache, &[slot])).collect();
            for count in [2, 3, 5, 8, 16] {
                let slots: Vec<_> = (16 - count..16).collect();
                assert_eq!(step(&gpt, &mut cache, &slots), alone[16 - count..], "{count} rows on {isa:?}");
            }
        });
    }
}
