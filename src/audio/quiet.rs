//! A panic in somebody else's decoder is an error like others: it neither ends the program nor prints anything.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether panics on this thread are caught and told of as errors.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

static INSTALLED: Once = Once::new();

/// What `step` returns; `None` if it panicked. Whatever it changed may be left half done, and must not be used again.
pub fn quietly<T>(step: impl FnOnce() -> T) -> Option<T> {
    INSTALLED.call_once(install);
    let before = QUIET.replace(true);
    let result = catch_unwind(AssertUnwindSafe(step));
    QUIET.set(before);
    result.ok()
}

/// Puts a hook before the present one, which goes on telling of all other panics.
fn install() {
    let previous = take_hook();
    set_hook(Box::new(move |info: &PanicHookInfo| {
        if !QUIET.get() {
            previous(info);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    #[test]
    fn a_panic_that_is_caught_is_not_told_of_and_others_are() {
        static TOLD: AtomicUsize = AtomicUsize::new(0);
        let here = thread::current().id();
        let previous = take_hook();
        set_hook(Box::new(move |info| match thread::current().id() == here {
            true => drop(TOLD.fetch_add(1, Ordering::SeqCst)),
            false => previous(info),
        }));
        INSTALLED.call_once(|| {});
        install();
        assert_eq!((quietly(|| panic!("within")), quietly(|| 7)), (None::<()>, Some(7)));
        assert_eq!(TOLD.load(Ordering::SeqCst), 0);
        assert!(catch_unwind(|| panic!("outside")).is_err());
        assert_eq!(TOLD.load(Ordering::SeqCst), 1);
    }
}
