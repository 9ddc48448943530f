//! A BLAS that is opened at run time, so that nothing has to be linked.

use std::ffi::{CStr, c_char, c_int};

use libloading::Library;

use super::operands::{Layout, Operands};
use super::peer::{Multiply, Peer};
use crate::Usage;

/// `cblas_sgemm` and `cblas_dgemm` of the usual interface, with 32-bit integers.
type CblasGemm<T> = unsafe extern "C" fn(
    order: c_int,
    transpose_a: c_int,
    transpose_b: c_int,
    m: c_int,
    n: c_int,
    k: c_int,
    alpha: T,
    a: *const T,
    lda: c_int,
    b: *const T,
    ldb: c_int,
    beta: T,
    c: *mut T,
    ldc: c_int,
);

const ROW_MAJOR: c_int = 101;
const NO_TRANSPOSE: c_int = 111;
const TRANSPOSE: c_int = 112;

/// An opened BLAS.
pub struct Blas {
    sgemm: CblasGemm<f32>,
    dgemm: CblasGemm<f64>,
    name: String,
    version: String,
    // The functions live as long as this.
    _library: Library,
}

/// PyPI's builds of OpenBLAS put `scipy_` before every name.
const PREFIXES: [&str; 2] = ["", "scipy_"];

impl Blas {
    /// Opens the library at `path`, or a name that the system's loader knows, and limits it to `cores` threads.
    ///
    /// # Errors
    /// When there is no such library, or it lacks what is needed here.
    pub fn open(path: &str, cores: usize) -> Result<Self, Usage> {
        // SAFETY: opening runs the library's initialisers. The user names a BLAS, and trusts it.
        let library = unsafe { open_apart(path) }.map_err(|error| {
            let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            Usage(format!("cannot open the BLAS {path}: {reason}"))
        })?;
        let found = PREFIXES.into_iter().find_map(|prefix| {
            let (sgemm, dgemm) = (format!("{prefix}cblas_sgemm"), format!("{prefix}cblas_dgemm"));
            // SAFETY: these names have had this signature in every CBLAS since the standard of 1999. Builds with
            // 64-bit integers rename them, or tell below.
            unsafe { Some((symbol(&library, &sgemm)?, symbol(&library, &dgemm)?)) }
        });
        let Some((sgemm, dgemm)) = found else {
            return Err(Usage(format!("{path} has no cblas_sgemm and cblas_dgemm with 32-bit integers")));
        };
        if integer_bits(&library).is_some_and(|bits| bits != 32) {
            return Err(Usage(format!("{path} takes 64-bit integers: give a build for 32-bit ones (LP64)")));
        }
        limit(&library, cores as c_int);
        let (name, version) = identity(&library).unwrap_or_else(|| (stem(path), "unknown".to_owned()));
        Ok(Self { sgemm, dgemm, name, version, _library: library })
    }
}

/// Opens a library that calls its own functions, even where one that was opened before has some of the same names: every BLAS
/// has an `sgemm_`, and would otherwise compute through that of the first.
///
/// # Safety
/// The library's initialisers are run.
unsafe fn open_apart(path: &str) -> Result<Library, libloading::Error> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: passed on from the caller.
    unsafe {
        let flags = libc::RTLD_NOW | libc::RTLD_LOCAL | libc::RTLD_DEEPBIND;
        libloading::os::unix::Library::open(Some(path), flags).map(Library::from)
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    // SAFETY: passed on from the caller.
    unsafe {
        Library::new(path)
    }
}

/// # Safety
/// The symbol is of type `F`, a function pointer.
unsafe fn symbol<F: Copy>(library: &Library, name: &str) -> Option<F> {
    // SAFETY: the caller's promise.
    unsafe { library.get::<F>(name) }.ok().map(|symbol| *symbol)
}

/// The integers of a BLIS' BLAS interface, whose names do not tell.
fn integer_bits(library: &Library) -> Option<i64> {
    // SAFETY: BLIS declares `gint_t bli_info_get_blas_int_type_size( void )`, and gint_t is as long as a pointer.
    unsafe {
        symbol::<unsafe extern "C" fn() -> isize>(library, "bli_info_get_blas_int_type_size").map(|bits| bits() as i64)
    }
}

/// Says how many threads to use, in all the ways that the libraries know; the environment has said so as well.
fn limit(library: &Library, cores: c_int) {
    for name in ["openblas_set_num_threads", "scipy_openblas_set_num_threads", "MKL_Set_Num_Threads"] {
        // SAFETY: OpenBLAS and MKL declare `void f( int )`.
        if let Some(set) = unsafe { symbol::<unsafe extern "C" fn(c_int)>(library, name) } {
            // SAFETY: as above; any number of threads from 1 is valid.
            unsafe { set(cores) };
        }
    }
    // SAFETY: BLIS declares `void bli_thread_set_num_threads( dim_t )`, and dim_t is as long as a pointer.
    if let Some(set) = unsafe { symbol::<unsafe extern "C" fn(isize)>(library, "bli_thread_set_num_threads") } {
        // SAFETY: as above.
        unsafe { set(cores as isize) };
    }
}

/// Name and version, as the library tells them.
fn identity(library: &Library) -> Option<(String, String)> {
    type Text = unsafe extern "C" fn() -> *const c_char;
    let told = |name: &str, numbered: &str| {
        // SAFETY: OpenBLAS and BLIS declare `const char* f( void )`, and return a string that stays.
        let text = unsafe { CStr::from_ptr(symbol::<Text>(library, numbered)?()) }.to_string_lossy().into_owned();
        Some((name.to_owned(), text.trim().trim_start_matches("OpenBLAS").trim().to_owned()))
    };
    let mkl = || {
        // SAFETY: MKL declares `void mkl_get_version_string( char* buffer, int length )`.
        let get = unsafe { symbol::<unsafe extern "C" fn(*mut c_char, c_int)>(library, "mkl_get_version_string")? };
        let mut text = [0u8; 256];
        // SAFETY: writes at most the length that it is given, which leaves the last byte 0.
        unsafe { get(text.as_mut_ptr().cast(), 255) };
        let text = String::from_utf8_lossy(&text);
        let words = text.split_once("Version ").map_or(&*text, |(_, version)| version);
        Some(("MKL".to_owned(), words.split(['-', ' ']).next().unwrap_or("unknown").to_owned()))
    };
    mkl()
        .or_else(|| told("OpenBLAS", "openblas_get_config"))
        .or_else(|| told("OpenBLAS", "scipy_openblas_get_config"))
        .or_else(|| told("BLIS", "bli_info_get_version_str"))
}

/// `libfoo` of `/lib/libfoo.so.3`.
fn stem(path: &str) -> String {
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    file.split('.').next().unwrap_or(file).to_owned()
}

/// Transposition and leading dimension of an operand; none where neither rows nor columns are contiguous.
fn leading(layout: Layout) -> Option<(c_int, c_int)> {
    let Layout { rows, cols, row_stride, col_stride } = layout;
    // A single row or column has a stride that means nothing and may be too small for the interface.
    match (row_stride, col_stride) {
        (stride, 1) => Some((NO_TRANSPOSE, stride.max(cols) as c_int)),
        (1, stride) => Some((TRANSPOSE, stride.max(rows) as c_int)),
        _ => None,
    }
}

impl Peer for Blas {
    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn version(&self) -> String {
        self.version.clone()
    }
}

macro_rules! element {
    ($t:ident, $gemm:ident) => {
        impl Multiply<$t> for Blas {
            fn can(&self, operands: &Operands<$t>) -> bool {
                leading(operands.a_layout).is_some() && leading(operands.b_layout).is_some()
            }

            fn multiply(&self, operands: &Operands<$t>, c: &mut [$t]) {
                let [m, n, k] = operands.sizes.map(|size| size as c_int);
                let sides = leading(operands.a_layout).zip(leading(operands.b_layout));
                let ((transpose_a, lda), (transpose_b, ldb)) = sides.expect("asked whether it can");
                let ldc = operands.c_layout.row_stride as c_int;
                let (a, b) = (operands.a.as_ptr(), operands.b.as_ptr());
                assert!(c.len() == operands.c_layout.reach());
                // SAFETY: the buffers of A and B reach as far as their layouts, and so does C, which is borrowed mutably.
                unsafe {
                    (self.$gemm)(
                        ROW_MAJOR,
                        transpose_a,
                        transpose_b,
                        m,
                        n,
                        k,
                        1.0,
                        a,
                        lda,
                        b,
                        ldb,
                        0.0,
                        c.as_mut_ptr(),
                        ldc,
                    );
                }
            }
        }
    };
}

element!(f32, sgemm);
element!(f64, dgemm);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_not_there_is_named() {
        let error = Blas::open("/nowhere/libblas.so", 1).err().unwrap();
        assert!(error.0.contains("/nowhere/libblas.so"), "{error}");
        assert_eq!(stem("/nowhere/libblas.so.3"), "libblas");
    }

    #[test]
    fn layouts_become_leading_dimensions() {
        let layout = |rows, cols, row_stride, col_stride| leading(Layout { rows, cols, row_stride, col_stride });
        assert_eq!(layout(5, 4, 4, 1), Some((NO_TRANSPOSE, 4)));
        assert_eq!(layout(5, 4, 28, 1), Some((NO_TRANSPOSE, 28)));
        assert_eq!(layout(5, 4, 1, 5), Some((TRANSPOSE, 5)));
        assert_eq!(layout(1, 4, 1, 1), Some((NO_TRANSPOSE, 4)), "one row stored as a column");
        assert_eq!(layout(5, 4, 8, 2), None);
    }
}
