//! Which instruction set the kernels run on: found once at run time, and forced by tests.
//!
//! A kernel is a [`Task`]: one generic body that [`Isa::run`] compiles once for each instruction set. This is the
//! only place that enables target features.

use super::amx;
use super::simd::{Portable, Simd};
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512};
use std::cell::Cell;
use std::sync::OnceLock;

/// An instruction set with its own kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Plain loops over four lanes: any machine (on AArch64 the compiler makes NEON of them).
    Scalar,
    /// AVX2, FMA and F16C.
    Avx2,
    /// AVX2 with VNNI in its encoding, for products in integers (Intel since Alder Lake, AMD since Zen 5).
    AvxVnni,
    /// AVX-512 F, BW, DQ, VL and VNNI (the few processors without the last run AVX2).
    Avx512,
    /// AVX-512 with AMX's tiles, of bf16 for products of many rows and of bytes for few rows by `q8_0`.
    Amx,
}

/// A kernel's body. Implementations mark `run` `#[inline(always)]`, so that it is compiled with the features of `S`.
pub(super) trait Task {
    type Output;
    fn run<S: Simd>(self, s: S) -> Self::Output;
}

/// The set that a user chose.
static CHOSEN: OnceLock<Isa> = OnceLock::new();

thread_local! {
    static FORCED: Cell<Option<Isa>> = const { Cell::new(None) };
}

impl Isa {
    /// The best set of this machine or the one of [`Isa::choose`], or the one that [`Isa::with`] forces on this thread.
    pub fn current() -> Isa {
        let best = || *CHOSEN.get_or_init(|| *Isa::available().last().unwrap_or(&Isa::Scalar));
        FORCED.get().unwrap_or_else(best)
    }

    /// Runs all kernels on `isa` from now on, if the machine has it and none has run. Whether it is so now.
    pub fn choose(isa: Isa) -> bool {
        isa.is_available() && *CHOSEN.get_or_init(|| isa) == isa
    }

    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Avx2 => "avx2",
            Isa::AvxVnni => "avx-vnni",
            Isa::Avx512 => "avx512",
            Isa::Amx => "amx",
        }
    }

    /// What this machine has, worst first.
    pub fn available() -> Vec<Isa> {
        [Isa::Scalar, Isa::Avx2, Isa::AvxVnni, Isa::Avx512, Isa::Amx]
            .into_iter()
            .filter(|isa| isa.is_available())
            .collect()
    }

    #[cfg(target_arch = "x86_64")]
    fn is_available(self) -> bool {
        let avx2 =
            is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
        match self {
            Isa::Scalar => true,
            Isa::Avx2 => avx2,
            Isa::AvxVnni => avx2 && is_x86_feature_detected!("avxvnni"),
            Isa::Avx512 => {
                avx2 && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vnni")
            }
            Isa::Amx => Isa::Avx512.is_available() && amx::is_available(),
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn is_available(self) -> bool {
        self == Isa::Scalar
    }

    /// Runs `work` with the kernels called from this thread on `self`, which the machine must have.
    pub fn with<T>(self, work: impl FnOnce() -> T) -> T {
        struct Restore(Option<Isa>);
        impl Drop for Restore {
            fn drop(&mut self) {
                FORCED.set(self.0);
            }
        }
        assert!(self.is_available(), "this machine has no {self:?}");
        let _restore = Restore(FORCED.replace(Some(self)));
        work()
    }

    /// Runs `task` compiled for this set. `self` must come from [`Isa::current`] or [`Isa::available`].
    #[inline]
    pub(super) fn run<T: Task>(self, task: T) -> T::Output {
        match self {
            Isa::Scalar => task.run(Portable),
            // SAFETY: kernels take their set from `current`, which answers only what this machine was found to have.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => unsafe { run_avx2(task) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => unsafe { run_avx_vnni(task) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Amx => unsafe { run_avx512(task) },
            #[cfg(not(target_arch = "x86_64"))]
            _ => task.run(Portable),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn run_avx2<T: Task>(task: T) -> T::Output {
    // SAFETY: this function is compiled with the features that the token stands for.
    task.run(unsafe { Avx2::<false>::new() })
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
fn run_avx_vnni<T: Task>(task: T) -> T::Output {
    // SAFETY: this function is compiled with the features that the token stands for.
    task.run(unsafe { Avx2::<true>::new() })
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn run_avx512<T: Task>(task: T) -> T::Output {
    // SAFETY: this function is compiled with the features that the token stands for.
    task.run(unsafe { Avx512::new() })
}
