//! Student's t.

use super::estimate::Z;

/// The 97.5 % point with `freedom` degrees: NIST/SEMATECH e-Handbook, table 1.3.6.7.2, up to 30 degrees of freedom, and
/// beyond that Abramowitz and Stegun 26.7.5 (there right to five digits). Infinite for no degree.
pub fn student_t(freedom: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
        2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
    ];
    let Some(index) = freedom.checked_sub(1) else { return f64::INFINITY };
    if let Some(&t) = TABLE.get(index) {
        return t;
    }
    let n = freedom as f64;
    Z + (Z.powi(3) + Z) / (4.0 * n) + (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / (96.0 * n * n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expansion_joins_the_table() {
        assert_eq!(student_t(1), 12.706);
        assert!((student_t(31) - 2.0395).abs() < 1e-4 && (student_t(120) - 1.9799).abs() < 1e-4);
        assert_eq!(student_t(0), f64::INFINITY);
    }
}
