//! What the kernels allocate beside their operands: no more than their blocks, however large the problem.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use fathom_kernels::{Caches, ConvGeometry, MatMut, MatRef, Parallelism, TensorMut, TensorRef, conv, gemm};

/// The system's allocator, which remembers how much was taken at once.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: passed on from the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: passed on from the caller.
        unsafe { System.dealloc(at, layout) };
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The most bytes that were taken at once while `call` ran on a thread of its own, beyond those before.
fn taken(call: impl FnOnce() + Send) -> usize {
    let before = NOW.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    std::thread::scope(|scope| scope.spawn(call).join().unwrap());
    MOST.load(Ordering::Relaxed) - before
}

/// Bytes for all three passes of a convolution.
fn convolution(images: usize, channels: usize, [rows, cols]: [usize; 2], kernel: [usize; 2]) -> usize {
    let geometry = ConvGeometry::same(kernel);
    let (xs, ws) = ([images, channels, rows, cols], [channels, channels, kernel[0], kernel[1]]);
    let [mut x, mut w] = [xs, ws].map(|shape| vec![1.0f32; shape.iter().product()]);
    let (mut y, mut dx, mut dw) = (x.clone(), x.clone(), w.clone());
    let serial = Parallelism::Serial;
    (x[0], w[0]) = (2.0, 2.0);
    taken(move || {
        let (vx, vw) = (TensorRef::dense(&x, xs).unwrap(), TensorRef::dense(&w, ws).unwrap());
        conv::forward(&geometry, 1.0, vw, vx, 0.0, TensorMut::dense(&mut y, xs).unwrap(), serial);
        let vy = TensorRef::dense(&y, xs).unwrap();
        conv::backward_input(&geometry, 1.0, vw, vy, 0.0, TensorMut::dense(&mut dx, xs).unwrap(), serial);
        conv::backward_weights(&geometry, 1.0, vy, vx, 0.0, TensorMut::dense(&mut dw, ws).unwrap(), serial);
    })
}

// One test, since allocations of others would count.
#[test]
fn working_memory_is_bounded_by_the_caches() {
    let Caches { l2, l3, .. } = Caches::of_this_core();
    let bound = l3.max(2 * l2) / 4 + 2 * l2;
    // The im2col matrices of these would take 38, 75 and 226 MB.
    for (images, channels, size) in [(1, 64, 128), (2, 64, 128), (6, 64, 128)] {
        let bytes = convolution(images, channels, [size; 2], [3; 2]);
        assert!(bytes <= bound, "{images} images of {channels} x {size} x {size}: {bytes} bytes, not {bound}");
    }
    let small = convolution(1, 256, [8; 2], [3; 2]);
    assert!(small <= bound, "wide filters: {small} bytes, not {bound}");
    // A row of 42 MB.
    let long = convolution(1, 160, [1, 1 << 16], [1, 3]);
    assert!(long <= bound, "a long row: {long} bytes, not {bound}");
    // And a product.
    let side = 1500;
    let (a, mut c) = (vec![1.0f64; side * side], vec![0.0f64; side * side]);
    let bytes = taken(move || {
        let a = MatRef::row_major(&a, side, side).unwrap();
        gemm(1.0, a, a, 0.0, MatMut::row_major(&mut c, side, side).unwrap(), Parallelism::Serial);
    });
    assert!(bytes <= bound, "gemm: {bytes} bytes, not {bound}");
}
