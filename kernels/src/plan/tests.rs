use super::*;

/// A square product of plain operands.
fn square(n: usize, element: usize) -> Task {
    Task {
        m: n,
        n,
        k: n,
        element,
        a_in_place: true,
        a_row: n as isize,
        a_depth: 1,
        b_in_place: true,
        b_row: n as isize,
        b_aligned: false,
        b_columns: false,
        c_direct: true,
        c_even: true,
        b_elements: n * n,
        c_elements: n * n,
    }
}

const FAR_THIRD_LEVEL: Caches = Caches { l1: 48 << 10, l2: 2 << 20, l3: 256 << 20 };

/// How wide strips of a B of 512 rows, 512 columns of f32 if `near`, are read: its rows begin with cache lines, or do not.
fn wide(m: usize, near: bool, b_aligned: bool) -> Reading {
    let n = if near { 512 } else { 1000 };
    let task = Task { m, n, b_row: n as isize, b_aligned, b_elements: 512 * n, ..square(512, 4) };
    task.best_of_b_in_wide_strips(FAR_THIRD_LEVEL)
}

#[test]
fn wide_strips_pass_where_rows_hide_their_packing() {
    use Reading::{InPassing, InPlace, Packed, Streamed};
    assert_eq!(
        [25, 128, 129, 512, 513].map(|m| wide(m, true, false)),
        [InPlace, InPlace, InPassing, InPassing, Packed]
    );
    assert_eq!([25, 129, 512, 513].map(|m| wide(m, false, false)), [InPassing, InPassing, InPassing, Packed]);
    assert_eq!([128, 129, 512, 513].map(|m| wide(m, true, true)), [InPlace, InPassing, InPassing, Streamed]);
    assert_eq!([25, 55, 56, 513].map(|m| wide(m, false, true)), [Streamed, Streamed, InPassing, Packed]);
    let doubles = |m| Task { m, ..square(512, 8) }.best_of_b_in_wide_strips(FAR_THIRD_LEVEL);
    assert_eq!([384, 385].map(doubles), [InPassing, Packed], "3 KiB of a column of A");
    let transposed = Task { m: 100, a_row: 1, a_depth: 100, b_aligned: true, ..square(1000, 4) };
    assert_eq!(transposed.best_of_b_in_wide_strips(FAR_THIRD_LEVEL), Streamed, "a transposed A");
}

#[test]
fn wide_strips_stay_where_they_lie_near() {
    use Reading::{InPassing, InPlace, Packed, Streamed};
    let of = |task: Task| task.best_of_b_in_wide_strips(FAR_THIRD_LEVEL);
    let part = |m| of(Task { m, n: 416, b_aligned: true, b_elements: 512 * 3136, ..square(512, 4) });
    assert_eq!([55, 56].map(part), [Streamed, InPassing], "a near part of a far B");
    assert_eq!(of(Task { m: 1000, n: 128, b_elements: 512 * 128, ..square(512, 4) }), InPlace, "few strips of 256 KiB");
    let crowded = |m| of(Task { m, n: 128, b_aligned: true, ..square(1024, 4) });
    assert_eq!([55, 128, 600].map(crowded), [Streamed, InPassing, Packed], "rows that share sets");
    let aligned = |m, n| of(Task { m, n, b_aligned: true, b_elements: 320 * n, ..square(320, 4) });
    assert_eq!([200, 208].map(|n| aligned(500, n)), [Streamed, InPassing], "256 KiB");
    assert_eq!([816, 832].map(|n| aligned(1024, n)), [Streamed, Packed], "whole lines of a near B, and of a far one");
    assert_eq!(aligned(1025, 816), Packed, "many rows");
    assert_eq!(of(Task { m: 20, b_in_place: false, ..square(512, 4) }), Packed, "scaled");
}

#[test]
fn columns_are_transposed_in_passing_where_the_second_level_holds_the_rows() {
    use Reading::{Packed, Turning};
    let of = |m, element, a_row| {
        let task = Task { m, a_row, b_in_place: false, b_columns: true, ..square(1024, element) };
        task.best_of_b_in_wide_strips(FAR_THIRD_LEVEL)
    };
    assert_eq!([47, 48, 511, 512].map(|m| of(m, 4, 1024)), [Packed, Turning, Turning, Packed]);
    assert_eq!([255, 256].map(|m| of(m, 8, 1024)), [Turning, Packed]);
    assert_eq!([128, 129].map(|m| of(m, 4, 1)), [Turning, Packed], "a transposed A");
}

#[test]
fn a_part_of_a_far_result_is_written_as_all_of_it() {
    let caches = Caches { l1: 32 << 10, l2: 1 << 20, l3: 32 << 20 };
    let part = |c_elements| Task { m: 512, n: 1024, c_elements, ..square(2048, 8) };
    let inside = |task: Task| task.strips_inside(caches, TALL, 16);
    assert!(inside(part(2048 * 2048)), "rows of a part of 32 MiB");
    assert!(!inside(part(512 * 1024)), "rows of 4 MiB");
    let larger = Caches { l3: 256 << 20, ..caches };
    assert!(!part(2048 * 2048).strips_inside(larger, TALL, 16), "an eighth of the third level");
}

#[test]
fn few_rows_read_a_far_b_from_few_pages_at_once() {
    let caches = Caches { l1: 48 << 10, l2: 2 << 20, l3: 256 << 20 };
    let depth = |n: usize| {
        let task = Task { m: 10, n, k: 4096, b_row: n as isize, b_elements: 4096 * n, ..square(n, 4) };
        let usual = Blocks::for_caches(caches, 4, 4096, 32);
        task.blocks(caches, (Reading::InPlace, Reading::Streamed), usual, (TALL, 32), false).kc
    };
    assert_eq!([100, 512, 1024, 4096].map(depth), [64, 48, 24, 24]);
    let rows = |n: usize| Task { n, b_elements: 4096 * n, ..square(1024, 4) }.most_few(caches);
    assert_eq!([511, 512].map(rows), [FEW_ROWS, FEW_FROM_AFAR], "rows of half a page");
}

#[test]
fn a_transposed_a_that_takes_much_of_the_second_level_is_packed() {
    let caches = Caches { l1: 48 << 10, l2: 2 << 20, l3: 256 << 20 };
    let flat = TALL - 4;
    let of = |n: usize| {
        let task = Task { a_row: 1, a_depth: 264, ..square(n, 4) };
        task.best_of_a(caches, Reading::InPlace, Some(n), flat)
    };
    assert_eq!([255, 256].map(of), [Reading::InPlace, Reading::Packed], "256 KiB");
}

#[test]
fn a_shallow_transposed_a_is_packed_where_many_strips_pass() {
    let caches = Caches { l1: 48 << 10, l2: 2 << 20, l3: 256 << 20 };
    let of = |m: usize, n, k| {
        let task = Task { m, n, k, a_row: 1, a_depth: m as isize, ..square(m, 4) };
        task.best_of_a(caches, Reading::Packed, None, TALL)
    };
    assert_eq!([256, 257].map(|n| of(1000, n, 100)), [Reading::InPlace, Reading::Packed]);
    assert_eq!([127, 128].map(|n| of(1024, n, 100)), [Reading::InPlace, Reading::Packed], "columns that share sets");
    assert_eq!(of(FEW_ROWS, 1000, 100), Reading::InPlace, "one tile's rows");
    let upright = Task { n: 1000, k: 100, ..square(1000, 4) };
    assert_eq!(upright.best_of_a(caches, Reading::Packed, None, TALL), Reading::InPlace, "not transposed");
}
