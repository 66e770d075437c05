//! The engine module itself: a `no_std` shared object that the build script compiles and `lib.rs`
//! embeds; it is not part of the library's module tree and the only source here with `unsafe`.
//!
//! On both turns of the engine's event loop it compares `CLOCK_BOOTTIME` with a deadline in a
//! mapped file, and ends the process when the deadline is past (failover.md 2.7, G2).
//!
//! A look is not yet an act: an engine that is frozen, or waits for its disk, between the look and
//! the reply would still send it afterwards. So the main thread also has a timer of the kernel, set
//! to the deadline. Its signal is delivered before the thread runs one more instruction of its own,
//! and whatever was half done stays so.

#![no_std]

use core::ffi::{c_char, c_int, c_void};
use core::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, Ordering};

// The same as `gate::EXIT_CODE`; a test of the library reads this line, so they cannot drift apart.
const EXIT_CODE: c_int = 86;

const OK: c_int = 0;
const ERR: c_int = 1;
const API_VERSION: c_int = 1;
const MODULE_VERSION: c_int = 1;

const EVENT_LOOP: Event = Event { id: 15, data_version: 1 };
const BEFORE_SLEEP: u64 = 0;
const AFTER_SLEEP: u64 = 1;

const CLOCK_BOOTTIME: c_int = 7;
const O_RDONLY_CLOEXEC: c_int = 0o2_000_000;
const PROT_READ: c_int = 1;
const MAP_SHARED: c_int = 1;
const DEADLINE_BYTES: usize = 8;

/// How often a deadline that looks past is read again before the engine ends. The writer's 8
/// bytes are copied by the kernel and may be seen half-written, which can look like an earlier
/// deadline; a whole one is there within nanoseconds. 64 reads with a pause take a few
/// microseconds, and no command runs meanwhile.
const SECOND_LOOKS: u32 = 64;

#[repr(C)]
#[derive(Clone, Copy)]
struct Event {
    id: u64,
    data_version: u64,
}

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

type Context = *mut c_void;
type GetApi = unsafe extern "C" fn(*const c_char, *mut *mut c_void) -> c_int;
type IsModuleNameBusy = unsafe extern "C" fn(*const c_char) -> c_int;
type SetModuleAttribs = unsafe extern "C" fn(Context, *const c_char, c_int, c_int);
type StringPtrLen = unsafe extern "C" fn(*const c_void, *mut usize) -> *const c_char;
type Log = unsafe extern "C" fn(Context, *const c_char, *const c_char, ...);
type IsSubEventSupported = unsafe extern "C" fn(Event, i64) -> c_int;
type OnEvent = unsafe extern "C" fn(Context, Event, u64, *mut c_void);
type SubscribeToServerEvent = unsafe extern "C" fn(Context, Event, OnEvent) -> c_int;

// Resolved at load time from the libc that the engine itself runs on, glibc or musl.
unsafe extern "C" {
    fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int;
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    fn read(fd: c_int, buffer: *mut c_void, count: usize) -> isize;
    fn mmap(
        address: *mut c_void,
        length: usize,
        protection: c_int,
        flags: c_int,
        fd: c_int,
        offset: i64,
    ) -> *mut c_void;
    fn close(fd: c_int) -> c_int;
    fn _exit(code: c_int) -> !;
}

/// Neither libc's own real-time signals (32 to 34) nor any that redis or valkey handle.
const TIMER_SIGNAL: c_int = 60;
/// To this thread alone: others would race with it on the way back from a freeze.
const SIGEV_THREAD_ID: c_int = 4;
const TIMER_ABSTIME: usize = 1;
const SA_RESTART: c_int = 0x1000_0000;

/// The kernel's `struct sigevent`, 64 bytes.
#[repr(C)]
struct TimerEvent {
    value: usize,
    signal: c_int,
    notify: c_int,
    thread: c_int,
    rest: [c_int; 11],
}

/// `struct itimerspec`.
#[repr(C)]
struct TimerSpan {
    interval: Timespec,
    value: Timespec,
}

/// `struct sigaction` of glibc and musl, the same on all 64-bit targets that [`system`] knows.
#[repr(C)]
struct SignalAction {
    handler: unsafe extern "C" fn(c_int),
    mask: [u64; 16],
    flags: c_int,
    restorer: usize,
}

// Resolved like the others.
unsafe extern "C" {
    fn sigaction(signal: c_int, action: *const SignalAction, old: *mut SignalAction) -> c_int;
}

/// The kernel's timer; -1 without one.
static TIMER: AtomicI32 = AtomicI32::new(-1);

/// What the timer is set to, as nanoseconds of `CLOCK_BOOTTIME`; the maximum when it is not set.
static ARMED: AtomicU64 = AtomicU64::new(u64::MAX);

/// The mapped deadline; null until the module is loaded, never unmapped afterwards.
static DEADLINE: AtomicPtr<AtomicU64> = AtomicPtr::new(core::ptr::null_mut());

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: ending the process needs nothing. A gate that cannot judge keeps nothing open.
    unsafe { _exit(EXIT_CODE) }
}

/// Fetches one function of the module API, or `None` if this engine lacks it.
///
/// # Safety
/// `context` is the engine's, `name` ends with NUL, and `F` is the type of that function.
unsafe fn api<F: Copy>(context: Context, name: &[u8]) -> Option<F> {
    // SAFETY: the first pointer of the engine's context is GetApi, by redismodule.h.
    unsafe {
        let get: GetApi = *context.cast::<GetApi>();
        let mut found: *mut c_void = core::ptr::null_mut();
        if get(name.as_ptr().cast(), &raw mut found) != OK || found.is_null() {
            return None;
        }
        Some(core::mem::transmute_copy::<*mut c_void, F>(&found))
    }
}

/// Maps the deadline file read-only; null if it cannot be opened, is shorter than 8 bytes, or
/// cannot be mapped.
///
/// # Safety
/// `path` ends with NUL.
unsafe fn map_deadline(path: *const c_char) -> *mut AtomicU64 {
    // SAFETY: plain system calls on a descriptor that lives only here. The mapping is page-aligned,
    // so the 8 bytes are an aligned u64; it lives as long as the process.
    unsafe {
        let fd = open(path, O_RDONLY_CLOEXEC);
        if fd < 0 {
            return core::ptr::null_mut();
        }
        let mut whole = [0_u8; DEADLINE_BYTES];
        let length = read(fd, whole.as_mut_ptr().cast(), DEADLINE_BYTES);
        let mapped = if length == DEADLINE_BYTES as isize {
            mmap(core::ptr::null_mut(), DEADLINE_BYTES, PROT_READ, MAP_SHARED, fd, 0)
        } else {
            usize::MAX as *mut c_void
        };
        close(fd);
        if mapped as usize == usize::MAX { core::ptr::null_mut() } else { mapped.cast() }
    }
}

/// Whether the deadline is past: 0 is an open gate, and a clock that does not answer is past.
fn past(deadline: &AtomicU64) -> bool {
    let at = u64::from_le(deadline.load(Ordering::Relaxed));
    if at == 0 {
        return false;
    }
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: `time` is a valid timespec of a 64-bit target.
    if unsafe { clock_gettime(CLOCK_BOOTTIME, &raw mut time) } != 0 {
        return true;
    }
    let now = (time.seconds as u64).wrapping_mul(1_000_000_000) + time.nanoseconds as u64;
    now >= at
}

unsafe extern "C" fn on_event(_: Context, _: Event, turn: u64, _: *mut c_void) {
    if turn != BEFORE_SLEEP && turn != AFTER_SLEEP {
        return;
    }
    let at = look();
    let armed = ARMED.load(Ordering::Relaxed);
    // An extended deadline leaves the timer where it is: its handler looks again. An open gate
    // takes it away: a signal would cut short a replica's wait for its primary.
    if at < armed || (at == u64::MAX && armed != u64::MAX) {
        arm(at);
    }
}

/// The timer's signal: the deadline that it was set to is past, if nobody has extended it.
unsafe extern "C" fn on_signal(_: c_int) {
    arm(look());
}

/// The deadline, the maximum for none; ends the engine when it is past.
fn look() -> u64 {
    // SAFETY: set once before the subscription, to a mapping that is never taken away.
    let deadline = unsafe { &*DEADLINE.load(Ordering::Relaxed) };
    let mut looks = 0;
    while past(deadline) {
        if looks == SECOND_LOOKS {
            // SAFETY: ending the process needs nothing.
            unsafe { _exit(EXIT_CODE) }
        }
        looks += 1;
        core::hint::spin_loop();
    }
    match u64::from_le(deadline.load(Ordering::Relaxed)) {
        0 => u64::MAX,
        at => at,
    }
}

/// Sets the timer; the maximum takes it away. Called by the main thread and by the signal that
/// interrupts it: the note is made last, so that what the signal has set in between is noticed.
fn arm(at: u64) {
    let timer = TIMER.load(Ordering::Relaxed);
    if timer >= 0 {
        // Zero takes it away.
        let set = if at == u64::MAX { 0 } else { at };
        let value = Timespec {
            seconds: (set / 1_000_000_000) as i64,
            nanoseconds: (set % 1_000_000_000) as i64,
        };
        let span = TimerSpan { interval: Timespec { seconds: 0, nanoseconds: 0 }, value };
        // SAFETY: the timer is this process's, and the kernel only reads the span.
        unsafe {
            system::call(
                system::TIMER_SETTIME,
                [timer as usize, TIMER_ABSTIME, &raw const span as usize, 0],
            );
        }
    }
    ARMED.store(at, Ordering::Relaxed);
}

/// Makes the timer for the calling thread; false where the kernel or the target has none.
///
/// # Safety
/// [`DEADLINE`] is set.
unsafe fn make_timer() -> bool {
    let action = SignalAction { handler: on_signal, mask: [0; 16], flags: SA_RESTART, restorer: 0 };
    // SAFETY: the handler does only what a signal handler may: it reads a clock and the mapping,
    // sets the timer by the kernel's own call, which touches no errno, or ends the process.
    unsafe {
        if !system::IS_KNOWN
            || sigaction(TIMER_SIGNAL, &raw const action, core::ptr::null_mut()) != 0
        {
            return false;
        }
        let thread = system::call(system::GETTID, [0; 4]) as c_int;
        let event = TimerEvent {
            value: 0,
            signal: TIMER_SIGNAL,
            notify: SIGEV_THREAD_ID,
            thread,
            rest: [0; 11],
        };
        let mut timer: c_int = -1;
        let made = system::call(
            system::TIMER_CREATE,
            [CLOCK_BOOTTIME as usize, &raw const event as usize, &raw mut timer as usize, 0],
        );
        if made != 0 {
            return false;
        }
        TIMER.store(timer, Ordering::Relaxed);
    }
    true
}

/// The kernel's own calls: libc's timers are elsewhere in every libc, and touch errno.
#[cfg(target_arch = "x86_64")]
mod system {
    pub(super) const IS_KNOWN: bool = true;
    pub(super) const GETTID: usize = 186;
    pub(super) const TIMER_CREATE: usize = 222;
    pub(super) const TIMER_SETTIME: usize = 223;

    /// # Safety
    /// As the call itself.
    pub(super) unsafe fn call(number: usize, arguments: [usize; 4]) -> isize {
        let [one, two, three, four] = arguments;
        let answer: isize;
        // SAFETY: the kernel's convention on this target; it changes rax, rcx and r11 only.
        unsafe {
            core::arch::asm!(
                "syscall",
                inlateout("rax") number as isize => answer,
                in("rdi") one,
                in("rsi") two,
                in("rdx") three,
                in("r10") four,
                lateout("rcx") _,
                lateout("r11") _,
                options(nostack),
            );
        }
        answer
    }
}

/// The kernel's own calls: libc's timers are elsewhere in every libc, and touch errno.
#[cfg(target_arch = "aarch64")]
mod system {
    pub(super) const IS_KNOWN: bool = true;
    pub(super) const GETTID: usize = 178;
    pub(super) const TIMER_CREATE: usize = 107;
    pub(super) const TIMER_SETTIME: usize = 110;

    /// # Safety
    /// As the call itself.
    pub(super) unsafe fn call(number: usize, arguments: [usize; 4]) -> isize {
        let [one, two, three, four] = arguments;
        let answer: isize;
        // SAFETY: the kernel's convention on this target; it changes x0 only.
        unsafe {
            core::arch::asm!(
                "svc 0",
                in("x8") number,
                inlateout("x0") one as isize => answer,
                in("x1") two,
                in("x2") three,
                in("x3") four,
                options(nostack),
            );
        }
        answer
    }
}

/// A target whose calls nobody has written down: only the event loop is watched.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod system {
    pub(super) const IS_KNOWN: bool = false;
    pub(super) const GETTID: usize = 0;
    pub(super) const TIMER_CREATE: usize = 0;
    pub(super) const TIMER_SETTIME: usize = 0;

    /// # Safety
    /// None: it does nothing.
    pub(super) unsafe fn call(_: usize, _: [usize; 4]) -> isize {
        -1
    }
}

/// The engine calls this at `loadmodule`; the one argument is the path of the deadline file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn RedisModule_OnLoad(
    context: Context,
    arguments: *mut *mut c_void,
    count: c_int,
) -> c_int {
    // SAFETY: the engine hands over its context and `count` arguments.
    match unsafe { load(context, arguments, count) } {
        Some(()) => OK,
        None => ERR,
    }
}

/// Refuses `MODULE UNLOAD`: an engine that was started behind a gate stays behind it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn RedisModule_OnUnload(_: Context) -> c_int {
    ERR
}

unsafe fn load(context: Context, arguments: *mut *mut c_void, count: c_int) -> Option<()> {
    const NAME: *const c_char = c"interrex-gate".as_ptr();
    // SAFETY: each name is paired with its type in redismodule.h; strings end with NUL.
    unsafe {
        let busy: IsModuleNameBusy = api(context, b"RedisModule_IsModuleNameBusy\0")?;
        let set_attribs: SetModuleAttribs = api(context, b"RedisModule_SetModuleAttribs\0")?;
        let log: Log = api(context, b"RedisModule_Log\0")?;
        let refuse = |why: &core::ffi::CStr| -> Option<()> {
            log(context, c"warning".as_ptr(), c"%s".as_ptr(), why.as_ptr());
            None
        };
        if busy(NAME) != 0 {
            return refuse(c"the gate is loaded already; loadmodule it once");
        }
        set_attribs(context, NAME, MODULE_VERSION, API_VERSION);
        let string: StringPtrLen = api(context, b"RedisModule_StringPtrLen\0")?;
        let supported: Option<IsSubEventSupported> =
            api(context, b"RedisModule_IsSubEventSupported\0");
        let subscribe: Option<SubscribeToServerEvent> =
            api(context, b"RedisModule_SubscribeToServerEvent\0");
        let (Some(supported), Some(subscribe)) = (supported, subscribe) else {
            return refuse(c"this engine has no server events for a gate; it needs redis >= 7.0");
        };
        if supported(EVENT_LOOP, AFTER_SLEEP as i64) == 0 {
            return refuse(c"this engine has no event loop events; a gate needs redis >= 7.0");
        }
        if count != 1 {
            return refuse(c"the gate takes exactly one argument: the path of its deadline file");
        }
        let path = string(*arguments, core::ptr::null_mut());
        let mapped = map_deadline(path);
        if mapped.is_null() {
            let why = c"cannot map the deadline file %s: it must exist and hold 8 bytes";
            log(context, c"warning".as_ptr(), why.as_ptr(), path);
            return None;
        }
        DEADLINE.store(mapped, Ordering::Release);
        if subscribe(context, EVENT_LOOP, on_event) != OK {
            return refuse(c"the engine refused the subscription to its event loop");
        }
        if !make_timer() {
            let why = c"the gate has no timer: a reply that a freeze holds up may still leave";
            log(context, c"warning".as_ptr(), c"%s".as_ptr(), why.as_ptr());
        }
        log(context, c"notice".as_ptr(), c"gate in place, deadline in %s".as_ptr(), path);
        Some(())
    }
}
