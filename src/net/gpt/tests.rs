use super::*;
use crate::kernels::Isa;
use crate::noise::{self, Size};
use crate::stage::Stage;

fn tiny() -> Gpt {
    let bark = noise::bark(Size::Tiny, 1);
    let (config, weights) = bark.stage(Stage::Coarse, DType::F32, &Device::Cpu).unwrap();
    Gpt::new(&config, &weights).unwrap()
}

/// The bits of the logits that follow one more token in each of `slots`, whose contexts differ in length.
fn step(gpt: &Gpt, cache: &mut Cache, slots: &[usize]) -> Vec<Vec<u32>> {
    let tokens: Vec<u32> = (20..60).collect();
    for &slot in slots {
        cache.truncate(slot, 0);
        let input = Input { slot, tokens: &tokens[..1 + slot % 20], merged: &[] };
        gpt.forward(&[input], cache, 0..1).unwrap();
    }
    let inputs: Vec<_> =
        slots.iter().map(|&slot| Input { slot, tokens: &tokens[slot % 40..][..1], merged: &[] }).collect();
    let logits = gpt.forward(&inputs, cache, 0..50).unwrap();
    logits.chunks(50).map(|row| row.iter().map(|logit| logit.to_bits()).collect()).collect()
}

#[test]
#[cfg_attr(miri, ignore = "too long to interpret")]
fn a_row_of_a_batch_has_the_bits_of_the_row_alone_on_each_instruction_set() {
    const MOST: usize = 40;
    let exact = tiny();
    let quantized = exact.quantized().unwrap();
    for (gpt, weights) in [(exact, "f32"), (quantized, "q8_0")] {
        for isa in Isa::available() {
            isa.with(|| {
                let mut cache = gpt.cache(MOST).unwrap();
                let alone: Vec<_> = (0..MOST).flat_map(|slot| step(&gpt, &mut cache, &[slot])).collect();
                for count in [2, 3, 5, 8, 16, 17, 18, 33, MOST] {
                    let slots: Vec<_> = (MOST - count..MOST).collect();
                    let got = step(&gpt, &mut cache, &slots);
                    assert!(got == alone[MOST - count..], "{count} rows of {weights} on {isa:?}");
                }
            });
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "too long to interpret")]
fn tokens_taken_together_have_the_bits_of_one_by_one_on_each_instruction_set() {
    let gpt = tiny();
    let tokens: Vec<u32> = (20..120).collect();
    for isa in Isa::available() {
        isa.with(|| {
            for (past, count) in [(1, 2), (30, 5), (63, 3), (70, MOST_EACH)] {
                let mut cache = gpt.cache(1).unwrap();
                let input = |tokens| Input { slot: 0, tokens, merged: &[] };
                gpt.forward(&[input(&tokens[..past])], &mut cache, 0..1).unwrap();
                let new = &tokens[past..past + count];
                let one = new.chunks(1).flat_map(|one| gpt.forward(&[input(one)], &mut cache, 3..50).unwrap());
                let one: Vec<_> = one.map(f32::to_bits).collect();
                cache.truncate(0, past);
                let each = gpt.forward_each(&input(new), &mut cache, 3..50).unwrap();
                let each: Vec<_> = each.into_iter().map(f32::to_bits).collect();
                assert_eq!((each.len(), cache.len(0)), (count * 47, past + count));
                assert!(each == one, "{count} tokens after {past} on {isa:?}");
            }
        });
    }
    let (mut cache, most) = (gpt.cache(1).unwrap(), &tokens[..=MOST_EACH]);
    assert!(gpt.forward_each(&Input { slot: 0, tokens: most, merged: &[] }, &mut cache, 0..1).is_err());
}

#[test]
#[cfg_attr(miri, ignore = "too long to interpret")]
fn a_fine_window_beside_others_has_the_bits_of_the_window_alone() {
    let bark = noise::bark(Size::Tiny, 1);
    let (config, weights) = bark.stage(Stage::Fine, DType::F32, &Device::Cpu).unwrap();
    let gpt = FineGpt::new(&config, &weights).unwrap();
    let rows: Vec<Vec<u32>> = (0..3).map(|row| (0..200).map(|i| (i * 37 + row * 411) % 1024).collect()).collect();
    let windows: Vec<_> =
        rows.iter().zip([0, 120, 61]).map(|(row, from)| FineInput { codes: [row; FINE_CODEBOOKS], from }).collect();
    let bits = |windows: &[FineInput]| -> Vec<Vec<u32>> {
        let logits = gpt.forward(windows, 3, 1024).unwrap();
        logits.iter().map(|window| window.iter().map(|logit| logit.to_bits()).collect()).collect()
    };
    for isa in Isa::available() {
        isa.with(|| {
            let alone: Vec<_> = windows.iter().flat_map(|&window| bits(&[window])).collect();
            assert_eq!(alone.iter().map(Vec::len).collect::<Vec<_>>(), [200 * 1024, 80 * 1024, 139 * 1024]);
            assert!(bits(&windows) == alone, "{isa:?}");
        });
    }
}
