//! The unit's instructions, in assembly: the compiler knows them on nightly alone. Shapes, loads, products and stores are
//! those of Intel's Software Developer's Manual.

use super::SIDE;
use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::sync::OnceLock;

/// Whether the processor has the unit, and the system lets this process use it.
pub fn is_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        const TYPES_AND_TILES: u32 = 1 << 22 | 1 << 24 | 1 << 25;
        let features = if __cpuid_count(0, 0).eax < 7 { 0 } else { __cpuid_count(7, 0).edx };
        features & TYPES_AND_TILES == TYPES_AND_TILES && is_x86_feature_detected!("avx512bf16") && asked()
    })
}

/// Asks Linux for the tiles' registers, which a process has to (`arch_prctl(2)`).
fn asked() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const TILE_DATA: u64 = 18;
    let result: i64;
    // SAFETY: the call reads and writes no memory of ours; a kernel that does not know it answers with an error.
    unsafe {
        asm!("syscall", inlateout("rax") ARCH_PRCTL => result, in("rdi") ARCH_REQ_XCOMP_PERM, in("rsi") TILE_DATA,
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result == 0
}

/// What `ldtilecfg` reads.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Shapes {
    const fn new(tiles: [(u8, u16); 8]) -> Self {
        let (mut row_bytes, mut rows) = ([0; 16], [0; 16]);
        let mut tile = 0;
        while tile < tiles.len() {
            (rows[tile], row_bytes[tile]) = tiles[tile];
            tile += 1;
        }
        Shapes { palette: 1, start_row: 0, reserved: [0; 14], row_bytes, rows }
    }
}

/// This thread's tiles have some shapes, for as long as it lives.
struct Loaded;

impl Loaded {
    /// # Safety
    /// [`is_available`] has answered yes.
    #[inline(always)]
    unsafe fn new(shapes: &'static Shapes) -> Self {
        // SAFETY: the caller's promise.
        unsafe { asm!("ldtilecfg [{}]", in(reg) shapes, options(nostack, readonly)) };
        Loaded
    }
}

impl Drop for Loaded {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: `self` proves the instruction. Shapes that stay loaded slow down each switch of threads.
        unsafe { asm!("tilerelease", options(nostack, nomem)) }
    }
}

/// Eight tiles of 16 rows of 64 bytes: 0 to 3 are of sums, 4 and 5 of `x`, 6 and 7 of the weight.
pub struct Tiles(Loaded);

impl Tiles {
    /// # Safety
    /// [`is_available`] has answered yes.
    #[inline(always)]
    pub unsafe fn new() -> Self {
        static SHAPES: Shapes = Shapes::new([(16, 64); 8]);
        // SAFETY: the caller's promise.
        Tiles(unsafe { Loaded::new(&SHAPES) })
    }
}

/// Tiles 0 and 1 are of sums, 2 and 3 of 16 rows of 32 weights of a byte, 4 and 5 of 16 columns of as many digits of `x`.
pub struct Bytes(Loaded);

/// The products of two blocks of 16 rows by 16 columns.
#[repr(align(64))]
pub struct Products(pub [[[i32; SIDE]; SIDE]; 2]);

impl Bytes {
    /// # Safety
    /// [`is_available`] has answered yes.
    #[inline(always)]
    pub unsafe fn new() -> Self {
        static SHAPES: Shapes = Shapes::new([(16, 64), (16, 64), (16, 32), (16, 32), (8, 64), (8, 64), (0, 0), (0, 0)]);
        // SAFETY: the caller's promise.
        Bytes(unsafe { Loaded::new(&SHAPES) })
    }

    /// Rows of each of two `w`, `apart` bytes apart, by columns of `x`, whose words lie in rows of [`SIDE`].
    ///
    /// # Safety
    /// 16 rows of 32 bytes of each `w` and 8 rows of 64 bytes of each `x` can be read.
    #[inline(always)]
    pub unsafe fn multiply(&self, w: [*const i8; 2], apart: usize, x: [*const f32; 2], products: &mut Products) {
        // SAFETY: `self` proves the instructions and the shapes, the caller vouches for the memory.
        unsafe {
            asm!(
                "tilezero tmm0", "tilezero tmm1",
                "tileloadd tmm2, [{w0} + {apart}*1]", "tileloadd tmm4, [{x0} + {row}*1]",
                "tdpbssd tmm0, tmm2, tmm4",
                "tileloadd tmm3, [{w1} + {apart}*1]", "tileloadd tmm5, [{x1} + {row}*1]",
                "tdpbssd tmm1, tmm3, tmm5",
                "tilestored [{products} + {row}*1], tmm0", "tilestored [{products} + {row}*1 + 1024], tmm1",
                w0 = in(reg) w[0], w1 = in(reg) w[1], apart = in(reg) apart, x0 = in(reg) x[0], x1 = in(reg) x[1],
                products = in(reg) products.0.as_mut_ptr(), row = in(reg) 64usize,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _, out("tmm4") _, out("tmm5") _,
                options(nostack));
        }
    }
}

/// Sums of two tiles of `x` by two of the weight: a row of each of `x`.
#[repr(align(64))]
pub struct Sums(pub [[f32; 2 * SIDE]; 2 * SIDE]);

impl Sums {
    pub fn new() -> Self {
        Sums([[0.0; 2 * SIDE]; 2 * SIDE])
    }

    /// Where they are written.
    pub fn place(&mut self) -> Place {
        Place { start: self.0.as_mut_ptr().cast(), apart: 2 * SIDE }
    }
}

/// Where sums are written: rows of twice [`SIDE`], from `start` on and `apart` numbers apart.
#[derive(Clone, Copy)]
pub struct Place {
    pub start: *mut f32,
    pub apart: usize,
}

/// What is multiplied: two panels of tiles each, `[block][term]`.
#[derive(Clone, Copy)]
pub struct Operands {
    pub x: [*const u32; 2],
    pub w: [*const u32; 2],
    pub blocks: usize,
}

macro_rules! load_x {
    ($term:literal) => {
        concat!(
            "tileloadd tmm4, [{x0} + {row}*1 + 1024*",
            $term,
            "]\n",
            "tileloadd tmm5, [{x1} + {row}*1 + 1024*",
            $term,
            "]\n"
        )
    };
}
macro_rules! load_w {
    ($term:literal) => {
        concat!(
            "tileloadd tmm6, [{w0} + {row}*1 + 1024*",
            $term,
            "]\n",
            "tileloadd tmm7, [{w1} + {row}*1 + 1024*",
            $term,
            "]\n"
        )
    };
}
macro_rules! multiply {
    () => {
        concat!(
            "tdpbf16ps tmm0, tmm4, tmm6\n",
            "tdpbf16ps tmm1, tmm4, tmm7\n",
            "tdpbf16ps tmm2, tmm5, tmm6\n",
            "tdpbf16ps tmm3, tmm5, tmm7\n"
        )
    };
}

/// Two tiles of `x` by two of the weight, over all blocks, with the given loads and products of one block.
macro_rules! tiles {
    ($operands:ident, $place:ident, $x_terms:expr, $w_terms:expr, $($block:expr),*) => {
        asm!(
            "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
            "2:",
            concat!($($block),*),
            "add {x0}, {x_bytes}", "add {x1}, {x_bytes}", "add {w0}, {w_bytes}", "add {w1}, {w_bytes}",
            "dec {blocks}",
            "jnz 2b",
            "tilestored [{upper} + {apart}*1], tmm0", "tilestored [{upper} + {apart}*1 + 64], tmm1",
            "tilestored [{lower} + {apart}*1], tmm2", "tilestored [{lower} + {apart}*1 + 64], tmm3",
            x0 = inout(reg) $operands.x[0] => _, x1 = inout(reg) $operands.x[1] => _,
            w0 = inout(reg) $operands.w[0] => _, w1 = inout(reg) $operands.w[1] => _,
            blocks = inout(reg) $operands.blocks => _,
            row = in(reg) 64usize, apart = in(reg) size_of::<f32>() * $place.apart,
            upper = in(reg) $place.start, lower = in(reg) $place.start.wrapping_add(SIDE * $place.apart),
            x_bytes = const 1024 * $x_terms, w_bytes = const 1024 * $w_terms,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _, options(nostack))
    };
}

/// Into how many bf16 the numbers of `x` and of the weight are split. Of their products those are taken that matter in
/// f32, the smallest first.
pub trait Terms: Copy + Send + Sync {
    const X: usize;
    const W: usize;

    /// # Safety
    /// The operands hold so many blocks, and at least one. As many rows as two tiles have can be written at the place.
    unsafe fn multiply(_: &Tiles, operands: Operands, place: Place);
}

macro_rules! terms {
    ($(#[$doc:meta])* $name:ident, $x:literal, $w:literal, $($block:expr),*) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name;

        impl Terms for $name {
            const X: usize = $x;
            const W: usize = $w;

            #[inline(always)]
            unsafe fn multiply(_: &Tiles, operands: Operands, place: Place) {
                // SAFETY: the token proves the instructions and the shapes, the caller vouches for what is read and written.
                unsafe { tiles!(operands, place, $x, $w, $($block),*) }
            }
        }
    };
}

terms!(
    /// Both rounded to eight bits.
    One, 1, 1, load_x!(0), load_w!(0), multiply!());
terms!(
    /// Both rounded to sixteen bits.
    Two, 2, 2, load_x!(1), load_w!(0), multiply!(), load_x!(0), load_w!(1), multiply!(), load_w!(0), multiply!());
terms!(
    /// Weights of eight bits.
    ByOne, 3, 1, load_w!(0), load_x!(2), multiply!(), load_x!(1), multiply!(), load_x!(0), multiply!());
terms!(
    /// Weights of sixteen bits.
    ByTwo, 3, 2, load_x!(2), load_w!(0), multiply!(), load_x!(1), load_w!(1), multiply!(), load_w!(0), multiply!(),
    load_x!(0), load_w!(1), multiply!(), load_w!(0), multiply!());
terms!(
    /// Weights of 24 bits.
    ByThree, 3, 3, load_x!(2), load_w!(0), multiply!(), load_x!(0), load_w!(2), multiply!(), load_x!(1), load_w!(1), multiply!(),
    load_w!(0), multiply!(), load_x!(0), load_w!(1), multiply!(), load_w!(0), multiply!());
