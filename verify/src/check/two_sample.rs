//! The two-sample test of Kolmogorov and Smirnov.

/// The probability that two samples of one continuous distribution, of the same size, are as far apart as these: exact, P(n D >= k) =
/// 2 sum over j >= 1 of (-1)^(j+1) C(2n, n + jk) / C(2n, n) (Gnedenko and Korolyuk, 1951).
///
/// # Panics
/// When the samples are empty, of different sizes, or hold a NaN.
pub fn p_value(mut a: Vec<f64>, mut b: Vec<f64>) -> f64 {
    let n = a.len();
    assert!(n > 0 && n == b.len(), "samples of {n} and {} values", b.len());
    assert!(a.iter().chain(&b).all(|x| !x.is_nan()), "a sample holds a NaN");
    a.sort_by(f64::total_cmp);
    b.sort_by(f64::total_cmp);
    let below = |sorted: &[f64], x: f64| sorted.partition_point(|&y| y <= x);
    let k = a.iter().chain(&b).map(|&x| below(&a, x).abs_diff(below(&b, x))).max().expect("there are values");
    if k == 0 {
        return 1.0;
    }
    let term = |shift: usize| (1..=shift).map(|i| (n + 1 - i) as f64 / (n + i) as f64).product::<f64>();
    let sign = |j: usize| if j % 2 == 1 { 2.0 } else { -2.0 };
    let sum: f64 = (1..=n / k).map(|j| sign(j) * term(j * k)).sum();
    sum.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fathom_kernels::normal;

    #[test]
    fn small_samples_have_their_counted_p_values() {
        // Of the C(2n, n) orders of two samples, those with n D >= k, counted one by one.
        for n in 1..=6usize {
            let orders = (0..1u32 << (2 * n)).filter(|order| order.count_ones() as usize == n);
            let samples: Vec<[Vec<f64>; 2]> = orders
                .map(|order| {
                    [0, 1].map(|which| (0..2 * n).filter(|i| order >> i & 1 == which).map(|i| i as f64).collect())
                })
                .collect();
            let far = |[a, b]: &[Vec<f64>; 2]| {
                let rank = |all: &[f64], x: usize| all.iter().filter(|&&y| y <= x as f64).count();
                (0..2 * n).map(|x| rank(a, x).abs_diff(rank(b, x))).max().unwrap()
            };
            for pair in &samples {
                let as_far = samples.iter().filter(|other| far(other) >= far(pair)).count();
                let [a, b] = pair.clone();
                let expected = as_far as f64 / samples.len() as f64;
                assert!((p_value(a, b) - expected).abs() < 1e-12, "{pair:?}: {expected}");
            }
        }
    }

    #[test]
    fn a_shift_is_found_and_chance_is_not() {
        let draw = |stream| {
            let mut x = vec![0.0f64; 400];
            normal::fill(1, stream, 0, &mut x);
            x
        };
        assert!(p_value(draw(1), draw(2)) > 0.01);
        assert!(p_value(draw(1), draw(2).into_iter().map(|x| x + 0.5).collect()) < 1e-6);
        assert_eq!(p_value(draw(1), draw(1)), 1.0);
    }
}
